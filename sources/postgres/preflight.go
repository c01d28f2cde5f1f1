package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// tree are the object ids of a table and of all that inherit from it.
const tree = `WITH RECURSIVE tree(oid) AS (SELECT $1::oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid) `

// Preflight asks the catalogue. What is switched off for our sessions (a disabled
// trigger, one for replicas) is no hazard, nor is what merely refuses a write (a
// foreign key without an action).
func (s *source) Preflight(ctx context.Context, d *sources.Dataset, fields []string, deletes bool) ([]sources.Hazard, error) {
	p, err := s.learn(ctx, d) // what is known may be of yesterday
	if err != nil {
		return nil, err
	}
	l, err := p.layoutFor(ctx, s, true)
	if err != nil {
		return nil, err
	}
	written, err := p.written(l, fields)
	if err != nil {
		return nil, err
	}
	if err := p.writable(); err != nil {
		return nil, sources.Final(err)
	}
	if s.writable {
		if err := p.allowed(ctx, s, written, deletes); err != nil {
			return nil, err
		}
	}
	w := &touched{source: s, table: p.table.oid, deletes: deletes}
	if !p.unique {
		w.add(sources.HazardNoKey, "no unique constraint keeps two records of %s from sharing (%s)", p.title(), strings.Join(slices.Concat(p.dataset.Key, p.dataset.ID), ", "))
	}
	for _, c := range written {
		w.columns = append(w.columns, c.number)
		w.names = append(w.names, c.name)
	}
	for _, look := range []func(context.Context) error{w.triggers, w.cascades, w.generated, w.partitions, w.rowSecurity, w.uniques, w.standby} {
		if err := look(ctx); err != nil {
			return nil, fmt.Errorf("look what a write to %s would touch: %w", p.title(), err)
		}
	}
	return w.hazards, nil
}

