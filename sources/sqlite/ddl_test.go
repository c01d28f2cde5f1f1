package sqlite

import (
	"slices"
	"strings"
	"testing"
)

func TestATablesStatementMakesATemporaryTableAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, ddl := range []string{
		`CREATE TABLE t (a, b)`,
		`create table "t; DROP" (a ';', "b;", [c;], ` + "`d;`" + ` CHECK (a <> ';')) -- ; the end`,
		"CREATE /* ; */ TABLE t(a -- ;\n, b)",
		`CREATE TABLE "t""; " (a) STRICT, WITHOUT ROWID`,
	} {
		made, err := temporary(ddl)
		if rest, ok := strings.CutPrefix(made, "CREATE TEMP TABLE "); err != nil || !ok || !strings.HasSuffix(ddl, rest) {
			t.Errorf("%s became %s, %v", ddl, made, err)
		}
	}
	for _, ddl := range []string{
		`CREATE TABLE t (a); ATTACH 'x' AS y`,
		`CREATE TABLE t (a);`,
		"CREATE TABLE t (a) /* ; ",
		`CREATE TABLE t (a DEFAULT 'x)`,
		`CREATE VIEW t AS SELECT 1`,
		`ATTACH 'x' AS y`,
		"CREATE TABLE t (a)\x00; ATTACH 'x' AS y",
		``,
	} {
		if made, err := temporary(ddl); err == nil {
			t.Errorf("%s became %s", ddl, made)
		}
	}
}

func FuzzNoStatementOfATableHasASecond(f *testing.F) {
	for _, seed := range []string{`CREATE TABLE t (a); x`, `CREATE TABLE "t" (a '`, "CREATE TABLE t (a) --\n;", `CREATE TABLE t /*/;*/ (a)`, `CREATE TABLE [t] (x'')`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ddl string) {
		made, err := temporary(ddl)
		if err != nil {
			return
		}
		all, err := tokens(made)
		if err != nil || slices.ContainsFunc(all, func(one token) bool { return one.text == ";" && !one.name }) {
			t.Errorf("%q became %q", ddl, made)
		}
	})
}

func TestGeneratedColumnsAreFoundByWhatTheyMention(t *testing.T) {
	t.Parallel()
	o := &object{columns: []column{{name: "a"}, {name: "B b"}, {name: "c", generated: true}, {name: "d", generated: true}, {name: "e", generated: true}}}
	ddl := "CREATE TABLE t (a, \"B b\" DECIMAL(10, 2), c AS (round([A], 2)), -- a\n d TEXT GENERATED ALWAYS AS (\"b b\" || 'x,(') STORED, e AS (D + 1), UNIQUE (a, c))"
	for written, want := range map[string][]string{"a": {"c"}, "B b": {"d", "e"}, "d": {"e"}} {
		got, err := o.computedFrom(ddl, []string{written})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("of %s: %v, %v; want %v", written, got, err, want)
		}
	}
	if _, err := o.computedFrom("CREATE TABLE t (a)", []string{"a"}); err == nil {
		t.Error("columns that the statement does not define are passed over")
	}
}

func TestImagesAreReadBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	zero := 0.0
	n := &native{schema: "main", table: `t"`, keys: 2, whole: true, deleted: true, cells: []cell{{"k", false, int64(1)}, {"l", false, "1"},
		{"m", true, nil}, {"n", false, -zero}, {"o", false, 0.5}, {"p", false, []byte{}}, {"q", false, "a\x00\xff"}}}
	read, err := decodeNative(n.encode())
	if err != nil || string(read.encode()) != string(n.encode()) || len(read.cells) != len(n.cells) || !read.cells[2].generated {
		t.Fatalf("%+v, %v", read, err)
	}
	encoded := n.encode()
	for cut := range encoded {
		if _, err := decodeNative(encoded[:cut]); err == nil {
			t.Errorf("%d bytes of an image are one", cut)
		}
	}
	for _, raw := range [][]any{{int64(1), 1.0}, {"1", []byte("1")}, {nil, ""}, {0.0, int64(0)}} {
		if sameRaw(raw[0], raw[1]) || sameRaw(raw[1], raw[0]) {
			t.Errorf("%v is the same as %v", raw[0], raw[1])
		}
	}
}
