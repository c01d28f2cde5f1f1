// Package sqlite reads SQLite database files, while other programs write them,
// and puts single records of them right (writer.go).
//
// Files are opened read-only, and once more to be written where that is asked
// for; one that is not there is an error and is never made, and one that another
// took the place of is read no longer (opened.go).
// Each page is read in one short read transaction. Values arrive as they are
// stored, by storage class, refined by the declared type where that loses
// nothing (see value.go). The order of a scan is explained in order.go.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	sqlite "modernc.org/sqlite"

	"plumbline/sources"
)

// Open makes a source that reads the database file of o.URL.
func Open(o sources.Options) (sources.Source, error) {
	o = o.WithDefaults()
	l, err := parseURL(o.URL.Reveal())
	if err != nil {
		return nil, sources.Final(fmt.Errorf("source %s: %w", o.Name, err))
	}
	switch {
	case o.Writable && l.mode == "ro":
		return nil, sources.Final(fmt.Errorf("source %s: the url says mode=ro, and what is read-only cannot be put right: leave it out", o.Name))
	case !o.Writable && l.mode == "rw":
		return nil, sources.Final(fmt.Errorf("source %s: %w", o.Name, errMode))
	}
	s := &source{options: o, location: l, datasets: map[*sources.Dataset]*compiled{}}
	if s.connector, err = sqlite.NewConnector(l.dsn()); err == nil && o.Writable {
		s.writing, err = sqlite.NewConnector(l.writingDSN())
	}
	if err != nil {
		return nil, sources.Final(fmt.Errorf("source %s: the url cannot be used: %w", o.Name, err))
	}
	return s, nil
}

type source struct {
	options   sources.Options
	location  location
	connector driver.Connector
	writing   driver.Connector // nil unless the source may write

	mu       sync.Mutex
	present  *opened // nil until a read, and while the file is gone
	last     int64   // the number of the last opened
	closing  error   // of connections to files that were replaced
	closed   bool
	datasets map[*sources.Dataset]*compiled
	begun    beginnings
}

// Close implements sources.Source.
func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.retire()
	return s.closing
}

// reading is one transaction that reads.
type reading struct {
	ctx context.Context
	tx  interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
	file *opened
}

// query runs a statement. Its rows are to be read to their end or closed.
func (r reading) query(text string, args ...any) (*sql.Rows, error) {
	return r.tx.QueryContext(r.ctx, text, args...)
}

// each runs a statement and hands on each row, scanned into a slice that is
// used again. It stops where more is false.
func (r reading) each(text string, args []any, row func(values []any) (more bool, err error)) (err error) {
	rows, err := r.query(text, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for n := 1; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		more, err := row(values)
		if err != nil || !more {
			return err
		}
		if n%256 == 0 && r.ctx.Err() != nil { // a step between rows is short and is not interrupted
			return r.ctx.Err()
		}
	}
	return rows.Err()
}

// read runs do in a read transaction that ends with the statement timeout.
func (s *source) read(ctx context.Context, do func(reading) error) error {
	inner, cancel := context.WithTimeout(ctx, s.options.StatementTimeout)
	defer cancel()
	o, err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave(o)
	return s.explain(ctx, inner, o.transact(inner, do))
}

func (o *opened) transact(ctx context.Context, do func(reading) error) (err error) {
	tx, err := o.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() {
		if rolled := tx.Rollback(); err == nil && !errors.Is(rolled, sql.ErrTxDone) {
			err = rolled
		}
	}()
	return do(reading{ctx, tx, o})
}

// readDataset is read with the dataset compiled. A schema that changed since is
// looked at once more, and that of another file anew.
func (s *source) readDataset(ctx context.Context, d *sources.Dataset, do func(reading, *compiled) error) error {
	return s.read(ctx, func(r reading) error { return s.withCompiled(r, d, do) })
}

func (s *source) withCompiled(r reading, d *sources.Dataset, do func(reading, *compiled) error) error {
	s.mu.Lock()
	c := s.datasets[d]
	s.mu.Unlock()
	if c != nil && c.file == r.file.number {
		err := do(r, c)
		if err == nil || !outdated(err) {
			return err
		}
	}
	c, err := compile(r, d)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if len(s.datasets) >= maxDatasets { // whichever is forgotten is compiled anew
		clear(s.datasets)
	}
	s.datasets[d] = c
	s.mu.Unlock()
	return do(r, c)
}
