package drift

import (
	"bytes"
	"encoding/json"
	"strings"

	"plumbline/checks"
	"plumbline/sources"
)

// Field is one compared field, or one invariant (then its names are empty), as
// it may be shown. The JSON keys are promises.
type Field struct {
	OwnerField   string `json:"owner_field"`
	ReplicaField string `json:"replica_field"`
	Owner        Value  `json:"owner"`
	Replica      Value  `json:"replica"`
	Rule         string `json:"rule"`
	Note         string `json:"note"`
}

// Title names the field for people.
func (f *Field) Title() string {
	switch {
	case f.OwnerField == "" && f.ReplicaField == "":
		return f.Rule
	case f.OwnerField == f.ReplicaField || f.ReplicaField == "":
		return f.OwnerField
	case f.OwnerField == "":
		return f.ReplicaField
	}
	return f.OwnerField + " → " + f.ReplicaField
}

// Named are the parts of a key or an id by the names of their fields, in
// declared order; in JSON an object.
type Named []NamedValue

// NamedValue is one part.
type NamedValue struct {
	Name  string
	Value Value
}

// MarshalJSON keeps the declared order, which a map would not.
func (n Named) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, part := range n {
		name, err := marshal(part.Name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(part.Value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON keeps the order in which the parts were written.
func (n *Named) UnmarshalJSON(b []byte) error {
	*n = nil
	decoder := json.NewDecoder(bytes.NewReader(b))
	if _, err := decoder.Token(); err != nil { // {, or null
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		part := NamedValue{Name: name.(string)}
		if err := decoder.Decode(&part.Value); err != nil {
			return err
		}
		*n = append(*n, part)
	}
	return nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Words writes a key as name=value parts of visible text.
func (n Named) Words() string {
	parts := make([]string, len(n))
	for i, part := range n {
		value := Shorten(part.Value.Whole(), valueColumns)
		if strings.Contains(value, " ") && value[0] != '"' {
			value = quoted(value)
		}
		parts[i] = Visible(part.Name) + "=" + value
	}
	return strings.Join(parts, " ")
}

// valueColumns is how wide a value is shown where it stands among others.
const valueColumns = 40

// Short is a value for a line of text: texts in quotes, so that they are not
// taken for words of ours, and all shortened.
func (v Value) Short() string {
	if v.Type != "text" || v.Masked {
		return Shorten(v.Whole(), valueColumns)
	}
	return quoted(Shorten(Visible(v.Text), valueColumns))
}

func quoted(visible string) string { return `"` + strings.ReplaceAll(visible, `"`, `\"`) + `"` }

// Whole is a value as visible text, whole: absent and null as those words,
// texts that could be taken for something else in quotes.
func (v Value) Whole() string {
	switch {
	case v.Type == "absent" || v.Type == "null":
		return v.Type
	case v.Type == "bytes" && !v.Masked:
		return v.Text // hexadecimal digits after \x, which are no escape of ours
	case v.Masked || v.Type != "text":
		return Visible(v.Text)
	}
	text := Visible(v.Text)
	if text == "" || text == "absent" || text == "null" || text[0] == ' ' || text[len(text)-1] == ' ' || strings.Contains(text, `"`) {
		return quoted(text)
	}
	return text
}

// Lens shows what the engine found as people may see it: masked, and without secrets.
type Lens struct {
	Masker *Masker
	// Scrub takes secrets out of texts that stores and drivers wrote.
	Scrub func(string) string

	veiled bool // no value of a record is seen; see Veil
}

// Field shows one field, under its own mask.
func (l Lens) Field(d *checks.FieldDifference) Field {
	shown := Field{OwnerField: d.Owner, ReplicaField: d.Replica, Owner: l.Masker.Show(d.OwnerValue, d.Mask),
		Replica: l.Masker.Show(d.ReplicaValue, d.Mask), Rule: d.Rule, Note: l.Scrub(note(d.Note, d.Mask))}
	if l.veiled {
		return shown.veil()
	}
	return shown
}

// Fields shows all fields of a difference.
func (l Lens) Fields(d *checks.Difference) []Field {
	fields := make([]Field, len(d.Fields))
	for i := range d.Fields {
		fields[i] = l.Field(&d.Fields[i])
	}
	return fields
}

// Key shows the parts of a key of a check.
func (l Lens) Key(check *checks.Check, key sources.Key, masks Masks) Named {
	return l.named(check.Owner.Dataset.Key, key, masks.key)
}

// ID shows the parts of a copy's own identity.
func (l Lens) ID(edge *checks.Edge, id sources.Key, masks Masks) Named {
	return l.named(edge.Replica.Dataset.ID, id, masks.id)
}

// Text shows a message of the engine or of a store.
func (l Lens) Text(text string, masks Masks) string {
	if l.veiled {
		return Unvalued(text)
	}
	return l.Scrub(masks.Message(text))
}

func (l Lens) named(names []string, values sources.Key, masks []checks.Mask) Named {
	named := Named{}
	for i := range min(len(names), len(values)) {
		value := l.Masker.Show(values[i], masks[i])
		if l.veiled {
			value = value.Veil()
		}
		named = append(named, NamedValue{names[i], value})
	}
	return named
}
