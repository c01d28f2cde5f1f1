package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plumbline/sources"
)

// native is what a row holds, by columns: what sources.Image.Native encodes.
type native struct {
	whole               bool
	outOfScope, deleted bool // where the dataset places the row is part of what it is
	unreadable          string
	names               []string // of the key and id first
	values              []sources.Value
}

// encode keeps the precision of values, which their own encoding lacks.
func (n *native) encode() []byte {
	parts := []sources.Value{sources.Bool(n.whole), sources.Bool(n.outOfScope), sources.Bool(n.deleted), sources.Text(n.unreadable)}
	for i, v := range n.values {
		parts = append(parts, sources.Text(n.names[i]), sources.Int(int64(v.Precision())), v)
	}
	return sources.ListOf(parts).AppendEncoding(nil)
}

func decodeNative(b []byte) (*native, error) {
	v, rest, err := sources.DecodeValue(b)
	parts := v.Items()
	if err != nil || len(rest) > 0 || len(parts) < 7 || len(parts)%3 != 1 {
		return nil, sources.Final(errors.New("the image is none of this store's"))
	}
	n := &native{whole: parts[0].AsBool(), outOfScope: parts[1].AsBool(), deleted: parts[2].AsBool(), unreadable: parts[3].AsText()}
	for at := 4; at < len(parts); at += 3 {
		n.names = append(n.names, parts[at].AsText())
		n.values = append(n.values, parts[at+2].WithPrecision(int(parts[at+1].AsInt())))
	}
	return n, nil
}

// imageColumns are the columns of an image, those of the key and id first.
func (c *compiled) imageColumns(whole bool) (columns []int) {
	for _, group := range [][]at{c.keys, c.scope, c.fields} {
		for _, a := range group {
			if !slices.Contains(columns, a.column) {
				columns = append(columns, a.column)
			}
		}
	}
	for i := range c.table.Columns {
		if whole && !slices.Contains(columns, i) {
			columns = append(columns, i)
		}
	}
	return columns
}

// image is a row as it can be put back. What is too large to read has no native
// form, and cannot be written.
func (c *compiled) image(r *row, whole bool) *sources.Image {
	image := &sources.Image{Exists: true, Record: c.record(r, false)}
	if image.Record.Skipped != "" {
		return image
	}
	n := &native{whole: whole, outOfScope: image.Record.OutOfScope, deleted: image.Record.Deleted, unreadable: r.Unreadable}
	for _, column := range c.imageColumns(whole) {
		n.names, n.values = append(n.names, c.table.Columns[column].Name), append(n.values, r.Values[column])
	}
	image.Native = n.encode()
	return image
}

// find finds the one row of a key and id; nil where there is none.
func (c *compiled) find(key, id sources.Key) (*row, error) {
	if len(key) != len(c.dataset.Key) || len(id) != len(c.dataset.ID) || !key.Whole() {
		return nil, sources.Final(fmt.Errorf("a record of %s has a whole key of %d parts and an id of %d", c.dataset.Title(), len(c.dataset.Key), len(c.dataset.ID)))
	}
	var found *row
	for _, r := range c.table.keyed(c)[canonical(key)] {
		if canonical(sources.Key(c.position(r)[len(key):])) != canonical(id) || !c.exists(r) {
			continue
		}
		if found != nil {
			return nil, sources.Final(&sources.ManyError{In: c.dataset.Title()})
		}
		found = r
	}
	return found, nil
}

// look reads one record, and first the clock.
func (s *source) look(c *compiled, key, id sources.Key, whole bool) (*sources.Image, *row, error) {
	at := s.store.now()
	r, err := c.find(key, id)
	if err != nil || r == nil {
		return &sources.Image{ReadAt: at}, nil, err
	}
	image := c.image(r, whole)
	image.ReadAt = at
	return image, r, nil
}

// Look implements sources.Writer. A settled look waits for the write under way.
func (s *source) Look(ctx context.Context, d *sources.Dataset, key, id sources.Key, how sources.Looking) (image *sources.Image, err error) {
	err = s.readIn(ctx, "look", d, how.Settled, func(c *compiled, _ *fate) (err error) {
		image, _, err = s.look(c, key, id, how.Whole)
		return err
	})
	if err != nil {
		return nil, err
	}
	return image, nil
}

// Become implements sources.Writer: each column converts what is assigned to it,
// or keeps it. Columns that the image is not of count as they are now.
func (s *source) Become(ctx context.Context, d *sources.Dataset, before *sources.Image, set []sources.Assignment) (after *sources.Image, err error) {
	was, err := decodeNative(before.Native)
	if err != nil || !before.Exists {
		return nil, sources.Final(errors.New("a record that is not there, or was not read, cannot become another"))
	}
	err = s.read(ctx, "become", d, func(c *compiled, _ *fate) error {
		made := &row{Row: Row{Values: make([]sources.Value, len(c.table.Columns)), Unreadable: was.unreadable}}
		now, err := c.find(before.Record.Key, before.Record.ID)
		if err != nil {
			return err
		}
		if now != nil {
			copy(made.Values, now.Values)
		}
		for i, name := range was.names {
			made.Values[c.table.columns[name]] = was.values[i]
		}
		for _, a := range set {
			if err := c.assign(made, a); err != nil {
				return sources.Final(err)
			}
		}
		for _, v := range made.Values {
			made.size += size(v)
		}
		after = c.image(made, was.whole)
		after.ReadAt = s.store.now()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// assign puts one value into a row, as its column would keep it.
func (c *compiled) assign(r *row, a sources.Assignment) error {
	column, path, err := c.assignable(a.Field)
	if err != nil {
		return err
	}
	v := a.Value
	if path != "" {
		if v, err = within(r.Values[column], path, v); err != nil {
			return fmt.Errorf("field %s: %w", a.Field, err)
		}
	}
	declared := c.table.Columns[column]
	if convert := declared.Convert; convert != nil {
		if v, err = convert(v); err != nil {
			return fmt.Errorf("field %s: %w", a.Field, err)
		}
	}
	if (v.IsNull() || v.IsAbsent()) && !declared.Nullable {
		return fmt.Errorf("field %s must hold a value", a.Field)
	}
	r.Values[column] = v
	return nil
}

// assignable finds the column of a field that may be set.
func (c *compiled) assignable(field string) (column int, path string, err error) {
	column, path, ok := c.table.field(field)
	if !ok {
		return 0, "", c.table.missing(field)
	}
	is := func(a at) bool { return a.column == column }
	if slices.ContainsFunc(c.keys, is) || slices.ContainsFunc(c.scope, is) {
		return 0, "", fmt.Errorf("column %s is of the record's key or scope, which a fix does not change", c.table.Columns[column].Name)
	}
	return column, path, nil
}
