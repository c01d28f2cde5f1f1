package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// Preflight asks the catalogue. What merely refuses a write (a foreign key
// without an action) is no hazard. A table whose engine cannot take a write back
// is refused.
func (s *source) Preflight(ctx context.Context, d *sources.Dataset, fields []string, deletes bool) ([]sources.Hazard, error) {
	p, err := s.learn(ctx, d) // what is known may be of yesterday
	if err != nil {
		return nil, err
	}
	l, err := p.layoutFor(ctx, s, true)
	if err != nil {
		return nil, s.failed(p, err)
	}
	if err := s.writableTable(ctx, p, l); err != nil {
		return nil, err
	}
	written, err := p.written(l, fields)
	if err != nil {
		return nil, err
	}
	if s.writable {
		if err := s.allowed(ctx, p, written, deletes); err != nil {
			return nil, err
		}
	}
	w := &touched{source: s, plan: p, layout: l, deletes: deletes}
	for _, c := range written {
		w.columns = append(w.columns, c.name)
	}
	for _, look := range []func(context.Context) error{w.generated, w.indexes, w.triggers, w.cascades, w.partitions, w.standby} {
		if err := look(ctx); err != nil {
			return nil, fmt.Errorf("look what a write to %s would touch: %w", p.title(), err)
		}
	}
	return w.hazards, nil
}

// written are the columns that hold fields.
func (p *plan) written(l *layout, fields []string) (columns []*stored, err error) {
	for _, field := range fields {
		c, _, err := p.fieldColumn(l, field)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	return columns, nil
}

// writableTable says why no record of the plan's table can be written by itself.
func (s *source) writableTable(ctx context.Context, p *plan, l *layout) error {
	if l.view != "" {
		return sources.Final(fmt.Errorf("%s is a %s: what a write to it does, it does not say; name the table instead", p.title(), strings.ToLower(l.view)))
	}
	rows, err := s.texts(ctx, `SELECT coalesce(TRANSACTIONS, 'NO') FROM information_schema.ENGINES WHERE ENGINE = ?`, l.engine)
	if err != nil {
		return fmt.Errorf("ask whether %s has transactions: %w", l.engine, err)
	}
	if len(rows) != 1 || rows[0][0] != "YES" {
		return sources.Final(fmt.Errorf("%s is kept by %s, which has no transactions: a write that goes wrong could not be taken back; run: ALTER TABLE %s ENGINE = InnoDB",
			p.title(), l.engine, p.from))
	}
	return nil
}

// The errors by which the server denies a right to a table or column of it.
const (
	errDeniedDatabase = 1044
	errDeniedTable    = 1142
	errDeniedColumn   = 1143
)

// allowed has the server plan what our role is opened for, which takes the rights
// to do it, and does nothing.
func (s *source) allowed(ctx context.Context, p *plan, written []*stored, deletes bool) error {
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return err
	}
	defer s.pool.release(c)
	if err := c.exec(ctx, "START TRANSACTION READ WRITE"); err != nil { // else even a plan is refused
		return fmt.Errorf("ask for our rights to %s: %w", p.title(), err)
	}
	for _, column := range written {
		name := ident(column.name)
		if err := c.mayRun(ctx, p, "UPDATE ("+name+")", fmt.Sprintf("UPDATE %s SET %s = %[2]s WHERE FALSE", p.from, name)); err != nil {
			return err
		}
	}
	if deletes {
		if err := c.mayRun(ctx, p, "DELETE", fmt.Sprintf("DELETE FROM %s WHERE FALSE", p.from)); err != nil {
			return err
		}
	}
	return c.exec(ctx, "ROLLBACK")
}

// mayRun says that our role lacks a right, where the server will not plan what
// takes it. Then the connection is not used again: its transaction is open.
func (c *conn) mayRun(ctx context.Context, p *plan, right, statement string) error {
	_, err := c.facts(ctx, "EXPLAIN "+statement)
	switch number(err) {
	case errDeniedDatabase, errDeniedTable, errDeniedColumn:
		c.broken = true
		return sources.Final(fmt.Errorf("our role may not write %s as it should; run: GRANT %s ON %s TO …", p.title(), right, p.from))
	}
	if err != nil {
		c.broken = true
		return fmt.Errorf("ask for our rights to %s: %w", p.title(), err)
	}
	return nil
}

