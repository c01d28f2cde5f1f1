package mysql

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
	sql     string // statements, one a line
	fields  []string
	deletes bool
	kinds   []sources.HazardKind
	refused bool // by preflight, whatever is allowed
	// undone: the server makes something else of the write, or refuses it, so it is
	// taken back.
	undone bool
	// spreads: what is allowed changes other rows of the same table.
	spreads bool
}

// statements writes the case for a table of that name.
func (c *hazardCase) statements(table string) []string {
	return strings.Split(strings.TrimSpace(regexp.MustCompile(`\bT(\b|_)`).ReplaceAllString(c.sql, table+"$1")), "\n")
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
		rows   = "\nINSERT INTO T (k, v, w) VALUES (1, 'v1', 'w1'), (2, 'v2', 'w2'), (3, 'v3', 'w3'), (4, 'v4', 'w4'), (5, 'v5', 'w5')\n"
		plain  = "CREATE TABLE T (k int PRIMARY KEY, v varchar(20), w varchar(20)) ENGINE=InnoDB" + rows
		unique = "CREATE TABLE T (k int PRIMARY KEY, v varchar(20) UNIQUE, w varchar(20)) ENGINE=InnoDB" + rows
		child  = "\nINSERT INTO T_child SELECT k FROM T"
	)
	v := []string{"v"}
	on := func(kinds ...sources.HazardKind) []sources.HazardKind { return kinds }
	trigger := func(when, does string) string {
		return plain + "CREATE TABLE T_log (k int)\nCREATE TRIGGER T_t " + when + " ON T FOR EACH ROW " + does
	}
	follows := func(action string) string { // v is referred to
		return unique + "CREATE TABLE T_child (v varchar(20), FOREIGN KEY (v) REFERENCES T (v) " + action + ")\nINSERT INTO T_child SELECT v FROM T WHERE k < 5"
	}
	refers := func(action string) string { // k is referred to
		return plain + "CREATE TABLE T_child (k int, FOREIGN KEY (k) REFERENCES T (k) " + action + ")" + child
	}
	computed := func(g string) string {
		return "CREATE TABLE T (k int PRIMARY KEY, v varchar(20), w varchar(20), g varchar(30) " + g + ")" + rows
	}
	return []hazardCase{
		{name: "nothing", sql: plain, fields: v, deletes: true},
		{name: "trigger_before", sql: trigger("BEFORE UPDATE", "INSERT INTO T_log VALUES (NEW.k)"), fields: v, kinds: on(sources.HazardTriggers)},
		{name: "trigger_after", sql: trigger("AFTER UPDATE", "INSERT INTO T_log VALUES (NEW.k)"), fields: v, kinds: on(sources.HazardTriggers)},
		{name: "trigger_changes", sql: trigger("BEFORE UPDATE", "SET NEW.w = 'touched'"), fields: v, kinds: on(sources.HazardTriggers), undone: true},
		{name: "trigger_fails", sql: trigger("BEFORE UPDATE", "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"), fields: v, kinds: on(sources.HazardTriggers), undone: true},
		{name: "trigger_insert", sql: trigger("BEFORE INSERT", "INSERT INTO T_log VALUES (NEW.k)"), fields: v},
		{name: "trigger_insert_of_put_back", sql: trigger("AFTER INSERT", "INSERT INTO T_log VALUES (NEW.k)"), deletes: true, kinds: on(sources.HazardTriggers)},
		{name: "trigger_delete", sql: trigger("BEFORE DELETE", "INSERT INTO T_log VALUES (OLD.k)"), deletes: true, kinds: on(sources.HazardTriggers)},
		{name: "trigger_delete_of_update", sql: trigger("BEFORE DELETE", "INSERT INTO T_log VALUES (OLD.k)"), fields: v},
		{name: "trigger_of_another_table", sql: plain + "CREATE TABLE T_o (k int)\nCREATE TRIGGER T_t BEFORE UPDATE ON T_o FOR EACH ROW SET NEW.k = 1", fields: v, deletes: true},
		{name: "update_cascade", sql: follows("ON UPDATE CASCADE"), fields: v, kinds: on(sources.HazardCascades, sources.HazardUnique)},
		{name: "update_set_null", sql: follows("ON UPDATE SET NULL"), fields: v, kinds: on(sources.HazardCascades, sources.HazardUnique)},
		{name: "update_restrict", sql: follows("ON UPDATE RESTRICT"), fields: v, kinds: on(sources.HazardUnique), undone: true},
		{name: "update_of_what_nobody_refers_to", sql: follows("ON UPDATE CASCADE"), fields: []string{"w"}},
		{name: "delete_cascade", sql: refers("ON DELETE CASCADE"), deletes: true, kinds: on(sources.HazardCascades)},
		{name: "delete_set_null", sql: refers("ON DELETE SET NULL"), deletes: true, kinds: on(sources.HazardCascades)},
		{name: "delete_restrict", sql: refers(""), deletes: true, undone: true},
		{name: "delete_cascade_of_update", sql: refers("ON DELETE CASCADE"), fields: v},
		{name: "delete_cascade_of_itself", sql: plain + "ALTER TABLE T ADD parent int, ADD FOREIGN KEY (parent) REFERENCES T (k) ON DELETE CASCADE\nUPDATE T SET parent = 1 WHERE k > 1", deletes: true,
			kinds: on(sources.HazardCascades), spreads: true},
		{name: "refers_to_others", sql: plain + "CREATE TABLE T_o (v varchar(20) PRIMARY KEY)\nINSERT INTO T_o SELECT v FROM T UNION SELECT 'new'\nALTER TABLE T ADD FOREIGN KEY (v) REFERENCES T_o (v) ON DELETE CASCADE", fields: v},
		{name: "generated", sql: computed("GENERATED ALWAYS AS (concat(v, '!')) STORED"), fields: v, kinds: on(sources.HazardGenerated)},
		{name: "generated_on_reading", sql: computed("GENERATED ALWAYS AS (concat(v, '!')) VIRTUAL"), fields: v, kinds: on(sources.HazardGenerated)},
		{name: "generated_of_generated", sql: computed("GENERATED ALWAYS AS (concat(v, '!')) STORED, h int GENERATED ALWAYS AS (length(g)) VIRTUAL"), fields: v, kinds: on(sources.HazardGenerated)},
		{name: "generated_from_others", sql: computed("GENERATED ALWAYS AS (concat(w, '!')) STORED"), fields: v},
		{name: "generated_itself", sql: computed("GENERATED ALWAYS AS (concat(v, '!')) STORED"), fields: []string{"g"}, refused: true},
		{name: "partitioned_by_what_is_written", sql: "CREATE TABLE T (k int, v varchar(20), w varchar(20), UNIQUE (k, v)) PARTITION BY KEY (v) PARTITIONS 4" + rows, fields: v,
			kinds: on(sources.HazardPartitions, sources.HazardUnique, sources.HazardNoKey)},
		{name: "partitioned_by_key", sql: "CREATE TABLE T (k int PRIMARY KEY, v varchar(20), w varchar(20)) PARTITION BY RANGE (k) (PARTITION p0 VALUES LESS THAN (3), PARTITION p1 VALUES LESS THAN MAXVALUE)" + rows, fields: v, deletes: true},
		{name: "partitioned_by_primary_key", sql: "CREATE TABLE T (k int PRIMARY KEY, v varchar(20), w varchar(20)) PARTITION BY KEY () PARTITIONS 3" + rows, fields: v, deletes: true},
		{name: "unique", sql: unique, fields: v, kinds: on(sources.HazardUnique)},
		{name: "unique_with_key", sql: plain + "CREATE UNIQUE INDEX x ON T (k, v)", fields: v, kinds: on(sources.HazardUnique)},
		{name: "unique_of_the_beginning", sql: plain + "CREATE UNIQUE INDEX x ON T (v(2))", fields: v, kinds: on(sources.HazardUnique)},
		{name: "unique_of_what_is_computed", sql: computed("GENERATED ALWAYS AS (concat(v, '!')) STORED UNIQUE"), fields: v, kinds: on(sources.HazardUnique, sources.HazardGenerated)},
		{name: "unique_of_others", sql: plain + "CREATE UNIQUE INDEX x ON T (w)", fields: v},
		{name: "unique_taken", sql: unique + "UPDATE T SET v = 'new' WHERE k = 5", fields: v, kinds: on(sources.HazardUnique), undone: true},
		{name: "no_key", sql: "CREATE TABLE T (k int, v varchar(20), w varchar(20))" + rows, fields: v, kinds: on(sources.HazardNoKey)},
		{name: "no_unique_key", sql: "CREATE TABLE T (k int, v varchar(20), w varchar(20), KEY (k))" + rows, fields: v, kinds: on(sources.HazardNoKey)},
		{name: "unique_key_with_nulls", sql: "CREATE TABLE T (k int, v varchar(20), w varchar(20), UNIQUE (k))" + rows, fields: v, kinds: on(sources.HazardNoKey)},
		{name: "check", sql: plain + "ALTER TABLE T ADD CHECK (v <> 'new')", fields: v, undone: true},
		{name: "renewed", sql: "CREATE TABLE T (k int PRIMARY KEY, v varchar(20), w varchar(20), at timestamp(6) DEFAULT '2024-01-01' ON UPDATE current_timestamp(6))" + rows, fields: v, deletes: true},
		{name: "myisam", sql: "CREATE TABLE T (k int PRIMARY KEY, v varchar(20), w varchar(20)) ENGINE=MyISAM" + rows, fields: v, refused: true},
		{name: "memory", sql: "CREATE TABLE T (k int PRIMARY KEY, v varchar(20), w varchar(20)) ENGINE=MEMORY" + rows, deletes: true, refused: true},
		{name: "view", sql: "CREATE TABLE T_o (k int PRIMARY KEY, v varchar(20), w varchar(20))\nCREATE VIEW T AS SELECT * FROM T_o" + rows, fields: v, refused: true},
	}
}

