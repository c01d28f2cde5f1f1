package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"plumbline/sources"
)

// Write implements sources.Writer. It holds the file's write lock from before it
// looks at the record until it has committed, so that nobody can come between;
// and the statement says all the same which record it means, what that holds and
// until when. The record is looked at again before the commit: what SQLite, or a
// trigger, would have made of it otherwise than was agreed on is taken back.
func (s *source) Write(ctx context.Context, d *sources.Dataset, change *sources.Change, until time.Time) error {
	if !s.options.Writable {
		return &sources.NotWritten{Err: sources.Final(errors.New("the source was opened to read, not to write"))}
	}
	w, err := newWrite(d, change)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	if err := wellFormed(d, change.Key, change.ID); err != nil {
		return &sources.NotWritten{Err: err}
	}
	timed, cancel := context.WithTimeout(ctx, s.options.StatementTimeout)
	defer cancel()
	inner, cancel := context.WithDeadline(timed, until) // the store's clock is this computer's
	defer cancel()
	o, err := s.enter()
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	defer s.leave(o)
	certain, err := o.locked(inner, func(l locking) (bool, error) {
		if err := w.do(l, change, until); err != nil {
			return false, err
		}
		return true, s.inPlace(o)
	})
	var not *sources.NotWritten
	switch {
	case err == nil:
		return s.inPlace(o) // nobody will find what went into a file that was replaced
	case errors.As(err, &not):
		return err
	case !certain:
		return s.explain(ctx, timed, err)
	case ctx.Err() == nil && timed.Err() == nil && inner.Err() != nil:
		return &sources.NotWritten{Late: true}
	}
	return &sources.NotWritten{Err: s.explain(ctx, timed, refusal(err))}
}

// inPlace says whether the paths still lead to the files that are open.
func (s *source) inPlace(o *opened) error {
	files, absent, err := s.location.look()
	switch {
	case err != nil:
		return err
	case absent != "":
		return errGone(absent)
	case !sameFiles(files, o.files):
		return fmt.Errorf("the file was replaced while it was being written: %s is another one now", s.location.path)
	}
	return nil
}

// refusal is why SQLite refused a write. What a trigger says of it may hold
// anything, values too.
func refusal(err error) error {
	switch codeOf(err) {
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return sources.Final(errors.New("a trigger of the table refused it"))
	}
	if codeOf(err)&0xff == sqlite3.SQLITE_CONSTRAINT {
		return sources.Final(err)
	}
	return err
}

// write is a change of one row.
type write struct {
	dataset       *sources.Dataset
	kind          sources.ChangeKind
	before, after *native // nil where there is no row
	native        *native // whichever there is
}

// newWrite reads a change. An update is of two images of one shape; what is put
// back is a whole row.
func newWrite(d *sources.Dataset, change *sources.Change) (w *write, err error) {
	w = &write{dataset: d, kind: change.Kind()}
	if change.Before.Exists {
		if w.before, err = decodeNative(change.Before.Native); err != nil {
			return nil, err
		}
		w.native = w.before
	}
	if change.After.Exists {
		if w.after, err = decodeNative(change.After.Native); err != nil {
			return nil, err
		}
		w.native = w.after
	}
	switch {
	case w.native == nil:
		return nil, sources.Final(errors.New("nothing becomes of nothing"))
	case w.kind == sources.Insert && !w.after.whole:
		return nil, sources.Final(errors.New("only a whole record can be put back, and the image is not of all columns"))
	case w.kind == sources.Update:
		return w, w.sameShape()
	}
	return w, nil
}

var errShapes = sources.Final(errors.New("the two images are not of one record's columns"))

func (w *write) sameShape() error {
	a, b := w.before, w.after
	if a.from() != b.from() || a.keys != b.keys || len(a.cells) != len(b.cells) {
		return errShapes
	}
	changes := false
	for i := range a.cells {
		differs := !sameRaw(a.cells[i].raw, b.cells[i].raw)
		if a.cells[i].column != b.cells[i].column || i < a.keys && differs {
			return errShapes
		}
		changes = changes || differs && !a.cells[i].generated
	}
	if !changes {
		return sources.Final(errors.New("the record is to become what it is"))
	}
	return nil
}

// do makes the change within a transaction that has the write lock.
func (w *write) do(l locking, change *sources.Change, until time.Time) error {
	c, err := compile(l.reading, w.dataset)
	if err != nil {
		return err
	}
	if err := l.mayWrite(c.object.schema); err != nil {
		return err
	}
	now, err := w.lookFor(l, c, change)
	if err != nil {
		return err
	}
	if !same(now, change.Before) {
		return &sources.NotWritten{Stale: true}
	}
	if !now.ReadAt.Before(until) {
		return &sources.NotWritten{Late: true}
	}
	s := w.statement(until)
	n, err := l.exec(s.text, s.args...)
	if err != nil {
		return err
	}
	made, err := w.lookFor(l, c, change)
	switch {
	case err != nil:
		return err
	case !made.ReadAt.Before(until):
		return &sources.NotWritten{Late: true}
	case n != 1:
		return &sources.NotWritten{Err: sources.Final(fmt.Errorf("%d records would have changed, not one: a trigger may have prevented it", n))}
	case !same(made, change.After):
		return &sources.NotWritten{Err: sources.Final(errors.New("SQLite, or a trigger, would have made something else of the record"))}
	}
	return nil
}