// touched gathers hazards of a write.
type touched struct {
	source  *source
	plan    *plan
	layout  *layout
	columns []string // that are written, and those computed from them
	deletes bool
	hazards []sources.Hazard
}

func (w *touched) add(kind sources.HazardKind, format string, args ...any) {
	h := sources.Hazard{Kind: kind, What: fmt.Sprintf(format, args...)}
	if !slices.Contains(w.hazards, h) {
		w.hazards = append(w.hazards, h)
	}
}

// writes says whether a column is written, or computed from one that is.
func (w *touched) writes(column string) bool {
	return slices.ContainsFunc(w.columns, func(name string) bool { return strings.EqualFold(name, column) })
}

// mentions says whether an expression names a column that is written. The server
// shows expressions with every name quoted, but for some of partitions.
func (w *touched) mentions(expression string) bool {
	expression = strings.ToLower(expression)
	return slices.ContainsFunc(w.columns, func(name string) bool {
		name = strings.ToLower(name)
		return strings.Contains(expression, ident(name)) || !strings.Contains(expression, "`") && strings.Contains(expression, name)
	})
}

func (w *touched) generated(context.Context) error {
	for again := true; again; { // one may be computed from another
		again = false
		for _, c := range w.layout.columns {
			if c.generated != "" && !w.writes(c.name) && w.mentions(c.generated) {
				w.add(sources.HazardGenerated, "column %s is computed from what is written", c.name)
				w.columns, again = append(w.columns, c.name), true
			}
		}
	}
	return nil
}

// indexes looks at the unique ones: whether one covers what is written, and
// whether one keeps records from sharing a key.
func (w *touched) indexes(ctx context.Context) error {
	all, err := w.source.indexColumns(ctx, w.plan)
	if err != nil {
		return err
	}
	unique := false
	for _, x := range all {
		if !x.unique {
			continue
		}
		if slices.ContainsFunc(x.columns, w.writes) || slices.ContainsFunc(x.expressions, w.mentions) {
			w.add(sources.HazardUnique, "unique index %s covers what is written", x.name)
		}
		unique = unique || w.keeps(x)
	}
	if !unique {
		w.add(sources.HazardNoKey, "no unique index keeps two records of %s from sharing (%s)", w.plan.title(), strings.Join(w.plan.keyColumns(), ", "))
	}
	return nil
}

// keeps says whether an index keeps two records from sharing the dataset's key and id.
func (w *touched) keeps(x indexColumns) bool {
	key := w.plan.keyColumns()
	return !x.partial && len(x.expressions) == 0 && !slices.ContainsFunc(x.columns, func(column string) bool {
		c := w.layout.column(column)
		return c == nil || !c.notNull || !slices.ContainsFunc(key, func(name string) bool { return strings.EqualFold(name, column) })
	})
}

func (w *touched) triggers(ctx context.Context) error {
	p := w.plan
	rows, err := w.source.texts(ctx, `SELECT TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION FROM information_schema.TRIGGERS
		WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? ORDER BY TRIGGER_NAME`, p.schema, p.table)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r[2] == "UPDATE" && len(w.columns) > 0 || r[2] != "UPDATE" && w.deletes {
			w.add(sources.HazardTriggers, "trigger %s of %s (%s %s)", r[0], p.title(), strings.ToLower(r[1]), strings.ToLower(r[2]))
		}
	}
	if len(rows) > 0 {
		return nil
	}
	sees, err := w.source.has(ctx, "TRIGGER", p.schema, p.table)
	if err == nil && !sees {
		w.add(sources.HazardTriggers, "our role may not see the triggers of %s; run: GRANT TRIGGER ON %s TO …", p.title(), p.from)
	}
	return err
}

