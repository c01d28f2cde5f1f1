package mysql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// Keys that differ behind their first kilobyte alone are sorted by the server
// where no index does, and none is lost between two pages.
func TestLongKeysAreSortedToTheirEnd(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	for table, typ := range map[string]string{"texts": "varchar(700) COLLATE utf8mb4_bin", "words": "varchar(700) COLLATE utf8mb4_unicode_ci", "octets": "varbinary(3000)"} {
		length := 690
		if table == "octets" {
			length = 2900
		}
		d.exec("CREATE TABLE " + table + " (n int, k " + typ + " NOT NULL, PRIMARY KEY (n, k))")
		var values []string
		for n := range 200 {
			values = append(values, fmt.Sprintf("(%d, '%s%03d')", n, strings.Repeat("x", length), n*7919%200))
		}
		d.exec("INSERT INTO " + table + " VALUES " + strings.Join(values, ", "))
		seen := map[string]bool{}
		for _, r := range all(t, s, &sources.Dataset{Name: table, Key: []string{"k", "n"}}, 10) {
			seen[r.Key.String()] = true
		}
		if len(seen) != 200 {
			t.Errorf("%s: %d keys of 200", typ, len(seen))
		}
	}
}

// A list that a query makes of many rows is read to its end.
func TestListsOfAQueryAreWhole(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	d.exec("CREATE TABLE parts (k int, n int, v longtext)")
	d.exec("INSERT INTO parts VALUES (1, 1, REPEAT('a', 900000)), (1, 2, REPEAT('b', 900000))")
	ds := &sources.Dataset{Query: "SELECT k, GROUP_CONCAT(v ORDER BY n) AS v FROM parts GROUP BY k", Key: []string{"k"}, Fields: []string{"v"}}
	found := find(t, s, ds, sources.Int(1))
	if len(found) != 1 || len(found[0].Fields[0].AsText()) != 1_800_001 {
		t.Errorf("%d records, the first with a list of %d bytes", len(found), len(found[0].Fields[0].AsText()))
	}
}

