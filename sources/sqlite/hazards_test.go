package sqlite_test

import (
	"database/sql"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

// hazardous is a table whose records are written, or deleted and put back.
// Statements write T for its name, and have rows whose k, or a where k is none,
// are 1 and 2.
type hazardous struct {
	name       string
	statements []string
	fields     []string // nil: deleted and put back
	key        []string // k where not given
	kinds      []sources.HazardKind
	refused    bool
	// wider: what is written reaches other records by the store's own doing, which
	// whoever allows the hazard wants; elsewhere no other record may change.
	wider bool
}

const plainTable = "CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT)"

func cases() []hazardous {
	kinds := func(k ...sources.HazardKind) []sources.HazardKind { return k }
	triggers, cascades, generated, unique := kinds(sources.HazardTriggers), kinds(sources.HazardCascades), kinds(sources.HazardGenerated), kinds(sources.HazardUnique)
	v, deletes := []string{"v"}, []string(nil)
	table := func(more ...string) []string { return append([]string{plainTable}, more...) }
	log := "CREATE TABLE T_log (x)"
	on := func(event string) string {
		return "CREATE TRIGGER T_trigger " + event + " ON T BEGIN INSERT INTO T_log VALUES (1); END"
	}
	child := func(rules string) string {
		return "CREATE TABLE T_child (c INTEGER PRIMARY KEY, k INTEGER DEFAULT 3 REFERENCES T (k) " + rules + ")"
	}
	byU := func(rules string) string {
		return "CREATE TABLE T_child (c INTEGER PRIMARY KEY, v TEXT REFERENCES T (v) " + rules + ")"
	}
	return []hazardous{
		{name: "an update of a plain table", statements: table(), fields: v},
		{name: "a delete from a plain table", statements: table(), fields: deletes},
		{name: "a trigger after updates", statements: table(log, on("AFTER UPDATE")), fields: v, kinds: triggers, wider: true},
		{name: "a trigger before updates", statements: table(log, on("BEFORE UPDATE")), fields: v, kinds: triggers, wider: true},
		{name: "a trigger of the column", statements: table(log, on("AFTER UPDATE OF v")), fields: v, kinds: triggers, wider: true},
		{name: "a trigger of another column", statements: table(log, on("AFTER UPDATE OF u")), fields: v},
		{name: "a trigger with a condition", statements: table(log, "CREATE TRIGGER T_trigger AFTER UPDATE ON T WHEN new.v IS NULL BEGIN INSERT INTO T_log VALUES (1); END"), fields: v, kinds: triggers},
		{name: "a trigger of deletes, for an update", statements: table(log, on("AFTER DELETE")), fields: v},
		{name: "a trigger of deletes", statements: table(log, on("AFTER DELETE")), fields: deletes, kinds: triggers, wider: true},
		{name: "a trigger of inserts, for a delete that may be taken back", statements: table(log, on("AFTER INSERT")), fields: deletes, kinds: triggers, wider: true},
		{name: "a trigger of inserts, for an update", statements: table(log, on("AFTER INSERT")), fields: v},
		{name: "a trigger of another table", statements: table(log, "CREATE TABLE T_other (x)", "CREATE TRIGGER T_trigger AFTER UPDATE ON T_other BEGIN UPDATE T SET v = 1; END"), fields: v},
		{name: "a trigger with a wild name", statements: table(log, `CREATE TRIGGER "T ""-- ; DROP" AFTER UPDATE ON T BEGIN INSERT INTO T_log VALUES (1); END`), fields: v, kinds: triggers, wider: true},
		{name: "children that follow deletes", statements: table(child("ON DELETE CASCADE"), "INSERT INTO T_child VALUES (1, 2)"), fields: deletes, kinds: cascades, wider: true},
		{name: "children that follow deletes, for an update", statements: table(child("ON DELETE CASCADE")), fields: v},
		{name: "children set to null", statements: table(child("ON DELETE SET NULL"), "INSERT INTO T_child VALUES (1, 2)"), fields: deletes, kinds: cascades, wider: true},
		{name: "children set to a default", statements: table(child("ON DELETE SET DEFAULT"), "INSERT INTO T_child VALUES (1, 2)"), fields: deletes, kinds: cascades, wider: true},
		{name: "children without a named column", statements: table("CREATE TABLE T_child (k REFERENCES T ON DELETE CASCADE)"), fields: deletes, kinds: cascades},
		{name: "children that bar deletes", statements: table(child("ON DELETE RESTRICT")), fields: deletes},
		{name: "children that say nothing", statements: table(child("")), fields: deletes},
		{name: "children that follow updates", statements: table("CREATE UNIQUE INDEX T_v ON T (v)", byU("ON UPDATE CASCADE"), "INSERT INTO T_child VALUES (1, 'v2')"), fields: v,
			kinds: kinds(sources.HazardCascades, sources.HazardUnique), wider: true},
		{name: "children that follow updates of another column", statements: table("CREATE UNIQUE INDEX T_u ON T (u)", "CREATE TABLE T_child (u REFERENCES T (u) ON UPDATE CASCADE)"), fields: v},
		{name: "the table's own children", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT, p INTEGER REFERENCES T (k) ON DELETE CASCADE)"}, fields: deletes, kinds: cascades},
		{name: "a virtual generated column", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT, g AS (upper(v)))"}, fields: v, kinds: generated},
		{name: "a stored generated column", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT, g TEXT GENERATED ALWAYS AS (v || 'x') STORED)"}, fields: v, kinds: generated},
		{name: "a generated column of a generated one", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT, g AS (h || '!'), h AS (\"V\" || 1))"}, fields: v, kinds: generated},
		{name: "a generated column of another", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT, g AS (upper(u)))"}, fields: v},
		{name: "a field that is generated", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v AS (k + 1), u TEXT)"}, fields: v, refused: true},
		{name: "a further unique index", statements: table("CREATE UNIQUE INDEX T_v ON T (v)"), fields: v, kinds: unique},
		{name: "a further unique index that replaces", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT UNIQUE ON CONFLICT REPLACE, u TEXT)"}, fields: v, kinds: unique},
		{name: "a further unique index of several columns", statements: table("CREATE UNIQUE INDEX T_uv ON T (u, v)"), fields: v, kinds: unique},
		{name: "a further unique index with a condition", statements: table("CREATE UNIQUE INDEX T_part ON T (n) WHERE v IS NOT NULL"), fields: v, kinds: unique},
		{name: "a further unique index of an expression", statements: table("CREATE UNIQUE INDEX T_lower ON T (lower(v))"), fields: v, kinds: unique},
		{name: "a further unique index of other columns", statements: table("CREATE UNIQUE INDEX T_u ON T (u)"), fields: v},
		{name: "an index that is not unique", statements: table("CREATE INDEX T_v ON T (v)"), fields: v},
		{name: "a table without rowids", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT) WITHOUT ROWID"}, fields: v},
		{name: "a delete from a table without rowids", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT) WITHOUT ROWID"}, fields: deletes},
		{name: "a strict table", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT) STRICT"}, fields: v},
		{name: "a strict table without rowids, by a key of two", statements: []string{"CREATE TABLE T (k INTEGER NOT NULL, n INTEGER NOT NULL, v TEXT, u TEXT, PRIMARY KEY (k, n)) STRICT, WITHOUT ROWID"}, fields: v, key: []string{"k", "n"}},
		{name: "a key that is a text", statements: []string{"CREATE TABLE T (k INTEGER, n INTEGER NOT NULL, v TEXT, u TEXT PRIMARY KEY)"}, fields: v, key: []string{"u"}},
		{name: "a key that descends", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY DESC, n INTEGER NOT NULL, v TEXT, u TEXT)"}, fields: v},
		{name: "a key that is not unique", statements: []string{"CREATE TABLE T (k INTEGER, n INTEGER NOT NULL, v TEXT, u TEXT)", "CREATE INDEX T_k ON T (k)"}, fields: v, kinds: kinds(sources.HazardNoKey)},
		{name: "a key that is unique with another column", statements: []string{"CREATE TABLE T (k INTEGER, n INTEGER NOT NULL, v TEXT, u TEXT, UNIQUE (k, n))"}, fields: v, kinds: kinds(sources.HazardNoKey)},
		{name: "a key that is unique for some", statements: []string{"CREATE TABLE T (k INTEGER, n INTEGER NOT NULL, v TEXT, u TEXT)", "CREATE UNIQUE INDEX T_k ON T (k) WHERE n > 0"}, fields: v, kinds: kinds(sources.HazardNoKey, sources.HazardUnique)},
		{name: "a view", statements: []string{"CREATE TABLE T_table (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT)", "CREATE VIEW T AS SELECT * FROM T_table"}, fields: v, refused: true},
		{name: "a view with a trigger instead", statements: []string{"CREATE TABLE T_table (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v TEXT, u TEXT)", "CREATE VIEW T AS SELECT * FROM T_table",
			"CREATE TRIGGER T_trigger INSTEAD OF UPDATE ON T BEGIN UPDATE T_table SET v = new.v; END"}, fields: v, refused: true},
		{name: "a virtual table", statements: []string{"CREATE VIRTUAL TABLE T USING fts5(k, n, v, u)"}, fields: v, refused: true},
		{name: "a field that is none", statements: table(), fields: []string{"w"}, refused: true},
		{name: "a field of the key", statements: table(), fields: []string{"k"}, refused: true},
		{name: "a field within a column", statements: []string{"CREATE TABLE T (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v JSON, u TEXT)"}, fields: []string{"v.a"}, refused: true},
	}
}

// made makes a case's table.
func (h *hazardous) made(t testing.TB, db *sql.DB, name string) sources.Dataset {
	t.Helper()
	for _, statement := range h.statements {
		at := strings.NewReplacer(" T ", " "+name+" ", " T_", " "+name+"_", "\"T ", "\""+name+" ").Replace(statement + " ")
		run(t, db, at)
		if strings.HasPrefix(statement, "CREATE TABLE T ") && !h.refused {
			run(t, db, "INSERT INTO "+name+" (k, n, v, u) VALUES (1, 1, 'v1', NULL), (2, 2, 'v2', 'u2'), (3, 3, 'v3', 'u3')")
		}
	}
	d := sources.Dataset{Name: name, Key: h.key, Fields: []string{"v"}}
	if len(h.key) == 0 {
		d.Key = []string{"k"}
	}
	return d
}

func hazards(t testing.TB, db *sql.DB) (all []sourcetest.Hazardous) {
	for i, h := range cases() {
		d := h.made(t, db, fmt.Sprintf("h%d", i))
		all = append(all, sourcetest.Hazardous{Name: h.name, Dataset: d, Fields: h.fields, Deletes: h.fields == nil, Kinds: h.kinds, Refused: h.refused})
	}
	return all
}

// TestWhatIsAllowedTouchesNoOtherRecord makes the write of each case whose hazard
// somebody might allow, and takes it back.
func TestWhatIsAllowedTouchesNoOtherRecord(t *testing.T) {
	t.Parallel()
	for _, h := range cases() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			d := h.made(t, s.db, "T0")
			if h.refused {
				return
			}
			key := sources.Key{sources.Int(2)}
			for range d.Key[1:] {
				key = append(key, sources.Int(2))
			}
			if d.Key[0] == "u" {
				key[0] = sources.Text("u2")
			}
			w := writer(t, s)
			before := look(t, w, &d, key, true)
			after := &sources.Image{}
			if h.fields != nil {
				after = become(t, w, &d, before, sources.Assignment{Field: "v", Value: sources.Text("put right")})
			}
			was := everything(t, s.db)
			mustWrite(t, w, &d, &sources.Change{Key: key, Before: before, After: after})
			if is := everything(t, s.db); !h.wider {
				onlyDiffers(t, was, is, "T0 2")
			}
			mustWrite(t, w, &d, &sources.Change{Key: key, Before: after, After: before})
			if is := everything(t, s.db); !h.wider {
				onlyDiffers(t, was, is)
			}
			if h.fields == nil {
				return
			}
			collides := become(t, w, &d, before, sources.Assignment{Field: "v", Value: sources.Text("v3")})
			was = everything(t, s.db)
			err := w.Write(t.Context(), &d, &sources.Change{Key: key, Before: before, After: collides}, time.Now().Add(time.Minute))
			if is := everything(t, s.db); !h.wider {
				onlyDiffers(t, was, is, "T0 2")
			}
			t.Logf("the value of another record: %v", err)
		})
	}
}

// everything is all that all tables hold, by table and row.
func everything(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	var tables []string
	all := map[string]string{}
	each(t, db, func(v []any) { tables = append(tables, v[0].(string)) }, "SELECT name FROM sqlite_schema WHERE type = 'table'")
	for _, table := range tables {
		for n, text := range dump(t, db, table) {
			all[fmt.Sprint(table, " ", n)] = text
		}
	}
	return all
}

func onlyDiffers(t *testing.T, was, is map[string]string, but ...string) {
	t.Helper()
	was, is = maps.Clone(was), maps.Clone(is)
	for _, name := range but {
		delete(was, name)
		delete(is, name)
	}
	for name, text := range was {
		if is[name] != text {
			t.Errorf("%s was %s and is %s", name, text, is[name])
		}
	}
	if len(is) != len(was) {
		t.Errorf("%d rows became %d", len(was), len(is))
	}
}
