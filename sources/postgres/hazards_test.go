package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// hazardCase is a table T with rows 1 to 5, and a write to it.
type hazardCase struct {
	name    string
	sql     string
	fields  []string // that are written
	deletes bool
	kinds   []sources.HazardKind
	refused bool // by preflight, whatever is allowed
	// undone: the server makes something else of the write, so it is taken back.
	undone bool
	// spreads: what is allowed changes other rows of the same table.
	spreads bool
}

// sqlFor writes the case for a table of that name.
func (c *hazardCase) sqlFor(table string) string {
	return regexp.MustCompile(`\bT(\b|_)`).ReplaceAllString(c.sql, table+"$1")
}

// all are the fields of the case's dataset.
func (c *hazardCase) all() []string {
	fields := []string{"v", "w"}
	for _, f := range c.fields {
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return fields
}

func matrix() []hazardCase {
	const (
		plain   = `CREATE TABLE T (k int PRIMARY KEY, v text, w text); `
		unique  = `CREATE TABLE T (k int PRIMARY KEY, v text UNIQUE, w text); `
		rows    = `; INSERT INTO T (k, v, w) SELECT i, 'v' || i, 'w' || i FROM generate_series(1, 5) i; `
		trigger = `CREATE FUNCTION T_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF tg_op = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$; `
		child   = `INSERT INTO T_child SELECT k FROM T`
	)
	v := []string{"v"}
	on := func(kinds ...sources.HazardKind) []sources.HazardKind { return kinds }
	made := func(when, rest string) string {
		return plain + rows + trigger + `CREATE TRIGGER t ` + when + ` ON T ` + rest + ` EXECUTE FUNCTION T_f()`
	}
	follows := func(action string) string { // v is referred to
		return unique + rows + `CREATE TABLE T_child (v text DEFAULT 'v5' REFERENCES T (v) ` + action + `); INSERT INTO T_child SELECT v FROM T WHERE k < 5`
	}
	refers := func(action string) string { // k is referred to
		return plain + rows + `CREATE TABLE T_child (k int DEFAULT 5 REFERENCES T ` + action + `); ` + child
	}
	return []hazardCase{
		{name: "nothing", sql: plain + rows, fields: v, deletes: true},
		{name: "trigger_before", sql: made("BEFORE UPDATE", "FOR EACH ROW"), fields: v, kinds: on(sources.HazardTriggers)},
		{name: "trigger_after", sql: made("AFTER UPDATE", "FOR EACH ROW"), fields: v, kinds: on(sources.HazardTriggers)},
		{name: "trigger_statement", sql: made("AFTER UPDATE", "FOR EACH STATEMENT"), fields: v, kinds: on(sources.HazardTriggers)},
		{name: "trigger_of_column", sql: made("BEFORE UPDATE OF v", "FOR EACH ROW"), fields: v, kinds: on(sources.HazardTriggers)},
		{name: "trigger_of_other", sql: made("BEFORE UPDATE OF w", "FOR EACH ROW"), fields: v},
		{name: "trigger_disabled", sql: made("BEFORE UPDATE", "FOR EACH ROW") + "; ALTER TABLE T DISABLE TRIGGER t", fields: v},
		{name: "trigger_replica", sql: made("BEFORE UPDATE", "FOR EACH ROW") + "; ALTER TABLE T ENABLE REPLICA TRIGGER t", fields: v},
		{name: "trigger_always", sql: made("BEFORE UPDATE", "FOR EACH ROW") + "; ALTER TABLE T ENABLE ALWAYS TRIGGER t", fields: v, kinds: on(sources.HazardTriggers)},
		{name: "trigger_insert", sql: made("BEFORE INSERT", "FOR EACH ROW"), fields: v},
		{name: "trigger_insert_of_put_back", sql: made("BEFORE INSERT", "FOR EACH ROW"), deletes: true, kinds: on(sources.HazardTriggers)},
		{name: "trigger_delete", sql: made("BEFORE DELETE", "FOR EACH ROW"), deletes: true, kinds: on(sources.HazardTriggers)},
		{name: "trigger_delete_of_update", sql: made("BEFORE DELETE", "FOR EACH ROW"), fields: v},
		{name: "trigger_changes", sql: strings.Replace(made("BEFORE UPDATE", "FOR EACH ROW"), "RETURN NEW", "NEW.w := 'touched'; RETURN NEW", 1), fields: v,
			kinds: on(sources.HazardTriggers), undone: true},
		{name: "trigger_suppresses", sql: strings.Replace(made("BEFORE UPDATE", "FOR EACH ROW"), "RETURN NEW", "RETURN NULL", 1), fields: v,
			kinds: on(sources.HazardTriggers), undone: true},
		{name: "trigger_deferred", sql: plain + rows + trigger + `CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON T DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION T_f()`,
			fields: v, kinds: on(sources.HazardTriggers)},
		{name: "trigger_deferred_fails", sql: plain + rows + strings.Replace(trigger, "RETURN NEW", "RAISE 'no'", 1) +
			`CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON T DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION T_f()`, fields: v, kinds: on(sources.HazardTriggers), undone: true},
		{name: "trigger_of_another_table", sql: plain + rows + trigger + `CREATE TABLE T_o (k int); CREATE TRIGGER t BEFORE UPDATE ON T_o FOR EACH ROW EXECUTE FUNCTION T_f()`, fields: v, deletes: true},
		{name: "rule_also", sql: plain + rows + `CREATE TABLE T_log (k int); CREATE RULE r AS ON UPDATE TO T DO ALSO INSERT INTO T_log VALUES (NEW.k)`, fields: v, kinds: on(sources.HazardTriggers)},
		{name: "rule_instead", sql: plain + rows + `CREATE RULE r AS ON UPDATE TO T DO INSTEAD NOTHING`, fields: v, kinds: on(sources.HazardTriggers), undone: true},
		{name: "rule_delete", sql: plain + rows + `CREATE RULE r AS ON DELETE TO T DO INSTEAD NOTHING`, deletes: true, kinds: on(sources.HazardTriggers), undone: true},
		{name: "rule_delete_of_update", sql: plain + rows + `CREATE RULE r AS ON DELETE TO T DO INSTEAD NOTHING`, fields: v},
		{name: "update_cascade", sql: follows("ON UPDATE CASCADE"), fields: v, kinds: on(sources.HazardCascades, sources.HazardUnique)},
		{name: "update_set_null", sql: follows("ON UPDATE SET NULL"), fields: v, kinds: on(sources.HazardCascades, sources.HazardUnique)},
		{name: "update_set_default", sql: follows("ON UPDATE SET DEFAULT"), fields: v, kinds: on(sources.HazardCascades, sources.HazardUnique)},
		{name: "update_no_action", sql: follows("ON UPDATE NO ACTION"), fields: v, kinds: on(sources.HazardUnique), undone: true},
		{name: "update_of_what_nobody_refers_to", sql: follows("ON UPDATE CASCADE"), fields: []string{"w"}},
		{name: "delete_cascade", sql: refers("ON DELETE CASCADE"), deletes: true, kinds: on(sources.HazardCascades)},
		{name: "delete_set_null", sql: refers("ON DELETE SET NULL"), deletes: true, kinds: on(sources.HazardCascades)},
		{name: "delete_set_default", sql: refers("ON DELETE SET DEFAULT"), deletes: true, kinds: on(sources.HazardCascades)},
		{name: "delete_no_action", sql: refers("ON DELETE NO ACTION"), deletes: true, undone: true},
		{name: "delete_restrict", sql: refers("ON DELETE RESTRICT"), deletes: true, undone: true},
		{name: "delete_cascade_of_update", sql: refers("ON DELETE CASCADE"), fields: v},
		{name: "delete_cascade_of_itself", sql: plain + rows + `ALTER TABLE T ADD parent int REFERENCES T ON DELETE CASCADE; UPDATE T SET parent = 1 WHERE k > 1`, deletes: true,
			kinds: on(sources.HazardCascades), spreads: true},
		{name: "refers_to_others", sql: plain + rows + `CREATE TABLE T_o (v text PRIMARY KEY); INSERT INTO T_o SELECT v FROM T UNION SELECT 'new'; ALTER TABLE T ADD FOREIGN KEY (v) REFERENCES T_o ON DELETE CASCADE`, fields: v},
		{name: "generated", sql: `CREATE TABLE T (k int PRIMARY KEY, v text, w text, g text GENERATED ALWAYS AS (v || '!') STORED)` + rows, fields: v, kinds: on(sources.HazardGenerated)},
		{name: "generated_from_others", sql: `CREATE TABLE T (k int PRIMARY KEY, v text, w text, g text GENERATED ALWAYS AS (w || '!') STORED)` + rows, fields: v},
		{name: "generated_itself", sql: `CREATE TABLE T (k int PRIMARY KEY, v text, w text, g text GENERATED ALWAYS AS (v || '!') STORED)` + rows, fields: []string{"g"}, refused: true},
		{name: "partitioned_by_what_is_written", sql: `CREATE TABLE T (k int, v text, w text, UNIQUE (k, v)) PARTITION BY LIST (v); CREATE TABLE T_rest PARTITION OF T DEFAULT` + rows, fields: v, kinds: on(sources.HazardPartitions, sources.HazardUnique, sources.HazardNoKey)},
		{name: "partitioned_by_key", sql: `CREATE TABLE T (k int PRIMARY KEY, v text, w text) PARTITION BY RANGE (k); CREATE TABLE T_1 PARTITION OF T FOR VALUES FROM (0) TO (3);
			CREATE TABLE T_2 PARTITION OF T FOR VALUES FROM (3) TO (10)` + rows, fields: v, deletes: true},
		{name: "partition_with_a_trigger", sql: `CREATE TABLE T (k int PRIMARY KEY, v text, w text) PARTITION BY RANGE (k); CREATE TABLE T_1 PARTITION OF T FOR VALUES FROM (0) TO (10)` +
			rows + trigger + `CREATE TRIGGER t BEFORE UPDATE ON T_1 FOR EACH ROW EXECUTE FUNCTION T_f()`, fields: v, kinds: on(sources.HazardTriggers)},
		{name: "partition_with_a_unique_index", sql: `CREATE TABLE T (k int PRIMARY KEY, v text, w text) PARTITION BY RANGE (k); CREATE TABLE T_1 PARTITION OF T FOR VALUES FROM (0) TO (10)` +
			rows + `CREATE UNIQUE INDEX ON T_1 (v)`, fields: v, kinds: on(sources.HazardUnique)},
		{name: "row_security", sql: plain + rows + `ALTER TABLE T ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON T USING (k > 2)`, fields: v, kinds: on(sources.HazardRowSecurity)},
		{name: "row_security_forced", sql: plain + rows + `ALTER TABLE T ENABLE ROW LEVEL SECURITY; ALTER TABLE T FORCE ROW LEVEL SECURITY`, deletes: true, kinds: on(sources.HazardRowSecurity)},
		{name: "unique", sql: unique + rows, fields: v, kinds: on(sources.HazardUnique)},
		{name: "unique_with_key", sql: plain + rows + `CREATE UNIQUE INDEX ON T (k, v)`, fields: v, kinds: on(sources.HazardUnique)},
		{name: "unique_partial", sql: plain + rows + `CREATE UNIQUE INDEX ON T (v) WHERE w IS NOT NULL`, fields: v, kinds: on(sources.HazardUnique)},
		{name: "unique_expression", sql: plain + rows + `CREATE UNIQUE INDEX ON T (lower(v))`, fields: v, kinds: on(sources.HazardUnique)},
		{name: "unique_where_written", sql: plain + rows + `CREATE UNIQUE INDEX ON T (w) WHERE v > 'a'`, fields: v, kinds: on(sources.HazardUnique)},
		{name: "unique_of_others", sql: plain + rows + `CREATE UNIQUE INDEX ON T (w)`, fields: v},
		{name: "exclusion", sql: plain + rows + `ALTER TABLE T ADD EXCLUDE USING gist (box(point(k, k), point(k + length(v) * 0.01, k)) WITH &&)`, fields: v, kinds: on(sources.HazardUnique)},
		{name: "several", sql: unique + rows + trigger + `CREATE TRIGGER t BEFORE UPDATE ON T FOR EACH ROW EXECUTE FUNCTION T_f(); ALTER TABLE T ADD g text GENERATED ALWAYS AS (v) STORED`, fields: v,
			kinds: on(sources.HazardUnique, sources.HazardTriggers, sources.HazardGenerated)},
		{name: "view", sql: `CREATE TABLE T_base (k int PRIMARY KEY, v text, w text); CREATE VIEW T AS SELECT * FROM T_base` + rows, fields: v, refused: true},
		{name: "materialized_view", sql: `CREATE MATERIALIZED VIEW T AS SELECT i AS k, 'v' AS v, 'w' AS w FROM generate_series(1, 5) i; CREATE UNIQUE INDEX ON T (k)`, fields: v, refused: true},
		{name: "no_unique_key", sql: `CREATE TABLE T (k int, v text, w text)` + rows, fields: v, kinds: on(sources.HazardNoKey)},
		{name: "partly_unique_key", sql: `CREATE TABLE T (k int, v text, w text); CREATE UNIQUE INDEX ON T (k) WHERE w > 'a'` + rows, fields: v, kinds: on(sources.HazardNoKey)},
		{name: "later_unique_key", sql: `CREATE TABLE T (k int UNIQUE DEFERRABLE INITIALLY DEFERRED, v text, w text)` + rows, fields: v, kinds: on(sources.HazardNoKey)},
		{name: "parent_of_others", sql: plain + rows + `CREATE TABLE T_c () INHERITS (T); INSERT INTO T_c VALUES (3, 'x', 'y')`, fields: v, kinds: on(sources.HazardNoKey)},
	}
}

// Whatever a write would touch besides its record is told before (that is the
// conformance suite's to check); where it is allowed all the same, no other row
// of the table changes, and what the server makes something else of is taken back.
func TestAllowedHazardsTouchNoOtherRecord(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	writer := d.openWith(sources.Options{Writable: true})
	written, taken := 0, 0
	for _, c := range matrix() {
		if c.refused {
			continue
		}
		table := "a_" + c.name
		d.exec(c.sqlFor(table))
		ds := &sources.Dataset{Name: table, Key: []string{"k"}, Fields: c.all()}
		var kinds []sources.ChangeKind
		if len(c.fields) > 0 {
			kinds = append(kinds, sources.Update)
		}
		if c.deletes {
			kinds = append(kinds, sources.Delete)
		}
		for _, kind := range kinds {
			before := look(t, writer, ds, 1, kind == sources.Delete)
			after := &sources.Image{}
			if kind == sources.Update {
				var err error
				if after, err = writer.Become(t.Context(), ds, before, []sources.Assignment{{Field: c.fields[0], Value: sources.Text("new")}}); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
			was := rowsOf(d, table)
			err := writer.Write(t.Context(), ds, &sources.Change{Key: sources.Key{sources.Int(1)}, Before: before, After: after}, before.ReadAt.Add(time.Minute))
			var not *sources.NotWritten
			switch {
			case c.undone && (!errors.As(err, &not) || not.Stale || not.Late):
				t.Errorf("%s: %s: %v; it should be taken back", c.name, kind, err)
			case !c.undone && err != nil:
				t.Errorf("%s: %s: %v", c.name, kind, err)
			}
			is := rowsOf(d, table)
			if c.undone {
				taken++
			} else if written++; was["1"] == is["1"] {
				t.Errorf("%s: %s: nothing was written", c.name, kind)
			} else {
				delete(was, "1")
				delete(is, "1")
			}
			if fmt.Sprint(was) != fmt.Sprint(is) && !c.spreads {
				t.Errorf("%s: %s: other rows were touched: %v, now %v", c.name, kind, was, is)
			}
		}
	}
	t.Logf("%d cases: %d writes made, %d taken back", len(matrix()), written, taken)
}

func look(t *testing.T, s *source, ds *sources.Dataset, k int64, whole bool) *sources.Image {
	t.Helper()
	image, err := s.Look(t.Context(), ds, sources.Key{sources.Int(k)}, nil, sources.Looking{Whole: whole})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// rowsOf are the texts of a table's rows, by key.
func rowsOf(d *database, table string) map[string]string {
	d.t.Helper()
	rows := map[string]string{}
	text := d.one("SELECT coalesce(string_agg(k || E'\\x01' || t::text, E'\\x02' ORDER BY k), '') FROM " + table + " t")
	for _, row := range strings.Split(text, "\x02") {
		k, rest, _ := strings.Cut(row, "\x01")
		rows[k] = rest
	}
	return rows
}
