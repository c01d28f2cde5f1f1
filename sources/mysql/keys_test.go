package mysql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"plumbline/sources"
)

// all reads a dataset to its end in pages of so many records.
func all(t *testing.T, s *source, d *sources.Dataset, size int) (records []sources.Record) {
	t.Helper()
	r := sources.ScanRequest{Limit: sources.Limit{Records: size, Bytes: 1 << 20}}
	for range 10_000 {
		page, err := s.Scan(t.Context(), d, r)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, page.Records...)
		if page.Done {
			return records
		}
		r.After = page.Next
	}
	t.Fatal("the scan has no end")
	return nil
}

// find looks one key up.
func find(t *testing.T, s *source, d *sources.Dataset, key ...sources.Value) []sources.Record {
	t.Helper()
	page, err := s.Lookup(t.Context(), d, []sources.Key{key}, nil, sources.Limit{})
	if err != nil {
		t.Fatalf("look up %s: %v", sources.Key(key), err)
	}
	return page.Records
}

// lookalikes are texts that one collation or another calls equal.
func lookalikes() []string {
	return []string{"straße", "strasse", "STRASSE", "a", "A", "á", "a\u0301", "a ", "a  ", "a\u200b", "", " ", "\u200b", "ﬁ", "fi", "İ", "i", "ı", "😀", "😁", "a\t", "ä", "Å"}
}

// Where a collation calls texts equal, an index finds all of them and the bytes
// decide; where no constraint keeps them apart, a page never ends among them.
func TestTextsThatACollationCallsEqualAreDifferentKeys(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	for i, collation := range []string{"utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci", "utf8mb4_bin", "utf8mb4_nopad_bin", "utf8mb4_unicode_nopad_ci"} {
		t.Run(collation, func(t *testing.T) {
			table := fmt.Sprintf("t%d", i)
			d.exec("CREATE TABLE " + table + " (n int PRIMARY KEY, k varchar(100) COLLATE " + collation + " NOT NULL, KEY by_k (k))")
			var values []string
			for n, text := range lookalikes() {
				for copies := range 3 {
					values = append(values, fmt.Sprintf("(%d, %s)", 10*n+copies, hexText(text)))
				}
			}
			d.exec("INSERT INTO " + table + " VALUES " + strings.Join(values, ", "))
			ds := &sources.Dataset{Name: table, Key: []string{"k"}, Fields: []string{"n"}}
			for _, text := range lookalikes() {
				found := find(t, s, ds, sources.Text(text))
				if len(found) != 3 || slices.ContainsFunc(found, func(r sources.Record) bool { return r.Key[0].AsText() != text }) {
					t.Errorf("look up of %q: %v", text, found)
				}
			}
			for _, stranger := range []string{"STRASSe", "A ", "Á", "fI", "   "} {
				if found := find(t, s, ds, sources.Text(stranger)); len(found) > 0 {
					t.Errorf("look up of %q, which is not there: %v", stranger, found)
				}
			}
			for size := 1; size < 20; size += 3 {
				seen := map[int64]int{}
				for _, r := range all(t, s, ds, size) {
					seen[r.Fields[0].AsInt()]++
				}
				for n := range int64(3 * len(lookalikes())) {
					if n = 10*(n/3) + n%3; seen[n] != 1 {
						t.Errorf("in pages of %d, row %d came %d times", size, n, seen[n])
					}
				}
			}
		})
	}
}

