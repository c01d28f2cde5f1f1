package mongodb

import (
	"errors"
	"fmt"
	"testing"

	"plumbline/sources"
)

const plenty = 64 << 20

// scanned reads a span to its end in pages of some records.
func scanned(t testing.TB, s sources.Source, d *sources.Dataset, span sources.Span, records int) (all []sources.Record) {
	t.Helper()
	r := sources.ScanRequest{Span: span, Limit: sources.Limit{Records: records, Bytes: plenty}}
	return scannedAs(t, s, d, r)
}

func scannedAs(t testing.TB, s sources.Source, d *sources.Dataset, r sources.ScanRequest) (all []sources.Record) {
	t.Helper()
	for range 100_000 {
		page, err := s.(sources.Scanner).Scan(t.Context(), d, r)
		if err != nil {
			t.Fatalf("scan %s: %v", d.Title(), err)
		}
		all = append(all, page.Records...)
		if page.Done {
			return all
		}
		r.After = page.Next
	}
	t.Fatalf("the scan of %s has no end", d.Title())
	return nil
}

// looked reads every page of a lookup.
func looked(t testing.TB, s sources.Source, d *sources.Dataset, keys []sources.Key, records int) (all []sources.Record) {
	t.Helper()
	var after sources.Position
	for range 100_000 {
		page, err := s.Lookup(t.Context(), d, keys, after, sources.Limit{Records: records, Bytes: plenty})
		if err != nil {
			t.Fatalf("look up in %s: %v", d.Title(), err)
		}
		all = append(all, page.Records...)
		if page.Done {
			return all
		}
		after = page.Next
	}
	t.Fatalf("the lookup in %s has no end", d.Title())
	return nil
}

// line writes a record for comparison: key|id|fields, then what is said of it.
func line(r sources.Record) string {
	text := fmt.Sprintf("%s|%s|", r.Key, r.ID)
	for i, v := range r.Fields {
		if i > 0 {
			text += ","
		}
		text += v.String()
	}
	for word, holds := range map[string]bool{" out": r.OutOfScope, " unreadable": r.Unreadable != ""} {
		if holds {
			text += word
		}
	}
	if r.Deleted {
		text += " deleted"
	}
	return text
}

func lines(records []sources.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = line(r)
	}
	return out
}

// same compares lines, in order.
func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("%s: record %d is\n  %s, not\n  %s", what, i, g, w)
		}
	}
}

func ints(all ...int64) (keys []sources.Key) {
	for _, i := range all {
		keys = append(keys, sources.Key{sources.Int(i)})
	}
	return keys
}

// final demands a final error, and returns its text.
func final(t testing.TB, err error) string {
	t.Helper()
	var classed *sources.ReadError
	if !errors.As(err, &classed) || classed.Failure != sources.FailureFinal {
		t.Fatalf("%v is no final error", err)
	}
	return err.Error()
}
