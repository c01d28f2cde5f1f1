package sources

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Writer changes the records of a dataset one at a time, each only while it is
// exactly what it was when it was looked at. Only the reconciler writes, through
// a Fixer; all but Write read, and work with credentials that may not write.
// A kind of store without a Writer can only be put right by asking its service.
type Writer interface {
	// Preflight names what writing these fields, or deleting records where
	// deletes is set, would touch beyond the record itself. A dataset that cannot
	// be written at all (a query, a view) is an error.
	Preflight(ctx context.Context, d *Dataset, fields []string, deletes bool) ([]Hazard, error)
	// Look reads one record by its key and id as the dataset delivers them (no
	// canonical form), scope included. Nothing there is an Image that does not
	// exist, several are a *ManyError.
	Look(ctx context.Context, d *Dataset, key, id Key, how Looking) (*Image, error)
	// Become is what a record would hold after the store took the assignments,
	// converted and rounded as it does, and checked as far as reading can. It
	// writes nothing. A value that the store cannot take is an error of class final.
	Become(ctx context.Context, d *Dataset, before *Image, set []Assignment) (after *Image, err error)
	// Preview is the change as it would be sent, for people.
	Preview(d *Dataset, c *Change) (Preview, error)
	// Write makes a change: in one atomic step, on exactly one record, which still
	// holds c.Before, and only while the store's own clock is before until. nil is:
	// done and durable, and the store kept c.After. *NotWritten is: certainly
	// nothing was changed. After any other error nobody knows, until a Look that is
	// Settled, made when the store's clock is past until, says what the record holds.
	// It fires no retry and never overwrites by REPLACE or upsert.
	Write(ctx context.Context, d *Dataset, c *Change, until time.Time) error
}

// Looking says how a record is looked at.
type Looking struct {
	// Whole has the image hold all that the store keeps of the record, not only
	// the dataset's fields: what a deleted record is put back from.
	Whole bool
	// Settled waits until no write of ours that began earlier can still take
	// effect on the record but by its commit being known (a row lock, the file's
	// write lock). It may need credentials that may write.
	Settled bool
}

// Image is what a store holds of one record, type for type, so that it can be
// compared and put back exactly.
type Image struct {
	// Exists says whether there is a record at all; the rest, but for ReadAt, is of
	// one that does.
	Exists bool
	// Record is its canonical form, as Lookup delivers it for the dataset.
	Record Record
	// Native is the adapter's own form of the dataset's fields (all fields where
	// the look was Whole) and of what leads to the record: equal bytes exactly for
	// equal contents, type for type. Only the adapter that made it reads it.
	Native []byte
	// ReadAt is when it was looked for, by the store's own clock.
	ReadAt time.Time
}

// Assignment is one field and the value it is to have. A KindAbsent value
// removes the field where the store knows absent fields.
type Assignment struct {
	Field string
	Value Value
}

// Change turns one image of a record into another: an update where both exist, a
// delete where After does not, an insert where Before does not. Turned round it
// is its own undoing.
type Change struct {
	Key, ID       Key // as the dataset delivers them
	Before, After *Image
}

// Kind is update, delete or insert.
func (c *Change) Kind() ChangeKind {
	switch {
	case !c.Before.Exists:
		return Insert
	case !c.After.Exists:
		return Delete
	}
	return Update
}

// ChangeKind says what a change does to its record.
type ChangeKind string

// The kinds of change.
const (
	Update ChangeKind = "update"
	Delete ChangeKind = "delete"
	Insert ChangeKind = "insert"
)

// Preview is a change as it would be sent: a text with places for values, which
// whoever shows it masks.
type Preview struct {
	Text string
	Args []PreviewArg // in the order of their places
}

// PreviewArg is one value of a Preview.
type PreviewArg struct {
	Place string // how Text names it: $1, ?1
	Field string // the field it is of; "" for what is of no field, such as a time
	Value Value
}

// Hazard is something that a write would touch beyond the record it is about.
type Hazard struct {
	Kind HazardKind
	// What says in words what it is: trigger audit_prices (after update).
	What string
}

// HazardKind is a kind of Hazard, in the word by which a configuration allows it.
type HazardKind string

// The hazards.
const (
	HazardTriggers    HazardKind = "triggers"     // code of the store's own runs with the write
	HazardCascades    HazardKind = "cascades"     // other tables refer to what is written, and follow it
	HazardGenerated   HazardKind = "generated"    // columns are computed from what is written
	HazardPartitions  HazardKind = "partitions"   // the record may move to another partition
	HazardRowSecurity HazardKind = "row_security" // not every record can be seen or written
	HazardUnique      HazardKind = "unique"       // a unique key besides the check's covers what is written
	HazardNoKey       HazardKind = "no_key"       // no constraint keeps two records from sharing a key; a write on two is taken back
	HazardStandby     HazardKind = "standby"      // what is read may be late
)

