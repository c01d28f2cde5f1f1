package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"plumbline/sources"
)

// What the catalogue says of indexes, and what the planner then does.
func TestIndexes(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0")
	const body = "(a int NOT NULL, b text NOT NULL, c int, tenant text NOT NULL)"
	for i, c := range []struct {
		ddl        string // of table %s
		key        string
		id         string
		scoped     bool
		scan, find bool // an index serves
		unique     bool
		exact      bool
	}{
		{ddl: "", key: "a", exact: true},
		{ddl: "ALTER TABLE %s ADD PRIMARY KEY (a)", key: "a", scan: true, find: true, unique: true, exact: true},
		{ddl: "ALTER TABLE %s ADD PRIMARY KEY (a)", key: "a,b", unique: true},
		{ddl: "ALTER TABLE %s ADD PRIMARY KEY (a, b)", key: "a", scan: true, find: true, exact: true},
		{ddl: "ALTER TABLE %s ADD PRIMARY KEY (a, b)", key: "a", id: "b", scan: true, find: true, unique: true},
		{ddl: "ALTER TABLE %s ADD PRIMARY KEY (a, b)", key: "b,a", find: true, unique: true},
		{ddl: "ALTER TABLE %s ADD PRIMARY KEY (b, a)", key: "a", exact: true},
		{ddl: "CREATE INDEX ON %s (b)", key: "b", scan: true, find: true},
		{ddl: `CREATE INDEX ON %s (b COLLATE "C")`, key: "b"},
		{ddl: "CREATE INDEX ON %s (b text_pattern_ops)", key: "b"},
		{ddl: "CREATE INDEX ON %s (b varchar_ops)", key: "b", scan: true, find: true},
		{ddl: "CREATE INDEX ON %s (lower(b))", key: "b"},
		{ddl: "CREATE INDEX ON %s (a) WHERE c > 0", key: "a", exact: true},
		{ddl: "CREATE UNIQUE INDEX ON %s (a) WHERE c > 0", key: "a", exact: true},
		{ddl: "CREATE UNIQUE INDEX ON %s (a) INCLUDE (b)", key: "a", scan: true, find: true, unique: true, exact: true},
		{ddl: "ALTER TABLE %s ADD UNIQUE (a) DEFERRABLE", key: "a", scan: true, find: true, exact: true},
		{ddl: "CREATE INDEX ON %s USING hash (a)", key: "a", exact: true},
		{ddl: "CREATE INDEX ON %s USING brin (a)", key: "a", exact: true},
		{ddl: "CREATE INDEX ON %s (a DESC)", key: "a", scan: true, find: true, exact: true},
		{ddl: "CREATE INDEX ON %s (a NULLS FIRST)", key: "a", find: true, exact: true},
		{ddl: "CREATE INDEX ON %s (a DESC, b)", key: "a,b", find: true},
		{ddl: "CREATE INDEX ON %s (a DESC, b DESC)", key: "a,b", scan: true, find: true},
		{ddl: "CREATE UNIQUE INDEX ON %s (c)", key: "c", scan: true, find: true, unique: true, exact: true},
		{ddl: "CREATE UNIQUE INDEX ON %s (tenant, a)", key: "a", exact: true},
		{ddl: "CREATE UNIQUE INDEX ON %s (tenant, a)", key: "a", scoped: true, scan: true, find: true, unique: true, exact: true},
		{ddl: "CREATE UNIQUE INDEX ON %s (a, tenant)", key: "a", scoped: true, scan: true, find: true, unique: true, exact: true},
		{ddl: "CREATE UNIQUE INDEX ON %s (a, tenant, c)", key: "a,c", scoped: true, scan: true, find: true, unique: true, exact: true},
	} {
		table := fmt.Sprintf("t%d", i)
		d.exec("CREATE TABLE " + table + body)
		if c.ddl != "" {
			d.exec(fmt.Sprintf(c.ddl, table))
		}
		d.exec("INSERT INTO " + table + " SELECT i, md5(i::text), i, 'eu' FROM generate_series(1, 3000) AS i")
		d.exec("ANALYZE " + table)
		ds := &sources.Dataset{Name: table, Key: strings.Split(c.key, ","), Fields: []string{"c"}}
		if c.id != "" {
			ds.ID = []string{c.id}
		}
		if c.scoped {
			ds.Scope = []sources.Condition{{Field: "tenant", Value: sources.Text("eu")}}
		}
		s := d.open()
		desc, err := s.Describe(t.Context(), ds)
		if err != nil {
			t.Fatal(err)
		}
		if got := (desc.ScanIndex != ""); got != c.scan {
			t.Errorf("%s, key %s: scan index %q, want one: %v", c.ddl, c.key, desc.ScanIndex, c.scan)
		}
		if got := (desc.KeyIndex != ""); got != c.find {
			t.Errorf("%s, key %s: key index %q, want one: %v", c.ddl, c.key, desc.KeyIndex, c.find)
		}
		if desc.Unique != c.unique || (desc.Order == sources.OrderExact) != c.exact {
			t.Errorf("%s, key %s: unique %v, order %v", c.ddl, c.key, desc.Unique, desc.Order)
		}
		if warned := strings.Contains(fmt.Sprint(desc.Warnings), "no index serves look-ups"); warned == c.find {
			t.Errorf("%s, key %s: warnings %v", c.ddl, c.key, desc.Warnings)
		}
		if n := len(scanAll(t, s, ds, sources.ScanRequest{Limit: sources.Limit{Records: 700}})); n != 3000 {
			t.Errorf("%s, key %s: %d rows", c.ddl, c.key, n)
		}
	}
}