// What was never committed is not read, whatever isolation the server gives those
// who ask for none.
func TestNothingUncommittedIsRead(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec("CREATE TABLE prices (k int PRIMARY KEY, v int) ENGINE=InnoDB")
	d.exec("INSERT INTO prices VALUES (1, 1)")
	s := d.open(sources.Options{Connections: 1})
	c, err := s.pool.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exec(t.Context(), "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"); err != nil {
		t.Fatal(err)
	}
	err = c.begin(t.Context()) // as with a server of that default
	s.pool.release(c)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := d.sql.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE prices SET v = 2"); err != nil {
		t.Fatal(err)
	}
	found := find(t, s, &sources.Dataset{Name: "prices", Key: []string{"k"}, Fields: []string{"v"}}, sources.Int(1))
	if len(found) != 1 || found[0].Fields[0].AsInt() != 1 {
		t.Errorf("%v is read", found)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// spans counts the keys behind a bound, and those up to it.
func spans(t *testing.T, s *source, d *sources.Dataset, bound sources.Value) (behind, upTo int) {
	t.Helper()
	at := sources.Position{bound}
	var counts [2]int
	for i, span := range []sources.Span{{After: at}, {UpTo: at}} {
		page, err := s.Scan(t.Context(), d, sources.ScanRequest{Span: span})
		if err != nil {
			t.Fatalf("%s %s: %v", bound.Kind(), bound, err)
		}
		counts[i] = page.Len()
	}
	return counts[0], counts[1]
}

// A bound that a column cannot hold lies between those that it can: it is never
// rounded to one of them.
func TestABoundThatAColumnCannotHoldLiesBetweenThoseItCan(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, typ := range []string{"datetime", "datetime(3)", "timestamp"} {
		table := fmt.Sprintf("moments%d", i)
		d.exec("CREATE TABLE " + table + " (k " + typ + " PRIMARY KEY)")
		d.exec("INSERT INTO " + table + " VALUES ('2024-01-01 00:00:00'), ('2024-01-01 00:00:01'), ('2024-01-01 00:00:02')")
		for _, micros := range []int{400_000, 500_000, 999_600, 999_999} {
			bound := sources.NaiveTime(at.Add(time.Duration(micros)*time.Microsecond), 6)
			if typ == "timestamp" {
				bound = sources.Time(bound.AsTime(), 6)
			}
			if behind, upTo := spans(t, s, &sources.Dataset{Name: table, Key: []string{"k"}}, bound); behind != 2 || upTo != 1 {
				t.Errorf("%s: %d keys are behind %s and %d up to it", typ, behind, bound, upTo)
			}
		}
	}
	for i, typ := range []string{"int", "tinyint unsigned", "bigint unsigned", "bigint", "decimal(10,2)", "bit(10)"} {
		table := fmt.Sprintf("numbers%d", i)
		d.exec("CREATE TABLE " + table + " (k " + typ + " PRIMARY KEY)")
		d.exec("INSERT INTO " + table + " VALUES (1), (2), (3)")
		for text, want := range map[string]int{"1.5": 2, "1.499": 2, "2.999": 1, "2": 1, "-5": 3, "-0.5": 3, "300": 0, "18446744073709551615": 0, "18446744073709551616": 0,
			"-9223372036854775808": 3, "99999999999999999999999999999999999999999": 0} {
			bound, err := sources.ParseDecimal(text)
			if err != nil {
				t.Fatal(err)
			}
			if behind, upTo := spans(t, s, &sources.Dataset{Name: table, Key: []string{"k"}}, bound); behind != want || upTo != 3-want {
				t.Errorf("%s: %d keys are behind %s and %d up to it", typ, behind, bound, upTo)
			}
		}
	}
}

// Only where a column can be compared with every text of another store is its
// order said to be one that the other may have.
func TestAnExactOrderTakesBoundsOfAnyText(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	keys := []string{"!", "A", "b", "z"}
	exact := 0
	for i, typ := range []string{"varchar(20) CHARACTER SET ascii COLLATE ascii_nopad_bin", "varchar(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_nopad_bin",
		"varchar(20) COLLATE utf8mb4_nopad_bin", "varbinary(20)"} {
		table := fmt.Sprintf("texts%d", i)
		d.exec("CREATE TABLE " + table + " (k " + typ + " PRIMARY KEY)")
		d.exec("INSERT INTO " + table + " VALUES ('" + strings.Join(keys, "'), ('") + "')")
		ds := &sources.Dataset{Name: table, Key: []string{"k"}}
		desc, err := s.Describe(t.Context(), ds)
		if err != nil {
			t.Fatal(err)
		}
		if desc.Order != sources.OrderExact {
			continue
		}
		exact++
		for _, text := range []string{"😀", "é", "A😀", "A\uffff", "", "?"} {
			bound, want := sources.Text(text), 0
			if desc.Types["k"].Kind == sources.KindBytes {
				bound = sources.Bytes([]byte(text))
			}
			for _, key := range keys {
				if key > text {
					want++
				}
			}
			if behind, upTo := spans(t, s, ds, bound); behind != want || upTo != len(keys)-want {
				t.Errorf("%s: %d keys are behind %q and %d up to it", typ, behind, text, upTo)
			}
		}
	}
	if exact != 2 {
		t.Errorf("%d of the columns have an exact order", exact)
	}
}

// A number inside a document is in scope by all its digits, not by the float next to it.
func TestANumberInADocumentIsInScopeByAllItsDigits(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	d.exec("CREATE TABLE tenants (k int PRIMARY KEY, doc json)")
	d.exec(`INSERT INTO tenants VALUES (1, '{"t": 9007199254740993}'), (2, '{"t": 9007199254740992}'), (3, '{"t": 7}'), (4, '{"t": 7.0}'), (5, '{"t": "7"}'), (6, '{"t": 0.5}'), (7, '{"t": 12345678901234567}')`)
	half, err := sources.ParseDecimal("0.50")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		value sources.Value
		want  string
	}{{sources.Int(9007199254740993), "1"}, {sources.Int(9007199254740992), "2"}, {sources.Int(7), "3 4"}, {half, "6"}, {sources.Int(12345678901234568), ""}, {sources.Text("7"), "5"}} {
		var got []string
		ds := &sources.Dataset{Name: "tenants", Key: []string{"k"}, Scope: []sources.Condition{{Field: "doc.t", Value: test.value}}}
		for _, r := range all(t, s, ds, 10) {
			got = append(got, r.Key.String())
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v are in scope, not %s", test.value, got, test.want)
		}
	}
}
