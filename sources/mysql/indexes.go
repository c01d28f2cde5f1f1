package mysql

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

// index is a usable b-tree.
type index struct {
	name    string
	unique  bool
	columns []string // "" for an expression or a prefix
	down    []bool   // descending
}

// findIndexes looks for indexes that serve a scan and a look-up. Those of a view
// or a query the server is asked to choose.
func (p *plan) findIndexes(ctx context.Context, s *source) (served, error) {
	if !p.base {
		return p.askOptimizer(ctx, s)
	}
	indexes, err := indexesOf(ctx, s, p)
	if err != nil {
		return served{}, err
	}
	var sv served
	for _, x := range indexes {
		if sv.scanIndex == "" && x.orders(p.scanBy, p.scope) {
			sv.scanIndex = x.name
		}
		if sv.keyIndex == "" && x.finds(p.scanBy[:p.keys], p.scope) {
			sv.keyIndex = x.name
		}
		sv.unique = sv.unique || x.unique && x.within(p.scanBy, p.scope)
	}
	return sv, nil
}

// indexesOf reads a table's indexes, the primary key first.
func indexesOf(ctx context.Context, s *source, p *plan) ([]index, error) {
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.release(c)
	rows, err := c.facts(ctx, filled(`SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?
		ORDER BY INDEX_NAME <> 'PRIMARY', NON_UNIQUE, INDEX_NAME, SEQ_IN_INDEX`, []string{p.schema, p.table}))
	if err != nil {
		return nil, fmt.Errorf("look up the indexes of %s: %w", p.title(), err)
	}
	var indexes []index
	for _, r := range rows {
		if r["INDEX_TYPE"] != "BTREE" || r["IS_VISIBLE"] == "NO" || r["IGNORED"] == "YES" {
			continue
		}
		if len(indexes) == 0 || indexes[len(indexes)-1].name != r["INDEX_NAME"] {
			indexes = append(indexes, index{name: r["INDEX_NAME"], unique: r["NON_UNIQUE"] == "0"})
		}
		x := &indexes[len(indexes)-1]
		name := r["COLUMN_NAME"]
		if r["SUB_PART"] != "" {
			name = ""
		}
		x.columns = append(x.columns, name)
		x.down = append(x.down, r["COLLATION"] == "D")
	}
	return indexes, nil
}

func scoped(scope []scopeTerm, name string) bool {
	return name != "" && slices.ContainsFunc(scope, func(t scopeTerm) bool { return t.column.name == name && t.path == "" })
}

// orders says whether the index delivers rows by those columns, one after the
// other; columns that the scope holds still do not matter.
func (x *index) orders(by []*column, scope []scopeTerm) bool {
	next, direction := 0, -1
	for i, name := range x.columns {
		switch {
		case next == len(by):
			return true
		case name == by[next].name && by[next].indexed() && (direction < 0 || x.down[i] == x.down[direction]):
			next, direction = next+1, i
		case !scoped(scope, name):
			return false
		}
	}
	return next == len(by)
}

// finds says whether the index's first columns are those, in any order.
func (x *index) finds(key []*column, scope []scopeTerm) bool {
	found := 0
	for _, name := range x.columns {
		switch {
		case found == len(key):
			return true
		case slices.ContainsFunc(key, func(c *column) bool { return c.name == name && c.indexed() }):
			found++
		case !scoped(scope, name):
			return false
		}
	}
	return found == len(key)
}

// within says whether the index has no column but those and the scope's.
func (x *index) within(columns []*column, scope []scopeTerm) bool {
	for _, name := range x.columns {
		if !slices.ContainsFunc(columns, func(c *column) bool { return c.name == name }) && !scoped(scope, name) {
			return false
		}
	}
	return true
}

// askOptimizer learns what indexes can do for a view or query: it is for the
// server to see through it.
func (p *plan) askOptimizer(ctx context.Context, s *source) (served, error) {
	var sv served
	scan, err := p.compose(query{conditions: p.every(&builder{}, false)}, defaultRecords)
	if err != nil {
		return sv, err
	}
	steps, err := s.explain(ctx, scan.text)
	if err != nil {
		return sv, fmt.Errorf("explain a scan of %s: %w", p.title(), err)
	}
	if len(steps) == 1 && !steps[0].sorts() {
		sv.scanIndex = steps[0].key
	}
	lookup, err := p.compose(p.lookup(p.someKey(), nil, false), defaultRecords)
	if err != nil {
		return sv, err
	}
	if steps, err = s.explain(ctx, lookup.text); err != nil {
		return sv, fmt.Errorf("explain a look-up in %s: %w", p.title(), err)
	}
	if len(steps) == 1 && !strings.EqualFold(steps[0].access, "index") && !strings.EqualFold(steps[0].access, "ALL") {
		sv.keyIndex = steps[0].key
	}
	return sv, nil
}
