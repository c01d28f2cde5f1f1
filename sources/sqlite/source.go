// Package sqlite reads SQLite database files, while other programs write them.
//
// Files are opened read-only; one that is not there is an error and is never
// made. Each page is read in one short read transaction. Values arrive as they
// are stored, by storage class, refined by the declared type where that loses
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
	connector, err := sqlite.NewConnector(l.dsn())
	if err != nil {
		return nil, sources.Final(fmt.Errorf("source %s: the url cannot be used: %w", o.Name, err))
	}
	s := &source{options: o, location: l, db: sql.OpenDB(attaching{connector, l.attached}), datasets: map[*sources.Dataset]*compiled{}}
	s.db.SetMaxOpenConns(o.Connections)
	s.db.SetMaxIdleConns(o.Connections)
	return s, nil
}

type source struct {
	options  sources.Options
	location location
	db       *sql.DB

	mu       sync.Mutex
	datasets map[*sources.Dataset]*compiled
}

// Close implements sources.Source.
func (s *source) Close() error { return s.db.Close() }

// attaching opens connections with further files attached.
type attaching struct {
	driver.Connector
	files []attachment
}

func (a attaching) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := a.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range a.files {
		_, err := conn.(driver.ExecerContext).ExecContext(ctx, "ATTACH DATABASE "+quoteText(readOnly(f.path))+" AS "+quote(f.name), nil)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// reading is one read transaction.
type reading struct {
	ctx context.Context
	tx  *sql.Tx
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
	return s.explain(ctx, inner, s.transact(inner, do))
}

func (s *source) transact(ctx context.Context, do func(reading) error) (err error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() {
		if rolled := tx.Rollback(); err == nil && !errors.Is(rolled, sql.ErrTxDone) {
			err = rolled
		}
	}()
	return do(reading{ctx, tx})
}

// maxDatasets bounds how many datasets are remembered: one that is forgotten is
// compiled anew. A service opens its checks again and again.
const maxDatasets = 1000

// readDataset is read with the dataset compiled. A schema that changed since is
// looked at once more.
func (s *source) readDataset(ctx context.Context, d *sources.Dataset, do func(reading, *compiled) error) error {
	return s.read(ctx, func(r reading) error {
		s.mu.Lock()
		c := s.datasets[d]
		s.mu.Unlock()
		if c != nil {
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
		if len(s.datasets) >= maxDatasets {
			clear(s.datasets)
		}
		s.datasets[d] = c
		s.mu.Unlock()
		return do(r, c)
	})
}