// cascades looks for foreign keys that follow the record. Those of tables that
// our role may not see are named by the server's engine alone.
func (w *touched) cascades(ctx context.Context) error {
	p := w.plan
	rows, err := w.source.texts(ctx, `SELECT r.CONSTRAINT_NAME, r.CONSTRAINT_SCHEMA, r.TABLE_NAME, r.UPDATE_RULE, r.DELETE_RULE, coalesce(k.REFERENCED_COLUMN_NAME, '')
		FROM information_schema.REFERENTIAL_CONSTRAINTS r JOIN information_schema.KEY_COLUMN_USAGE k
			ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME AND k.TABLE_NAME = r.TABLE_NAME
		WHERE r.UNIQUE_CONSTRAINT_SCHEMA = ? AND r.REFERENCED_TABLE_NAME = ? ORDER BY 2, 3, 1`, p.schema, p.table)
	if err != nil {
		return err
	}
	follows := func(rule string) bool { return rule == "CASCADE" || rule == "SET NULL" || rule == "SET DEFAULT" }
	for _, r := range rows {
		switch {
		case w.writes(r[5]) && follows(r[3]):
			w.add(sources.HazardCascades, "foreign key %s: rows of %s.%s follow when a record is written", r[0], r[1], r[2])
		case w.deletes && follows(r[4]):
			w.add(sources.HazardCascades, "foreign key %s: rows of %s.%s follow when a record is deleted", r[0], r[1], r[2])
		}
	}
	return w.hiddenCascades(ctx)
}

// hiddenCascades says whether tables that our role does not see may follow.
func (w *touched) hiddenCascades(ctx context.Context) error {
	indexes, err := w.source.indexColumns(ctx, w.plan)
	if err != nil {
		return err
	}
	referable := w.deletes || slices.ContainsFunc(indexes, func(x indexColumns) bool { return slices.ContainsFunc(x.columns, w.writes) })
	if !referable {
		return nil
	}
	sees, err := w.source.has(ctx, "SELECT", "", "")
	if err == nil && !sees {
		w.add(sources.HazardCascades, "our role may not see all tables: rows of those that refer to %s may follow; run: GRANT SELECT ON *.* TO … to be sure", w.plan.title())
	}
	return err
}

func (w *touched) partitions(ctx context.Context) error {
	p := w.plan
	rows, err := w.source.texts(ctx, `SELECT DISTINCT coalesce(PARTITION_METHOD, ''), coalesce(PARTITION_EXPRESSION, ''), coalesce(SUBPARTITION_EXPRESSION, '')
		FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND PARTITION_METHOD IS NOT NULL`, p.schema, p.table)
	if err != nil {
		return err
	}
	for _, r := range rows {
		by := strings.TrimSpace(r[1] + " " + r[2])
		if w.mentions(by) || by == "" && w.writesPrimary(ctx) {
			w.add(sources.HazardPartitions, "%s is partitioned by %s (%s): the record may move", p.title(), strings.ToLower(r[0]), by)
		}
	}
	return nil
}

// writesPrimary says whether the primary key is written, by which KEY() cuts.
func (w *touched) writesPrimary(ctx context.Context) bool {
	indexes, err := w.source.indexColumns(ctx, w.plan)
	return err != nil || slices.ContainsFunc(indexes, func(x indexColumns) bool { return x.name == "PRIMARY" && slices.ContainsFunc(x.columns, w.writes) })
}

func (w *touched) standby(ctx context.Context) error {
	standby, _, err := w.source.standby(ctx)
	if err != nil {
		return err
	}
	rows, err := w.source.texts(ctx, "SELECT @@GLOBAL.read_only")
	if err != nil {
		return err
	}
	switch {
	case standby:
		w.add(sources.HazardStandby, "a standby answers: what is read may be late, and what is written through it its primary does not know")
	case rows[0][0] != "0":
		w.add(sources.HazardStandby, "the server is read-only: nothing can be written through it")
	}
	return nil
}
