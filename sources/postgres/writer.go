package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumbline/sources"
)

var errNotWritable = errors.New("the source was opened without leave to write")

// errNoRow says that a change found no row to make it of.
var errNoRow = errors.New("the record is not there as it was, or its time is over")

// Write makes a change in a transaction of its own. Where it found no row, a look
// afterwards tells why.
func (s *source) Write(ctx context.Context, d *sources.Dataset, c *sources.Change, until time.Time) error {
	if !s.writable {
		return &sources.NotWritten{Err: sources.Final(errNotWritable)}
	}
	p, err := s.planFor(ctx, d)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	err = s.write(ctx, p, c, until)
	switch {
	case errors.Is(err, errChanged):
		s.forget(d)
		return &sources.NotWritten{Stale: true, Err: err}
	case errors.Is(err, errNoRow):
		return s.whyNoRow(ctx, p, c, until)
	}
	return s.failed(p, err)
}

func (s *source) write(ctx context.Context, p *plan, c *sources.Change, until time.Time) error {
	l, err := p.layoutFor(ctx, s, c.Kind() != sources.Update)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	composed, err := p.composeChange(l, c, until)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	look, err := p.lookAt(c.Key, c.ID, composed.imaged)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	connection, err := s.pool.acquire(ctx)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	defer s.pool.release(connection)
	return connection.change(ctx, &transaction{
		begin:     p.recordLock(c.Key, c.ID),
		statement: composed.statement,
		judge:     func(res *result) error { return p.judge(res, composed) },
		look:      look,
		kept:      func(res *result) error { return p.kept(res, c, composed) },
		until:     until,
	})
}

// judge says why what a change returned is not what it was to do.
func (p *plan) judge(res *result, c *change) error {
	switch {
	case len(res.ends) == 0:
		return errNoRow
	case len(res.ends) > 1:
		return sources.Final(&sources.ManyError{In: p.title()})
	case len(res.big) > 0:
		return sources.Final(fmt.Errorf("the record is larger than %d MiB", sources.MaxRecordSize>>20))
	}
	image, err := p.image(res.data, c.imaged)
	if err != nil {
		return err
	}
	if string(image.Native) != string(c.becomes.encode()) {
		return errMadeOther()
	}
	return nil
}

// kept says why what the record holds at the end is not what it was to become:
// code of the table's own may have come after the change.
func (p *plan) kept(res *result, c *sources.Change, composed *change) error {
	image, err := p.found(res, c.Key, c.ID, composed.imaged)
	if err != nil {
		return err
	}
	if image.Exists != c.After.Exists || image.Exists && string(image.Native) != string(composed.becomes.encode()) {
		return errMadeOther()
	}
	return nil
}

func errMadeOther() error {
	return sources.Final(errors.New("the server made something else of the record than was shown (a trigger or rule of the table changes what is written)"))
}

// whyNoRow looks at the record to tell one that changed from one whose time was over.
func (s *source) whyNoRow(ctx context.Context, p *plan, c *sources.Change, until time.Time) error {
	before, err := decodeNative(c.Before)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	whole := c.Kind() != sources.Update
	now, err := s.look(ctx, p, c.Key, c.ID, sources.Looking{Whole: whole})
	switch {
	case err != nil:
		return &sources.NotWritten{Err: fmt.Errorf("%w; look why: %w", errNoRow, err)}
	case now.Exists != c.Before.Exists || now.Exists && !p.holds(now, before):
		return &sources.NotWritten{Stale: true, Err: errNoRow}
	case !now.ReadAt.Before(until):
		return &sources.NotWritten{Late: true, Err: errNoRow}
	}
	return &sources.NotWritten{Err: sources.Final(errors.New("the server did not take it, though the record is as it was (a trigger or rule of the table)"))}
}

// holds says whether an image has all columns of another, with the same texts.
func (p *plan) holds(image *sources.Image, was *native) bool {
	now, err := decodeNative(image)
	if err != nil || now == nil || now.table != was.table || now.outOfScope != was.outOfScope || now.deleted != was.deleted {
		return false
	}
	for _, held := range was.columns {
		if c := now.column(held.name); c == nil || *c != held {
			return false
		}
	}
	return true
}

// remembered is what is known of a dataset without asking the server, or, where
// nothing is, what it says within a moment.
func (s *source) remembered(d *sources.Dataset) (*plan, *layout, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	p, err := s.planFor(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	l, err := p.layoutFor(ctx, s, false)
	return p, l, err
}
