package reconciler

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// text is what a store or the engine said, as it may be kept with a plan: without
// what it quoted of a record, and without secrets.
func (e *Edge) text(said string) string {
	return e.Lens.Text(sources.Quoteless(said), e.masks())
}

// show is a value of a field of the replica as it may be shown.
func (e *Edge) show(field string, v sources.Value) drift.Value {
	return e.Lens.Masker.Show(v, drift.FieldMask(e.Check, e.declared(), field))
}

// ruleOf names how a field of the replica is compared; "" where it is not.
func (e *Edge) ruleOf(field string) string {
	for _, r := range e.comparison().Rules {
		if r.Replica.Name == field {
			return r.Words()
		}
	}
	return ""
}

// fieldsOf are the fields in which two images differ, or all of the one that there is.
func (e *Edge) fieldsOf(before, after *sources.Image) []Field {
	fields := []Field{}
	for i, name := range e.replica().Fields {
		now, then := fieldAt(before, i), fieldAt(after, i)
		if before.Exists && after.Exists && now.Equal(then) || seen(fields, name) {
			continue
		}
		fields = append(fields, Field{Name: name, Now: e.show(name, now), Then: e.show(name, then), Rule: e.ruleOf(name)})
	}
	return fields
}

// heldNow are the fields of an item with what its record holds now.
func (e *Edge) heldNow(i *Item, now *sources.Image) []Field {
	fields := make([]Field, len(i.Fields))
	for n, f := range i.Fields {
		at := slices.Index(e.replica().Fields, f.Name)
		fields[n] = Field{Name: f.Name, Now: e.show(f.Name, fieldAt(now, at)), Then: f.Then, Rule: f.Rule}
	}
	return fields
}

func seen(fields []Field, name string) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Name == name })
}

func fieldAt(image *sources.Image, i int) sources.Value {
	if image == nil || !image.Exists || i < 0 || i >= len(image.Record.Fields) {
		return sources.Value{}
	}
	return image.Record.Fields[i]
}

// statement is a change as it would be sent, with what its places stand for.
func (e *Edge) statement(c *sources.Change) (string, error) {
	preview, err := e.Replica.Preview(e.replica(), c)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(preview.Text)
	for _, a := range preview.Args {
		value, of := e.Lens.Masker.Show(a.Value, checks.MaskNone), ""
		if a.Field != "" {
			value, of = e.show(a.Field, a.Value), " ("+drift.Visible(a.Field)+")"
		}
		fmt.Fprintf(&b, "\n%s = %s%s", a.Place, value.Short(), of)
	}
	return b.String(), nil
}

// requested is a request as it may be shown, which is not how it is sent where
// a mask covers what it holds.
func requested(r *PreparedRequest) string {
	text := r.Method + " " + drift.Visible(r.URL) + "\nIdempotency-Key: " + r.Name
	if r.Body != "" {
		text += "\n\n" + drift.Lines(r.Body)
	}
	return text
}
