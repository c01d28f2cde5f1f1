package sources

import "context"

// Schema returns the present shape of a dataset; ok is false where the adapter
// cannot say, and the shape shows by the values alone.
func (r *Reader) Schema(ctx context.Context, d *Dataset) (schema Schema, ok bool, err error) {
	shaper, ok := r.source.(Shaper)
	if !ok {
		return Schema{}, false, nil
	}
	err = r.try(ctx, "schema", "describe "+d.Title(), func(ctx context.Context) error {
		schema, err = shaper.Schema(ctx, d)
		return err
	})
	return schema, err == nil, err
}

// Field finds the declared field that holds a field of a dataset: that of its
// name, or the one in which its dotted path begins.
func (s *Schema) Field(name string) (SchemaField, bool) {
	for cut := len(name); cut > 0; cut = lastDot(name[:cut]) {
		for _, f := range s.Fields {
			if f.Name == name[:cut] {
				return f, true
			}
		}
	}
	return SchemaField{}, false
}

func lastDot(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return i
		}
	}
	return 0
}