// HazardKinds lists all kinds of hazard.
func HazardKinds() []HazardKind {
	return []HazardKind{HazardTriggers, HazardCascades, HazardGenerated, HazardPartitions, HazardRowSecurity, HazardUnique, HazardNoKey, HazardStandby}
}

// NotWritten says that a write certainly changed nothing, and why.
type NotWritten struct {
	// Stale: the record was no longer what it was when it was looked at. Late: the
	// store's clock was past the time until which it might be written. Neither: the
	// store refused it.
	Stale, Late bool
	Err         error
}

func (e *NotWritten) Error() string {
	switch {
	case e.Stale:
		return "nothing was written: the record is no longer what it was"
	case e.Late:
		return "nothing was written: the time for it was over"
	}
	return fmt.Sprintf("nothing was written: %v", e.Err)
}

func (e *NotWritten) Unwrap() error { return e.Err }

// ManyError says that a key and id, which should lead to one record, lead to several.
type ManyError struct{ In string }

func (e *ManyError) Error() string {
	return e.In + " has several records of this key: nobody can say which is meant"
}

// errNoWriter is why a kind of source cannot be written.
var errNoWriter = Final(errors.New("this kind of source cannot be written: let fixes ask the service (by: request)"))

func (r *Reader) writer() (Writer, error) {
	if w, ok := r.source.(Writer); ok {
		return w, nil
	}
	return nil, fmt.Errorf("source %s: %w", r.name, errNoWriter)
}

// Preflight names what a write would touch beyond its record; see Writer.
func (r *Reader) Preflight(ctx context.Context, d *Dataset, fields []string, deletes bool) (hazards []Hazard, err error) {
	w, err := r.writer()
	if err != nil {
		return nil, err
	}
	err = r.try(ctx, "preflight", "look what a write to "+d.Title()+" would touch", func(ctx context.Context) error {
		hazards, err = w.Preflight(ctx, d, fields, deletes)
		return err
	})
	return hazards, err
}

// Look reads one record as it can be put back; see Writer.
func (r *Reader) Look(ctx context.Context, d *Dataset, key, id Key, how Looking) (image *Image, err error) {
	w, err := r.writer()
	if err != nil {
		return nil, err
	}
	err = r.try(ctx, "look", "look at a record of "+d.Title(), func(ctx context.Context) error {
		image, err = w.Look(ctx, d, key, id, how)
		return err
	})
	return image, err
}

// Become is what a record would hold after the store took assignments; see Writer.
func (r *Reader) Become(ctx context.Context, d *Dataset, before *Image, set []Assignment) (after *Image, err error) {
	w, err := r.writer()
	if err != nil {
		return nil, err
	}
	err = r.try(ctx, "look", "see what a record of "+d.Title()+" would become", func(ctx context.Context) error {
		after, err = w.Become(ctx, d, before, set)
		return err
	})
	return after, err
}

// Preview is a change as it would be sent; see Writer.
func (r *Reader) Preview(d *Dataset, c *Change) (Preview, error) {
	w, err := r.writer()
	if err != nil {
		return Preview{}, err
	}
	p, err := w.Preview(d, c)
	if err != nil {
		return p, fmt.Errorf("source %s: write down a change of %s: %w", r.name, d.Title(), err)
	}
	return p, nil
}

// Fixer is a Reader of credentials that may write (fix_url). Only the reconciler
// opens one, for as long as it applies a plan.
type Fixer struct{ *Reader }

// NewFixer makes a Fixer of a source that was opened with Options.Writable.
func NewFixer(name string, source Source, limits Limits) *Fixer {
	return &Fixer{NewReader(name, source, limits, nil)}
}

// Write makes a change, once: it is never tried again here. See Writer for what
// its errors say.
func (f *Fixer) Write(ctx context.Context, d *Dataset, c *Change, until time.Time) error {
	w, err := f.writer()
	if err != nil {
		return &NotWritten{Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, f.limits.Statement)
	defer cancel()
	began := time.Now()
	err = contained(ctx, func(ctx context.Context) error { return w.Write(ctx, d, c, until) })
	f.asked("write", began, err)
	if err != nil {
		return fmt.Errorf("source %s: write a record of %s: %w", f.name, d.Title(), err)
	}
	return nil
}