// What preflight names happens, and what it does not name does not: each case is
// written, and all that it did must be on the record itself, unless it was named.
func TestHazardsAreWhatAWriteTouches(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	source := d.open(sources.Options{Writable: true})
	for _, c := range matrix() {
		if c.refused {
			continue // the conformance suite sees that Preflight refuses
		}
		t.Run(c.name, func(t *testing.T) {
			table := "t_" + c.name
			for _, statement := range c.statements(table) {
				d.exec(statement)
			}
			ds := &sources.Dataset{Name: table, Key: []string{"k"}, Fields: c.all()}
			all := d.dump(table)
			err := writeOne(t, source, ds, c.deletes && len(c.fields) == 0)
			var not *sources.NotWritten
			if err != nil && !errors.As(err, &not) {
				t.Fatal(err)
			}
			if (err != nil) != c.undone {
				t.Fatalf("%v; undone should be %v", err, c.undone)
			}
			now := d.dump(table)
			for k, was := range all {
				if k != "1" && now[k] != was && !c.spreads {
					t.Errorf("row %s was %s and is %s", k, was, now[k])
				}
			}
			if c.undone && now["1"] != all["1"] {
				t.Errorf("the record was %s and is %s, though nothing was written", all["1"], now["1"])
			}
		})
	}
}

// writeOne gives row 1 another v, or deletes it.
func writeOne(t *testing.T, s *source, d *sources.Dataset, deletes bool) error {
	t.Helper()
	key := sources.Key{sources.Int(1)}
	before, err := s.Look(t.Context(), d, key, nil, sources.Looking{Whole: deletes})
	if err != nil {
		t.Fatal(err)
	}
	after := &sources.Image{}
	if !deletes {
		if after, err = s.Become(t.Context(), d, before, []sources.Assignment{{Field: "v", Value: sources.Text("new")}}); err != nil {
			return &sources.NotWritten{Err: err}
		}
	}
	return s.Write(t.Context(), d, &sources.Change{Key: key, Before: before, After: after}, before.ReadAt.Add(time.Minute))
}

// dump is the text of every column of each row, by its k.
func (d *database) dump(table string) map[string]string {
	d.t.Helper()
	all := map[string]string{}
	for _, row := range d.rows(fmt.Sprintf("SELECT * FROM %s", table)) {
		all[row[0]] = strings.Join(row, " | ")
	}
	return all
}
