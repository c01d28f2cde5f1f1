package sqlite_test

import (
	"path/filepath"
	"testing"

	"plumbline/sources"
)

const benchRows = 200_000

func benchStore(b *testing.B) (*sources.Dataset, sources.Source) {
	file := filepath.Join(b.TempDir(), "bench.db")
	db := create(b, file)
	run(b, db, "CREATE TABLE t (k INTEGER PRIMARY KEY, name TEXT, price REAL, state INT, updated DATETIME)")
	run(b, db, "INSERT INTO t SELECT value, 'product number ' || value, value * 0.25, value % 7, '2024-01-01 10:00:00'"+series(1, benchRows))
	src := open(b, sources.Options{URL: fileURL(file)})
	return &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"name", "price", "state", "updated"}}, src
}

// BenchmarkScan reads 200,000 rows of five columns in pages of 20,000.
func BenchmarkScan(b *testing.B) {
	d, src := benchStore(b)
	for b.Loop() {
		n, r := 0, sources.ScanRequest{Limit: sources.Limit{Records: 20_000, Bytes: 8 << 20}}
		for {
			page, err := src.(sources.Scanner).Scan(b.Context(), d, r)
			if err != nil {
				b.Fatal(err)
			}
			if n += page.Len(); page.Done {
				break
			}
			r.After = page.Next
		}
		if n != benchRows {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkLookup looks 1,000 keys up at a time.
func BenchmarkLookup(b *testing.B) {
	d, src := benchStore(b)
	var keys []sources.Key
	for i := range int64(1000) {
		keys = append(keys, sources.Key{sources.Int((i*7919)%benchRows + 1)})
	}
	for b.Loop() {
		page, err := src.Lookup(b.Context(), d, keys, nil, sources.Limit{Records: 2000, Bytes: 8 << 20})
		if err != nil || page.Len() != len(keys) {
			b.Fatal(page.Len(), err)
		}
	}
	b.ReportMetric(float64(len(keys))*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