// No page may sort the table: neither under a linguistic collation, nor with a
// composite key, an id, a nullable key, a scope or a partitioned table.
func TestNoPageSortsTheTable(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0")
	d.exec(`CREATE TABLE plain (k text PRIMARY KEY, v text); CREATE TABLE composite (a text, b int, v text, PRIMARY KEY (a, b));
		CREATE TABLE copies (k text NOT NULL, line int NOT NULL, v text); CREATE UNIQUE INDEX ON copies (k, line);
		CREATE TABLE holes (k text, v text); CREATE INDEX ON holes (k);
		CREATE TABLE tenants (tenant text, k uuid, v text, PRIMARY KEY (tenant, k));
		CREATE TABLE parts (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
		CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (15000); CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (15000) TO (MAXVALUE);
		CREATE VIEW seen AS SELECT k AS word, upper(v) AS v FROM plain WHERE v IS NOT NULL;
		INSERT INTO plain SELECT md5(i::text), 'v' FROM generate_series(1, 30000) AS i;
		INSERT INTO composite SELECT md5((i / 10)::text), i, 'v' FROM generate_series(1, 30000) AS i;
		INSERT INTO copies SELECT md5((i / 10)::text), i, 'v' FROM generate_series(1, 30000) AS i;
		INSERT INTO holes SELECT nullif(md5(i::text), md5('7')), 'v' FROM generate_series(1, 30000) AS i;
		INSERT INTO tenants SELECT CASE i % 2 WHEN 0 THEN 'eu' ELSE 'us' END, md5(i::text)::uuid, 'v' FROM generate_series(1, 30000) AS i;
		INSERT INTO parts SELECT i, 'v' FROM generate_series(1, 30000) AS i;`)
	d.exec("ANALYZE")
	s := d.open()
	scope := []sources.Condition{{Field: "tenant", Value: sources.Text("eu")}}
	for _, ds := range []*sources.Dataset{
		{Name: "plain", Key: []string{"k"}, Fields: []string{"v"}},
		{Name: "composite", Key: []string{"a", "b"}, Fields: []string{"v"}},
		{Name: "copies", Key: []string{"k"}, ID: []string{"line"}, Fields: []string{"v"}},
		{Name: "holes", Key: []string{"k"}, Fields: []string{"v"}, Where: "v <> 'w'", DeletedWhen: "v = 'x'"},
		{Name: "tenants", Key: []string{"k"}, Fields: []string{"v"}, Scope: scope},
		{Name: "parts", Key: []string{"k"}, Fields: []string{"v"}},
		{Name: "seen", Key: []string{"word"}, Fields: []string{"v"}},
		{Query: "SELECT k, v FROM plain;", Key: []string{"k"}, Fields: []string{"v"}},
	} {
		desc, err := s.Describe(t.Context(), ds)
		if err != nil {
			t.Fatal(err)
		}
		if desc.ScanIndex == "" || desc.KeyIndex == "" {
			t.Errorf("%s: described as %+v", ds.Title(), desc)
		}
		statements, err := s.Explain(t.Context(), ds)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range statements {
			if st.Sorts || st.Index == "" || st.Plan == "" || strings.Contains(st.Text, "COLLATE") {
				t.Errorf("%s: %+v", ds.Title(), st)
			}
		}
		// In mid-table, where statistics matter most.
		cuts, err := s.Split(t.Context(), ds, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range cuts {
			p, err := s.planFor(t.Context(), ds)
			if err != nil {
				t.Fatal(err)
			}
			st, err := p.scan(scanRequest{Span: sources.Span{After: cut}, records: 500})
			if err != nil {
				t.Fatal(err)
			}
			n, err := s.explain(t.Context(), st, "")
			if err != nil || n.sorts(0) || n.index() == "" {
				t.Errorf("%s after %s: %+v, %v", ds.Title(), sources.Key(cut), n, err)
			}
		}
	}
}

func TestExplainTellsOfASort(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec("CREATE TABLE k (a int, b text); INSERT INTO k SELECT i, 'x' FROM generate_series(1, 30000) AS i")
	d.exec("ANALYZE k")
	statements, err := d.open().Explain(t.Context(), &sources.Dataset{Name: "k", Key: []string{"a"}, Fields: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	if st := statements[0]; st.Purpose != "scan" || !st.Sorts || st.Index != "" || st.Records < 10_000 || st.Bytes < st.Records {
		t.Errorf("%+v", st)
	}
}

// A split's spans hold every record once, and are of about one size.
func TestSplit(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0")
	for i, c := range []struct {
		ddl, row, key, id string
		analyzed, even    bool
	}{
		{ddl: "k int PRIMARY KEY", row: "i", key: "k", analyzed: true, even: true},
		{ddl: "k int PRIMARY KEY", row: "i", key: "k", even: true},
		{ddl: "k bigint PRIMARY KEY", row: "CASE i WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE i END", key: "k"},
		{ddl: "k int PRIMARY KEY", row: "i * i / 20 + i", key: "k", analyzed: true, even: true},
		{ddl: "k uuid PRIMARY KEY", row: "md5(i::text)::uuid", key: "k", even: true},
		{ddl: "k uuid PRIMARY KEY", row: "md5(i::text)::uuid", key: "k", analyzed: true, even: true},
		{ddl: "k text PRIMARY KEY", row: "md5(i::text)", key: "k", analyzed: true, even: true},
		{ddl: "k text PRIMARY KEY", row: "md5(i::text)", key: "k"},
		{ddl: "k timestamptz PRIMARY KEY", row: "'2024-01-01'::timestamptz + i * interval '1 s'", key: "k", analyzed: true, even: true},
		{ddl: "k numeric PRIMARY KEY", row: "i / 100.0", key: "k", analyzed: true, even: true},
		{ddl: "k int, j text, PRIMARY KEY (k, j)", row: "i / 7, md5(i::text)", key: "k,j", analyzed: true, even: true},
		{ddl: "k int, j text, PRIMARY KEY (k, j)", row: "i / 7, md5(i::text)", key: "k", id: "j", even: true},
		{ddl: "k int, j int, UNIQUE (k, j)", row: "nullif(i / 7, 3), nullif(i, 77)", key: "k,j", analyzed: true, even: true},
		{ddl: "k int", row: "i", key: "k", analyzed: true},
	} {
		table := fmt.Sprintf("t%d", i)
		d.exec(fmt.Sprintf("CREATE TABLE %s (%s, n int); INSERT INTO %s SELECT %s, i FROM generate_series(1, 2000) AS i", table, c.ddl, table, c.row))
		if c.analyzed {
			d.exec("ANALYZE " + table)
		}
		ds := &sources.Dataset{Name: table, Key: strings.Split(c.key, ","), Fields: []string{"n"}}
		if c.id != "" {
			ds.ID = []string{c.id}
		}
		s := d.open()
		for _, parts := range []int{1, 2, 3, 8, 500} {
			cuts, err := s.Split(t.Context(), ds, parts)
			if err != nil {
				t.Fatal(err)
			}
			if len(cuts) > parts-1 || c.even && parts > 1 && len(cuts) == 0 {
				t.Errorf("%s %s: %d cuts for %d parts", c.ddl, c.row, len(cuts), parts)
			}
			var all []int64
			var after sources.Position
			for _, upTo := range append(cuts, nil) {
				part := serials(scanAll(t, s, ds, sources.ScanRequest{Span: sources.Span{After: after, UpTo: upTo}}))
				if c.even && parts <= 8 && len(part) > 2*2000/parts+100 {
					t.Errorf("%s %s: a part of %d holds %d of 2000", c.ddl, c.row, parts, len(part))
				}
				if upTo != nil && len(upTo) != len(ds.Key)+len(ds.ID) {
					t.Errorf("%s: cut %s", c.ddl, sources.Key(upTo))
				}
				all, after = append(all, part...), upTo
			}
			slices.Sort(all)
			if len(slices.Compact(slices.Clone(all))) != 2000 || len(all) != 2000 {
				t.Errorf("%s %s in %d parts: %d rows", c.ddl, c.row, parts, len(all))
			}
		}
		if n, err := s.Count(t.Context(), ds); err != nil || c.analyzed && n != 2000 {
			t.Errorf("%s: about %d rows, %v", c.ddl, n, err)
		}
	}
}