// written are the columns that hold fields.
func (p *plan) written(l *layout, fields []string) (columns []*stored, err error) {
	for _, field := range fields {
		i := slices.Index(p.dataset.Fields, field)
		if i < 0 {
			return nil, sources.Final(fmt.Errorf("%s is no field of %s", field, p.title()))
		}
		c := l.column(p.columns[p.fields[i].column].name)
		switch {
		case c == nil:
			return nil, errChanged
		case c.generated != "":
			return nil, sources.Final(fmt.Errorf("%s is computed by the server: it cannot be written", c.name))
		}
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	return columns, nil
}

// writable says why no record of the plan's table can be written by itself.
func (p *plan) writable() error {
	switch p.table.kind {
	case "v":
		return fmt.Errorf("%s is a view: what a write to it does, its rules say; name the table instead", p.title())
	case "m":
		return fmt.Errorf("%s is a materialized view: it cannot be written", p.title())
	case "f":
		return fmt.Errorf("%s is a foreign table: another server keeps it, and its writes are not ours to bound; name it as a source of its own", p.title())
	}
	return nil
}

// allowed checks that our role may write what it is opened for.
func (p *plan) allowed(ctx context.Context, s *source, written []*stored, deletes bool) error {
	names := make([]string, len(written))
	for i, c := range written {
		names[i] = c.number
	}
	rows, err := s.texts(ctx, `SELECT a.attname, current_user FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum = ANY ($2::int2[])
		AND NOT has_column_privilege(a.attrelid, a.attnum, 'UPDATE')
		UNION ALL SELECT '', current_user WHERE $3::bool AND NOT has_table_privilege($1::oid, 'DELETE')`, p.table.oid, array(names), fmt.Sprint(deletes))
	if err != nil {
		return fmt.Errorf("ask for our rights to %s: %w", p.title(), err)
	}
	if len(rows) == 0 {
		return nil
	}
	rights := make([]string, len(rows))
	for i, r := range rows {
		rights[i] = "UPDATE (" + ident(r[0]) + ")"
		if r[0] == "" {
			rights[i] = "DELETE"
		}
	}
	role := rows[0][1]
	return sources.Final(fmt.Errorf("role %s may not write %s as it should; run: GRANT %s ON %s TO %s", role, p.title(), strings.Join(rights, ", "), p.from, ident(role)))
}

// touched gathers hazards of a write.
type touched struct {
	source         *source
	table          string
	columns, names []string // that are written
	deletes        bool
	hazards        []sources.Hazard
}

func (w *touched) add(kind sources.HazardKind, format string, args ...any) {
	h := sources.Hazard{Kind: kind, What: fmt.Sprintf(format, args...)}
	if !slices.Contains(w.hazards, h) { // each partition has a trigger of its table's
		w.hazards = append(w.hazards, h)
	}
}

// ask runs a catalogue query: $1 is the table, $2 the columns that are written,
// $3 whether any is, $4 whether records are deleted (and put back).
func (w *touched) ask(ctx context.Context, query string, each func(r []string)) error {
	st := textStatement(query, []string{w.table, array(w.columns), fmt.Sprint(len(w.columns) > 0), fmt.Sprint(w.deletes)})
	for i, cast := range []string{"oid", "int2[]", "bool", "bool"} {
		st.text = strings.ReplaceAll(st.text, fmt.Sprintf("$%d", i+1), fmt.Sprintf("$%d::%s", i+1, cast))
	}
	st.text += " AND ($1::oid, $2::int2[], $3::bool, $4::bool) IS NOT NULL" // each is named, whatever the query asks
	res, err := w.source.run(ctx, st)
	if err != nil {
		return err
	}
	for _, r := range res.texts() {
		each(r)
	}
	return nil
}

// The bits of pg_trigger.tgtype.
const (
	triggerInsert = 4
	triggerDelete = 8
	triggerUpdate = 16
)

func (w *touched) triggers(ctx context.Context) error {
	query := fmt.Sprintf(tree+`SELECT t.tgname, c.relname, CASE t.tgtype & 66 WHEN 2 THEN 'before' WHEN 64 THEN 'instead of' ELSE 'after' END,
			concat_ws(' or ', CASE WHEN t.tgtype & %[1]d > 0 THEN 'insert' END, CASE WHEN t.tgtype & %[2]d > 0 THEN 'delete' END, CASE WHEN t.tgtype & %[3]d > 0 THEN 'update' END)
		FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid JOIN pg_class c ON c.oid = $1
		WHERE NOT t.tgisinternal AND (t.tgenabled = 'A' OR t.tgenabled = CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END)
		AND ($3 AND t.tgtype & %[3]d > 0 AND (t.tgattr = '' OR t.tgattr::int2[] && $2) OR $4 AND t.tgtype & (%[1]d | %[2]d) > 0
			OR $3 AND c.relkind = 'p' AND t.tgtype & (%[1]d | %[2]d) > 0 AND EXISTS (SELECT FROM pg_depend d WHERE %[4]s))`,
		triggerInsert, triggerDelete, triggerUpdate, partitionedBy)
	err := w.ask(ctx, query, func(r []string) {
		w.add(sources.HazardTriggers, "trigger %s of %s (%s %s)", r[0], r[1], r[2], r[3])
	})
	if err != nil {
		return err
	}
	return w.ask(ctx, tree+`SELECT r.rulename, CASE r.ev_type WHEN '2' THEN 'update' WHEN '3' THEN 'insert' ELSE 'delete' END
		FROM pg_rewrite r JOIN tree ON tree.oid = r.ev_class
		WHERE (r.ev_enabled = 'A' OR r.ev_enabled = CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END)
		AND ($3 AND r.ev_type = '2' OR $4 AND r.ev_type IN ('3', '4'))`, func(r []string) {
		w.add(sources.HazardTriggers, "rule %s (on %s)", r[0], r[1])
	})
}

func (w *touched) cascades(ctx context.Context) error {
	return w.ask(ctx, tree+`SELECT k.conname, k.conrelid::regclass, $3 AND k.confkey && $2 AND k.confupdtype IN ('c', 'n', 'd')
		FROM pg_constraint k JOIN tree ON tree.oid = k.confrelid
		WHERE k.contype = 'f' AND ($3 AND k.confkey && $2 AND k.confupdtype IN ('c', 'n', 'd') OR $4 AND k.confdeltype IN ('c', 'n', 'd'))`, func(r []string) {
		when := "deleted"
		if r[2] == "t" {
			when = "written"
		}
		w.add(sources.HazardCascades, "foreign key %s: rows of %s follow when a record is %s", r[0], r[1], when)
	})
}

func (w *touched) generated(ctx context.Context) error {
	return w.ask(ctx, `SELECT DISTINCT g.attname FROM pg_attribute g JOIN pg_attrdef f ON f.adrelid = g.attrelid AND f.adnum = g.attnum
			JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = g.attrelid AND d.refobjsubid = ANY ($2)
				AND (d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid OR d.classid = 'pg_class'::regclass AND d.objid = g.attrelid AND d.objsubid = g.attnum)
		WHERE g.attrelid = $1 AND g.attgenerated <> ''`, func(r []string) {
		w.add(sources.HazardGenerated, "column %s is computed from what is written", r[0])
	})
}

// partitionedBy says of pg_depend d that a written column is part of a
// partitioned table's key, also within an expression.
const partitionedBy = `d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = d.objid AND d.refobjsubid = 0
	AND d.deptype = 'i' AND d.objid = $1 AND d.objsubid = ANY ($2)`

func (w *touched) partitions(ctx context.Context) error {
	return w.ask(ctx, tree+`SELECT a.attname, t.relname FROM pg_class t JOIN tree ON tree.oid = t.oid JOIN pg_attribute own ON own.attrelid = $1 AND own.attnum = ANY ($2)
			JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = own.attname
			JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.objsubid = a.attnum
				AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.refobjsubid = 0 AND d.deptype = 'i'
		WHERE t.relkind = 'p'`, func(r []string) {
		w.add(sources.HazardPartitions, "%s is partitioned by %s: the record may move", r[1], r[0])
	})
}

func (w *touched) rowSecurity(ctx context.Context) error {
	return w.ask(ctx, tree+`SELECT c.relname FROM pg_class c JOIN tree ON tree.oid = c.oid WHERE c.relrowsecurity`, func(r []string) {
		w.add(sources.HazardRowSecurity, "row-level security of %s: its policies do not bind our role, which may write what others may not see", r[0])
	})
}

func (w *touched) uniques(ctx context.Context) error {
	return w.ask(ctx, tree+`SELECT DISTINCT i.relname, x.indisexclusion FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN tree ON tree.oid = x.indrelid
			JOIN pg_attribute own ON own.attrelid = $1 AND own.attnum = ANY ($2)
			JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attname = own.attname
		WHERE (x.indisunique OR x.indisexclusion) AND (a.attnum = ANY (x.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
			AND d.objid = x.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = x.indrelid AND d.refobjsubid = a.attnum))`, func(r []string) {
		word := "unique index"
		if r[1] == "t" {
			word = "exclusion constraint"
		}
		w.add(sources.HazardUnique, "%s %s covers what is written", word, r[0])
	})
}

func (w *touched) standby(ctx context.Context) error {
	return w.ask(ctx, `SELECT WHERE pg_is_in_recovery()`, func([]string) {
		w.add(sources.HazardStandby, "a standby answers: what is read may be late, and nothing can be written through it")
	})
}
