package mysql

import (
	"context"
	"database/sql/driver"
	"io"
	"testing"

	"plumbline/sources"
)

// benchmarkRows is how many rows the table of a benchmark holds.
const benchmarkRows = 200_000

func shop(b *testing.B) *source {
	b.Helper()
	d := newDatabase(b)
	d.exec("CREATE TABLE digits (n int PRIMARY KEY)")
	d.exec("INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
	d.exec(`CREATE TABLE products (id bigint PRIMARY KEY, sku binary(16) NOT NULL, name varchar(200) NOT NULL, price decimal(12,2), stock int,
		updated_at datetime(6))`)
	d.exec(`INSERT INTO products SELECT i, UNHEX(MD5(i)), CONCAT('Product number ', i, ' of the shop'), (i * 37 % 1000000) / 100.0, i % 1000,
		'2024-01-01' + INTERVAL i * 7 SECOND + INTERVAL i MICROSECOND
		FROM (SELECT 1 + a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n + 100000 * f.n AS i
			FROM digits a, digits b, digits c, digits d, digits e, digits f WHERE f.n < 2) AS numbers`)
	d.exec("ANALYZE TABLE products")
	return d.open(sources.Options{})
}

func products() *sources.Dataset {
	return &sources.Dataset{Name: "products", Key: []string{"id"}, Fields: []string{"sku", "name", "price", "stock", "updated_at"}}
}

// BenchmarkScanRaw reads a table in undecoded pages.
func BenchmarkScanRaw(b *testing.B) { benchmarkScan(b, true) }

// BenchmarkScanDecoded reads a table in decoded pages.
func BenchmarkScanDecoded(b *testing.B) { benchmarkScan(b, false) }

func benchmarkScan(b *testing.B, raw bool) {
	s, d := shop(b), products()
	b.ReportAllocs()
	for b.Loop() {
		r := sources.ScanRequest{Limit: sources.Limit{Records: 10_000, Bytes: 4 << 20}, Raw: raw}
		records := 0
		for {
			page, err := s.Scan(b.Context(), d, r)
			if err != nil {
				b.Fatal(err)
			}
			records += page.Len()
			if page.Done {
				break
			}
			r.After = page.Next
		}
		if records != benchmarkRows {
			b.Fatalf("%d records", records)
		}
	}
	b.ReportMetric(float64(b.N*benchmarkRows)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkDrain takes the rows of one statement from the driver and drops them:
// what the server and the driver cost without us.
func BenchmarkDrain(b *testing.B) {
	s := shop(b)
	b.ReportAllocs()
	for b.Loop() {
		if records := drain(b, s); records != benchmarkRows {
			b.Fatalf("%d records", records)
		}
	}
	b.ReportMetric(float64(b.N*benchmarkRows)/b.Elapsed().Seconds(), "records/s")
}

func drain(b *testing.B, s *source) (records int) {
	b.Helper()
	c, err := s.pool.acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer s.pool.release(c)
	rows, err := c.dc.(driver.QueryerContext).QueryContext(context.Background(), "SELECT id, sku, name, price, stock, updated_at FROM products ORDER BY id", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(values); err {
		case nil:
			records++
		case io.EOF:
			return records
		default:
			b.Fatal(err)
		}
	}
}
