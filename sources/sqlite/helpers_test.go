package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"plumbline/sources"
	"plumbline/sources/sqlite"
)

// store is a database file, a connection that writes it and a source that reads it.
type store struct {
	file   string
	db     *sql.DB
	source sources.Source
}

func newStore(t *testing.T, statements ...string) *store {
	t.Helper()
	s := &store{file: filepath.Join(t.TempDir(), "store.db")}
	s.db = create(t, s.file)
	for _, statement := range append([]string{"PRAGMA journal_mode=WAL"}, statements...) {
		run(t, s.db, statement)
	}
	s.source = open(t, sources.Options{Name: "store", URL: fileURL(s.file)})
	return s
}

func open(t testing.TB, o sources.Options) sources.Source {
	t.Helper()
	src, err := sqlite.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

func (s *store) scan(ctx context.Context, d *sources.Dataset, r sources.ScanRequest) (sources.Page, error) {
	return s.source.(sources.Scanner).Scan(ctx, d, r)
}

// scanAll reads a span to its end in pages of n records.
func (s *store) scanAll(t *testing.T, d *sources.Dataset, span sources.Span, n int) []sources.Record {
	t.Helper()
	records := []sources.Record{}
	for range 100_000 {
		page, err := s.scan(t.Context(), d, sources.ScanRequest{Span: span, Limit: sources.Limit{Records: n, Bytes: 8 << 20}})
		if err != nil {
			t.Fatalf("scan after %v: %v", span.After, err)
		}
		records = append(records, page.Records...)
		if page.Done {
			return records
		}
		span.After = page.Next
	}
	t.Fatal("the scan has no end")
	return nil
}

func (s *store) lookup(t *testing.T, d *sources.Dataset, keys ...sources.Key) []sources.Record {
	t.Helper()
	page, err := s.source.Lookup(t.Context(), d, keys, nil, sources.Limit{Records: 1000, Bytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if !page.Done {
		t.Fatal("the lookup has more pages than expected")
	}
	return page.Records
}

func (s *store) describe(t *testing.T, d *sources.Dataset) sources.Description {
	t.Helper()
	desc, err := s.source.(sources.Describer).Describe(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

// keys writes the keys of records, sorted, kind and value.
func keys(records []sources.Record) []string {
	var all []string
	for _, r := range records {
		text := ""
		for i, v := range r.Key {
			if i > 0 {
				text += ","
			}
			text += v.Kind().String() + " " + v.String()
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

// series is a FROM clause of integers named value.
func series(from, to int) string {
	return fmt.Sprintf(" FROM (WITH RECURSIVE s(value) AS (SELECT %d UNION ALL SELECT value + 1 FROM s WHERE value < %d) SELECT value FROM s)", from, to)
}