// The index of a key's own collation and character set serves look-ups and pages,
// whatever forms the constants need.
func TestIndexesServeLookUpsAndPages(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	const numbers = "(SELECT a.n + 10 * b.n + 100 * c.n AS i FROM digits a, digits b, digits c) AS numbers"
	d.exec("CREATE TABLE digits (n int PRIMARY KEY)")
	d.exec("INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
	for i, test := range []struct{ columns, values string }{
		{"k varchar(50) COLLATE utf8mb4_unicode_ci NOT NULL PRIMARY KEY", "CONCAT('key ', i)"},
		{"k varchar(50) CHARACTER SET latin1 COLLATE latin1_german2_ci NOT NULL PRIMARY KEY", "CONCAT('kéy ', i)"},
		{"k varchar(50) CHARACTER SET utf8mb3 NOT NULL, UNIQUE KEY (k)", "CONCAT('key ', i)"},
		{"k char(36) CHARACTER SET ascii NOT NULL PRIMARY KEY", "UUID()"},
		{"k binary(16) NOT NULL PRIMARY KEY", "UNHEX(MD5(i))"},
		{"k bigint unsigned NOT NULL PRIMARY KEY", "i"},
		{"k decimal(20,4) NOT NULL PRIMARY KEY", "i / 3"},
		{"k double NOT NULL PRIMARY KEY", "i / 3"},
		{"k float NOT NULL PRIMARY KEY", "i / 3"},
		{"k datetime(3) NOT NULL PRIMARY KEY", "'2024-01-01' + INTERVAL i HOUR"},
		{"k timestamp(3) NOT NULL PRIMARY KEY", "'2024-01-01' + INTERVAL i HOUR"},
		{"k date NOT NULL PRIMARY KEY", "'2024-01-01' + INTERVAL i DAY"},
		{"k time(3) NOT NULL PRIMARY KEY", "SEC_TO_TIME(i)"},
		{"a int NOT NULL, k varchar(50) COLLATE utf8mb4_general_ci NOT NULL, PRIMARY KEY (a, k)", "i DIV 100, CONCAT('key ', i)"},
		{"a bigint NOT NULL, k bigint NOT NULL, PRIMARY KEY (a, k)", "7, i"},
	} {
		t.Run(test.columns, func(t *testing.T) {
			table := fmt.Sprintf("x%d", i)
			d.exec("CREATE TABLE " + table + " (" + test.columns + ")")
			d.exec("INSERT INTO " + table + " SELECT " + test.values + " FROM " + numbers)
			d.exec("ANALYZE TABLE " + table)
			ds := &sources.Dataset{Name: table, Key: []string{"k"}}
			if strings.HasPrefix(test.columns, "a ") {
				ds.Key = []string{"a", "k"}
			}
			statements, err := s.Explain(t.Context(), ds)
			if err != nil {
				t.Fatal(err)
			}
			for _, st := range statements {
				if st.Index == "" || st.Sorts || st.Purpose == "lookup" && st.Records > 200 || !strings.Contains(st.Plan, "type range") && st.Purpose != "split" {
					t.Errorf("%s: index %q, sorts %v, %d records\n%s\n%s", st.Purpose, st.Index, st.Sorts, st.Records, st.Text, st.Plan)
				}
			}
			if got := all(t, s, ds, 97); len(got) != 1000 {
				t.Errorf("a scan delivers %d records", len(got))
			}
			for _, r := range all(t, s, ds, 300)[:20] {
				if found := find(t, s, ds, r.Key...); len(found) != 1 || !found[0].Key.Equal(r.Key) {
					t.Errorf("key %s: %v", r.Key, found)
				}
			}
		})
	}
}

// A key of an enum is compared as its text, whatever number it has; year and bit
// columns by what they count.
func TestKeysOfUnusualTypes(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	d.exec("CREATE TABLE odd (e enum('z','a','M','m2') NOT NULL, y year NOT NULL, b bit(64) NOT NULL, u bigint unsigned NOT NULL, UNIQUE KEY (e, y, b, u))")
	d.exec("INSERT INTO odd SELECT e.v, y.v, b.v, u.v FROM (SELECT 'z' v UNION SELECT 'a' UNION SELECT 'M' UNION SELECT 'm2') e," +
		"(SELECT 0 v UNION SELECT 1901 UNION SELECT 2024 UNION SELECT 2155) y, (SELECT 0 v UNION SELECT 5 UNION SELECT 18446744073709551615) b," +
		"(SELECT 0 v UNION SELECT 9223372036854775807 UNION SELECT 9223372036854775808 UNION SELECT 18446744073709551615) u")
	for _, key := range [][]string{{"e", "y", "b", "u"}, {"y", "e", "u", "b"}, {"b", "u", "e", "y"}, {"u", "b", "y", "e"}} {
		ds := &sources.Dataset{Name: "odd", Key: key}
		for _, size := range []int{1, 5, 64} {
			seen := map[string]bool{}
			for _, r := range all(t, s, ds, size) {
				seen[r.Key.Encode()] = true
				if size == 64 {
					if found := find(t, s, ds, r.Key...); len(found) != 1 {
						t.Errorf("key %v %s: found %d times", key, r.Key, len(found))
					}
				}
			}
			if len(seen) != 4*4*3*4 {
				t.Errorf("by %v in pages of %d: %d records", key, size, len(seen))
			}
		}
	}
}

// A uuid kept in 16 bytes is found by the uuid, where a configuration reads it as one.
func TestUUIDsInBinaryColumns(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	d.exec("CREATE TABLE u (k binary(16) PRIMARY KEY)")
	d.exec("INSERT INTO u VALUES (x'00112233445566778899aabbccddeeff')")
	ds := &sources.Dataset{Name: "u", Key: []string{"k"}}
	u, _ := sources.ParseUUID("00112233-4455-6677-8899-aabbccddeeff")
	for _, key := range []sources.Value{sources.UUID(u), sources.Bytes(u[:])} {
		if found := find(t, s, ds, key); len(found) != 1 || found[0].Key[0].Kind() != sources.KindBytes {
			t.Errorf("look up of the %s: %v", key.Kind(), found)
		}
	}
	for _, stranger := range []sources.Value{sources.Bytes(u[:15]), sources.Text(sources.UUID(u).String()), sources.Bytes(append(u[:], 0))} {
		if found := find(t, s, ds, stranger); len(found) > 0 {
			t.Errorf("look up of the %s %s: %v", stranger.Kind(), stranger, found)
		}
	}
}
