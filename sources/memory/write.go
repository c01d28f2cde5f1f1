package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline/sources"
)

// SetClock sets the clock by which the store says when it was read and until when
// it may be written; time.Now where it was not set.
func (s *Store) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = now
}

// now reads the store's clock; the caller holds mu.
func (s *Store) now() time.Time {
	if s.clock == nil {
		return time.Now()
	}
	return s.clock()
}

// reserve waits until nobody else changes the store. Whoever reserves releases.
func (s *Store) reserve(ctx context.Context) error {
	select {
	case s.changing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) release() { <-s.changing }

// Preflight implements sources.Writer: it names what the table says of itself,
// and its unique columns where they are others than the dataset's key and id.
func (s *source) Preflight(ctx context.Context, d *sources.Dataset, fields []string, _ bool) (hazards []sources.Hazard, err error) {
	err = s.read(ctx, "preflight", d, func(c *compiled, _ *fate) error {
		hazards = slices.Clone(c.table.Hazards)
		by := slices.Concat(d.Key, d.ID)
		for _, field := range fields {
			column, _, err := c.assignable(field)
			if err != nil {
				return sources.Final(err)
			}
			if name := c.table.Columns[column].Name; slices.Contains(c.table.Unique, name) {
				hazards = append(hazards, sources.Hazard{Kind: sources.HazardUnique, What: "the unique columns of " + c.table.Name + " have " + name})
			}
		}
		if len(c.table.Unique) == 0 || slices.ContainsFunc(c.table.Unique, func(name string) bool { return !slices.Contains(by, name) }) {
			return sources.Final(fmt.Errorf("nothing keeps two records of %s from sharing %s", d.Title(), strings.Join(by, ", ")))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return hazards, nil
}

// Preview implements sources.Writer.
func (s *source) Preview(d *sources.Dataset, change *sources.Change) (sources.Preview, error) {
	p := sources.Preview{Text: string(change.Kind()) + " " + d.Name}
	list := func(word string, image *sources.Image) error {
		n, err := decodeNative(image.Native)
		if err != nil {
			return err
		}
		for i, name := range n.names {
			place := fmt.Sprintf("?%d", len(p.Args)+1)
			p.Args = append(p.Args, sources.PreviewArg{Place: place, Field: name, Value: n.values[i]})
			p.Text += " " + word + " " + name + " = " + place
			word = "and"
		}
		return nil
	}
	if change.After.Exists {
		if err := list("so that", change.After); err != nil {
			return sources.Preview{}, err
		}
	}
	if change.Before.Exists {
		if err := list("where", change.Before); err != nil {
			return sources.Preview{}, err
		}
	}
	return p, nil
}

// Write implements sources.Writer. A fault with an error befalls it before
// anything is changed, or, where After is more than 0, once the change is made;
// one with Freeze stops it between its last look at the record and the change.
func (s *source) Write(ctx context.Context, d *sources.Dataset, change *sources.Change, until time.Time) error {
	if !s.config.Writable {
		return &sources.NotWritten{Err: sources.Final(errors.New("the source was opened to read, not to write"))}
	}
	select {
	case s.connections <- struct{}{}:
	case <-ctx.Done():
		return &sources.NotWritten{Err: ctx.Err()}
	}
	defer func() { <-s.connections }()
	f := s.fate(ctx, "write", d)
	if err := f.begin(ctx); err != nil {
		return err
	}
	late, err := s.reserveUntil(ctx, until)
	if err != nil || late {
		return &sources.NotWritten{Late: late, Err: err}
	}
	defer s.store.release()
	made, err := s.prepare(d, change, until)
	if err != nil {
		return err
	}
	if f.fault != nil && f.fault.Freeze != nil {
		<-f.fault.Freeze // whoever is frozen does not hear that his context ended
	}
	s.store.mu.Lock()
	made()
	s.store.mu.Unlock()
	if f.fault != nil {
		return f.fault.Err
	}
	return nil
}

// reserveUntil waits for whoever changes the store, no longer than the store's
// clock is before until.
func (s *source) reserveUntil(ctx context.Context, until time.Time) (late bool, err error) {
	s.store.mu.RLock()
	left := until.Sub(s.store.now())
	s.store.mu.RUnlock()
	waiting, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	err = s.store.reserve(waiting)
	if err != nil && ctx.Err() == nil {
		return true, nil
	}
	return false, err
}

// prepare looks whether the change may be made and returns what makes it. Nobody
// else changes the store until it is made.
func (s *source) prepare(d *sources.Dataset, change *sources.Change, until time.Time) (made func(), err error) {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	refuse := func(err error) (func(), error) { return nil, &sources.NotWritten{Err: sources.Final(err)} }
	c, err := s.compile(d)
	if err != nil {
		return refuse(err)
	}
	var before, after *native
	for _, side := range []struct {
		image *sources.Image
		into  **native
	}{{change.Before, &before}, {change.After, &after}} {
		if side.image.Exists {
			if *side.into, err = decodeNative(side.image.Native); err != nil {
				return refuse(err)
			}
		}
	}
	switch {
	case before == nil && after == nil:
		return refuse(errors.New("nothing becomes of nothing"))
	case before == nil && !after.whole:
		return refuse(errors.New("only a whole record can be put back"))
	}
	whole := before != nil && before.whole || before == nil
	now, r, err := s.look(c, change.Key, change.ID, whole)
	var many *sources.ManyError
	switch {
	case errors.As(err, &many):
		return nil, &sources.NotWritten{Stale: true, Err: err}
	case err != nil:
		return refuse(err)
	case now.Exists != change.Before.Exists || now.Exists && string(now.Native) != string(change.Before.Native):
		return nil, &sources.NotWritten{Stale: true}
	case !now.ReadAt.Before(until):
		return nil, &sources.NotWritten{Late: true}
	case after == nil:
		return func() { c.table.replace(r, nil) }, nil
	}
	values := make([]sources.Value, len(c.table.Columns))
	if r != nil {
		copy(values, r.Values)
	}
	for i, name := range after.names {
		values[c.table.columns[name]] = after.values[i]
	}
	with := &row{Row: Row{Values: values, Unreadable: after.unreadable}}
	for _, v := range values {
		with.size += size(v)
	}
	key, ok := c.table.identity(values)
	if other := c.table.unique[key]; ok && other != nil && other != r {
		return refuse(errors.New("another row has these unique columns"))
	}
	return func() { c.table.replace(r, with) }, nil
}

// replace puts a row in another's place; nil is none. The caller holds the store's lock.
func (t *table) replace(was, is *row) {
	t.version++
	if was != nil {
		if key, ok := t.identity(was.Values); ok {
			delete(t.unique, key)
		}
	}
	if is != nil {
		is.serial = t.version
		if key, ok := t.identity(is.Values); ok {
			t.unique[key] = is
		}
	}
	switch at := slices.Index(t.rows, was); {
	case was == nil:
		t.rows = append(t.rows, is)
	case is == nil:
		t.rows = slices.Delete(t.rows, at, at+1)
	default:
		t.rows[at] = is
	}
}

// within is a document with the value at a dotted path set; an absent value takes
// the member out.
func within(document sources.Value, path string, v sources.Value) (sources.Value, error) {
	if path == "" {
		return v, nil
	}
	if document.Kind() != sources.KindDocument && !document.IsAbsent() {
		return document, fmt.Errorf("%s is within a %s", path, document.Kind())
	}
	name, rest, _ := strings.Cut(path, ".")
	var fields []sources.Field
	member := sources.Value{}
	for _, f := range document.Fields() {
		if f.Name == name {
			member = f.Value
		} else {
			fields = append(fields, f)
		}
	}
	member, err := within(member, rest, v)
	if err != nil {
		return document, err
	}
	if !member.IsAbsent() {
		fields = append(fields, sources.Field{Name: name, Value: member})
	}
	return sources.DocumentOf(fields)
}
