package mongodb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// Preview writes a change as a line of the mongo shell. Its conditions on the
// record's fields, which the server compares by type as well, stand as equalities;
// what is no field of the dataset is not shown.
func (s *source) Preview(d *sources.Dataset, c *sources.Change) (sources.Preview, error) {
	p, err := s.prepared(d)
	if err != nil {
		return sources.Preview{}, err
	}
	out := &previewer{p: p}
	kind := c.Kind()
	name := "db.getCollection(" + strconv.Quote(p.Name) + ")"
	if kind == sources.Insert {
		out.text.WriteString(name + ".insertOne({")
		out.fields(&c.After.Record, nil)
		out.text.WriteString(", …all that it held}) while $$NOW < until")
		return sources.Preview{Text: out.text.String(), Args: out.args}, nil
	}
	if kind == sources.Delete {
		out.text.WriteString(name + ".deleteOne({")
		out.fields(&c.Before.Record, nil)
		out.text.WriteString(", …all that it held, $expr: {$lt: [\"$$NOW\", until]}})")
		return sources.Preview{Text: out.text.String(), Args: out.args}, nil
	}
	update, err := p.changes(c)
	if err != nil {
		return sources.Preview{}, err
	}
	out.text.WriteString(name + ".updateOne({")
	out.fields(&c.Before.Record, nil)
	out.text.WriteString(", $expr: {$lt: [\"$$NOW\", until]}}, {")
	for i, operator := range update {
		if i > 0 {
			out.text.WriteString(", ")
		}
		out.text.WriteString(operator.Key + ": {")
		out.fields(&c.After.Record, operator.Value.(bson.D))
		out.text.WriteString("}")
	}
	out.text.WriteString("})")
	return sources.Preview{Text: out.text.String(), Args: out.args}, nil
}

// changes is the update of a change, with paths as the dataset names them.
func (p *dataset) changes(c *sources.Change) (bson.D, error) {
	before, err := p.native(c.Before.Native)
	if err != nil {
		return nil, err
	}
	after, err := p.native(c.After.Native)
	if err != nil {
		return nil, err
	}
	if sameImage(c.Before, c.After) {
		return bson.D{}, nil
	}
	update, _, err := p.update(before, after, 0)
	return update, err
}

// previewer writes fields with places for their values.
type previewer struct {
	p    *dataset
	text strings.Builder
	args []sources.PreviewArg
}

// fields writes a record's fields: all of them, or those that an update names.
func (o *previewer) fields(r *sources.Record, update bson.D) {
	names := slices.Concat(o.p.Key, o.p.ID, o.p.Fields)
	values := slices.Concat(r.Key, r.ID, r.Fields)
	first := true
	for i, name := range names {
		if i >= len(values) || slices.Contains(names[:i], name) || update != nil && !o.named(update, name) {
			continue
		}
		if !first {
			o.text.WriteString(", ")
		}
		first = false
		shown := strconv.Quote(name)
		if update != nil && o.p.Unwind != "" {
			shown = strconv.Quote(o.p.Unwind + ".$" + strings.TrimPrefix(name, o.p.Unwind))
		}
		if values[i].IsAbsent() && update != nil {
			o.text.WriteString(shown + `: ""`)
			continue
		}
		if values[i].IsAbsent() {
			o.text.WriteString(shown + ": {$exists: false}")
			continue
		}
		o.args = append(o.args, sources.PreviewArg{Place: fmt.Sprintf("?%d", len(o.args)+1), Field: name, Value: values[i]})
		o.text.WriteString(shown + ": " + o.args[len(o.args)-1].Place)
	}
}

// named says whether an update changes a field.
func (o *previewer) named(update bson.D, name string) bool {
	return slices.ContainsFunc(update, func(e bson.E) bool {
		path := e.Key
		if o.p.Unwind != "" {
			path = o.p.Unwind + "." + strings.TrimPrefix(path, o.p.Unwind+".0.")
		}
		return overlap(path, name)
	})
}