// lookFor looks at the record. Several are no longer the one that was looked at.
func (w *write) lookFor(l locking, c *compiled, change *sources.Change) (*sources.Image, error) {
	image, err := c.look(l.reading, change.Key, change.ID, w.native.whole)
	var many *sources.ManyError
	if errors.As(err, &many) {
		return nil, &sources.NotWritten{Stale: true, Err: err}
	}
	return image, err
}

// same says whether two images are of the same, type for type.
func same(a, b *sources.Image) bool {
	return a.Exists == b.Exists && (!a.Exists || len(a.Native) > 0 && string(a.Native) == string(b.Native))
}

// Preview implements sources.Writer. What a column holds that is no field of the
// dataset is absent from it: nobody said how it may be shown.
func (s *source) Preview(d *sources.Dataset, change *sources.Change) (sources.Preview, error) {
	w, err := newWrite(d, change)
	if err != nil {
		return sources.Preview{}, err
	}
	p := w.statement(time.Time{})
	shown := map[string]string{}
	for _, name := range append(append(append(scopeNames(d), d.Fields...), d.ID...), d.Key...) {
		shown[foldASCII(name)] = name
	}
	preview := sources.Preview{Text: p.text}
	for i, arg := range p.args {
		one := sources.PreviewArg{Place: fmt.Sprintf("?%d", i+1), Field: p.columns[i]}
		switch name, ok := shown[foldASCII(one.Field)]; {
		case one.Field == "":
			one.Value = sources.Text("the time until which it may be written")
		case ok:
			one.Field, one.Value = name, stored(arg)
		}
		preview.Args = append(preview.Args, one)
	}
	return preview, nil
}

func scopeNames(d *sources.Dataset) (names []string) {
	for _, condition := range d.Scope {
		names = append(names, condition.Field)
	}
	return names
}

// statement is a statement being written.
type statement struct {
	text    string
	args    []any
	columns []string // of each arg, "" for the time
}

// place adds a value and returns how the text names it.
func (s *statement) place(column string, raw any) string {
	s.args, s.columns = append(s.args, raw), append(s.columns, column)
	return fmt.Sprintf("?%d", len(s.args))
}

// inTime says that the store's clock is before the time.
func (s *statement) inTime(until time.Time) string {
	return clock + " < " + s.place("", float64(until.UnixMilli())/1000)
}

// holds says that a row holds just this, type for type. The first cells, of the
// key, are compared as their index does as well.
func (s *statement) holds(cells []cell, keys int) string {
	var all []string
	for i, c := range cells {
		name := quote(c.column)
		switch raw := c.raw.(type) {
		case nil:
			all = append(all, name+" IS NULL")
		case int64:
			all = append(all, name+" IS "+s.place(c.column, raw), "typeof("+name+") = 'integer'")
		case float64:
			all = append(all, name+" IS "+s.place(c.column, raw), "typeof("+name+") = 'real'")
		case string:
			place := s.place(c.column, raw)
			if i < keys {
				all = append(all, name+" IS "+place)
			}
			all = append(all, name+" COLLATE BINARY IS "+place)
		default:
			all = append(all, name+" IS "+s.place(c.column, raw))
		}
	}
	return strings.Join(all, " AND ")
}

// statement is the one statement of the change. OR ABORT keeps a constraint from
// putting other rows out of the way, whatever it declares.
func (w *write) statement(until time.Time) *statement {
	s := &statement{}
	switch w.kind {
	case sources.Update:
		var set []string
		for i, c := range w.after.cells {
			if !c.generated && !sameRaw(c.raw, w.before.cells[i].raw) {
				set = append(set, quote(c.column)+" = "+s.place(c.column, c.raw))
			}
		}
		s.text = "UPDATE OR ABORT " + w.before.from() + " SET " + strings.Join(set, ", ")
	case sources.Delete:
		s.text = "DELETE FROM " + w.before.from()
	default:
		var names, values []string
		for _, c := range w.after.cells {
			if !c.generated {
				names, values = append(names, quote(c.column)), append(values, s.place(c.column, c.raw))
			}
		}
		s.text = "INSERT OR ABORT INTO " + w.after.from() + " (" + strings.Join(names, ", ") + ") SELECT " + strings.Join(values, ", ") + " WHERE " + s.inTime(until)
		return s
	}
	s.text += " WHERE " + s.holds(w.before.cells, w.before.keys) + " AND " + s.inTime(until)
	return s
}
