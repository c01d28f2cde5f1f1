package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// served says what the server's indexes do for a dataset.
type served struct {
	scanIndex, keyIndex string
	unique              bool
}

// index is a valid b-tree over whole columns of a whole table.
type index struct {
	name      string
	unique    bool
	columns   []string // pg_attribute.attnum; "0" for an expression
	usable    []bool   // compared as the column itself is: its collation, a default operator class
	straight  []bool   // ordered as we order, nulls last, when read in one direction or the other
	backwards []bool   // … the other
}

// findIndexes looks for indexes that serve a scan and a look-up.
func (p *plan) findIndexes(ctx context.Context, s *source) (served, error) {
	if p.table == nil || p.table.kind == "v" || p.table.inherited && p.table.kind != "p" {
		return p.askPlanner(ctx, s)
	}
	indexes, err := indexesOf(ctx, s, p.table)
	if err != nil {
		return served{}, err
	}
	var sv served
	for _, x := range indexes {
		if sv.scanIndex == "" && x.orders(p.scanBy, p.scope) {
			sv.scanIndex = x.name
		}
		if sv.keyIndex == "" && x.finds(p.columns[:p.keys], p.scope) {
			sv.keyIndex = x.name
		}
		sv.unique = sv.unique || x.unique && x.within(p.scanBy, p.scope)
	}
	return sv, nil
}

func indexesOf(ctx context.Context, s *source, t *table) ([]index, error) {
	rows, err := s.texts(ctx, `SELECT c.relname, x.indisunique AND x.indimmediate, k.attnum, k.option,
			k.coll = coalesce(a.attcollation, 0) AND EXISTS (SELECT FROM pg_opclass o JOIN pg_opclass d
				ON d.opcmethod = o.opcmethod AND d.opcfamily = o.opcfamily AND d.opcdefault WHERE o.oid = k.class)
		FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree',
			LATERAL unnest(x.indkey::int2[], x.indoption::int2[], x.indcollation::oid[], x.indclass::oid[])
				WITH ORDINALITY AS k(attnum, option, coll, class, nth)
			LEFT JOIN pg_attribute a ON a.attrelid = $1::oid AND a.attnum = k.attnum
		WHERE x.indrelid = $1::oid AND x.indisvalid AND x.indpred IS NULL AND k.nth <= x.indnkeyatts
		ORDER BY x.indisprimary DESC, x.indisunique DESC, x.indnkeyatts, c.relname, k.nth`, t.oid)
	if err != nil {
		return nil, fmt.Errorf("look up the indexes of %s: %w", t.title(), err)
	}
	var indexes []index
	for _, r := range rows {
		if len(indexes) == 0 || indexes[len(indexes)-1].name != r[0] {
			indexes = append(indexes, index{name: r[0], unique: r[1] == "t"})
		}
		x := &indexes[len(indexes)-1]
		x.columns = append(x.columns, r[2])
		x.usable = append(x.usable, r[4] == "t")
		x.straight = append(x.straight, r[3] == "0" || r[3] == "3") // ASC NULLS LAST, DESC NULLS FIRST
		x.backwards = append(x.backwards, r[3] == "3")
	}
	return indexes, nil
}

func scoped(scope []scopeTerm, number string) bool {
	return slices.ContainsFunc(scope, func(t scopeTerm) bool { return t.column.number == number && t.path == "" })
}

// orders says whether the index delivers rows by those columns, one after the
// other; columns that the scope holds still do not matter.
func (x *index) orders(by []*column, scope []scopeTerm) bool {
	next, direction := 0, -1
	for i, number := range x.columns {
		switch {
		case next == len(by):
			return true
		case number == by[next].number && x.usable[i] && x.straight[i] && (direction < 0 || x.backwards[i] == x.backwards[direction]):
			next, direction = next+1, i
		case !scoped(scope, number):
			return false
		}
	}
	return next == len(by)
}

// finds says whether the index's first columns are those, in any order.
func (x *index) finds(key []*column, scope []scopeTerm) bool {
	found := 0
	for i, number := range x.columns {
		switch {
		case found == len(key):
			return true
		case x.usable[i] && known(typeOf(key, number)) && slices.ContainsFunc(key, func(c *column) bool { return c.number == number }):
			found++
		case !scoped(scope, number):
			return false
		}
	}
	return found == len(key)
}

// typeOf returns the type of the column with that number, or one that is not known.
func typeOf(columns []*column, number string) *dataType {
	for _, c := range columns {
		if c.number == number {
			return c.typ
		}
	}
	return &dataType{}
}

// within says whether the index has no column but those and the scope's, each
// in the column's own collation: one that is unique by its bytes does not keep
// two records apart in an order that calls them equal.
func (x *index) within(columns []*column, scope []scopeTerm) bool {
	for i, number := range x.columns {
		if !x.usable[i] || !slices.ContainsFunc(columns, func(c *column) bool { return c.number == number }) && !scoped(scope, number) {
			return false
		}
	}
	return true
}

// askPlanner learns what indexes can do for a view or query: it is for the
// planner to see through it.
func (p *plan) askPlanner(ctx context.Context, s *source) (served, error) {
	const noSeqScan = "SET LOCAL enable_seqscan = off"
	var sv served
	st, err := p.scan(scanRequest{records: defaultRecords})
	if err != nil {
		return sv, err
	}
	scan, err := s.explain(ctx, st, noSeqScan+"; SET LOCAL enable_sort = off")
	if err != nil {
		return sv, fmt.Errorf("explain a scan of %s: %w", p.title(), err)
	}
	if !scan.sorts(0) {
		sv.scanIndex = scan.index()
	}
	if st, err = p.lookup(lookupRequest{params: p.someKey(), records: defaultRecords}); err != nil {
		return sv, err
	}
	lookup, err := s.explain(ctx, st, noSeqScan)
	if err != nil {
		return sv, fmt.Errorf("explain a look-up in %s: %w", p.title(), err)
	}
	if cond := lookup.condition(); strings.Contains(cond, "= ANY") || p.keys > 1 && strings.Count(cond, " = ") >= p.keys {
		sv.keyIndex = lookup.index()
	}
	return sv, nil
}
