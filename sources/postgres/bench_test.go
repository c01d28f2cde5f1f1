package postgres

import (
	"sync"
	"testing"

	"plumbline/sources"
)

// benchmarkRows is how many rows each of the two databases of a benchmark holds.
const benchmarkRows = 500_000

// shops are two databases that hold the same products.
func shops(b *testing.B) []*source {
	b.Helper()
	out := make([]*source, 2)
	for i := range out {
		d := newDatabase(b, "")
		d.exec(`CREATE TABLE products (id bigint PRIMARY KEY, sku uuid NOT NULL, name text NOT NULL, price numeric(12,2), stock int,
			updated_at timestamptz, attrs jsonb)`)
		d.exec(`INSERT INTO products SELECT i, md5(i::text)::uuid, 'Product number ' || i || ' of the shop', (i * 37 % 1000000) / 100.0, i % 1000,
			'2024-01-01'::timestamptz + i * interval '7 seconds 123 microseconds', jsonb_build_object('color', 'red', 'weight', i % 50 / 10.0)
			FROM generate_series(1, $1::int) AS i`, benchmarkRows)
		d.exec("VACUUM ANALYZE products")
		out[i] = d.open()
	}
	return out
}

func products() *sources.Dataset {
	return &sources.Dataset{Name: "products", Key: []string{"id"}, Fields: []string{"sku", "name", "price", "stock", "updated_at"}}
}

// drain reads a dataset to its end and returns how many bytes and records came.
func drain(b *testing.B, s *source, d *sources.Dataset, raw bool) (bytes, records int) {
	r := sources.ScanRequest{Limit: sources.Limit{Records: 20_000, Bytes: 8 << 20}, Raw: raw}
	for {
		page, err := s.Scan(b.Context(), d, r)
		if err != nil {
			b.Error(err)
			return bytes, records
		}
		bytes, records = bytes+page.Size, records+page.Len()
		if page.Done {
			return bytes, records
		}
		r.After = page.Next
	}
}

// BenchmarkScanRaw reads two databases at once, in undecoded pages.
func BenchmarkScanRaw(b *testing.B) { benchmarkScan(b, true, 2) }

// BenchmarkScanDecoded reads one database in decoded pages.
func BenchmarkScanDecoded(b *testing.B) { benchmarkScan(b, false, 1) }

func benchmarkScan(b *testing.B, raw bool, sides int) {
	all := shops(b)[:sides]
	d := products()
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		var both sync.WaitGroup
		for _, s := range all {
			both.Go(func() {
				if bytes, records := drain(b, s, d, raw); records != benchmarkRows {
					b.Errorf("%d records of %d bytes", records, bytes)
				}
			})
		}
		both.Wait()
	}
	b.ReportMetric(float64(b.N*sides*benchmarkRows)/b.Elapsed().Seconds(), "records/s")
}
