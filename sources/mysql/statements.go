package mysql

import (
	"fmt"
	"strings"

	"plumbline/sources"
)

// list writes the columns to select, and behind them the flags and, where records
// may be too large to read, how many bytes were left unread.
func (p *plan) list(st *statement, keysOnly bool) string {
	st.columns, st.layout, st.keep = p.columns, &p.wire[0], len(p.scanBy)
	if keysOnly {
		st.columns, st.layout = p.columns[:len(p.scanBy)], &p.wire[1]
	}
	var out, sizes []string
	for i, c := range st.columns {
		if i < len(p.scanBy) || !c.typ.long() {
			out = append(out, c.whole())
			continue
		}
		size := "OCTET_LENGTH(" + ident(c.name) + ")"
		out = append(out, fmt.Sprintf("IF(%s > %d, NULL, %s) AS %s", size, sources.MaxRecordSize, c.whole(), ident(c.name)))
		sizes = append(sizes, fmt.Sprintf("IF(%s > %d, %s, 0)", size, sources.MaxRecordSize, size))
	}
	if d := p.dataset; d.Where != "" {
		out = append(out, "("+d.Where+"\n) IS NOT TRUE")
		st.flags++
	}
	if d := p.dataset; d.DeletedWhen != "" {
		out = append(out, "("+d.DeletedWhen+"\n) IS TRUE")
		st.flags++
	}
	if len(sizes) > 0 {
		out = append(out, strings.Join(sizes, " + "))
		st.sized = true
	}
	return strings.Join(out, ", ")
}

// query is a SELECT over the dataset before it is written.
type query struct {
	conditions []string
	err        error
	keysOnly   bool
	raw        bool   // as statement.raw
	index      string // that the server is to use; "" leaves it the choice
}

// compose writes a whole SELECT of at most records rows in the order of scanBy.
func (p *plan) compose(q query, records int) (*statement, error) {
	if q.err != nil {
		return nil, q.err
	}
	st := &statement{raw: q.raw, expect: records, reserve: p.reserve(records, q.keysOnly)}
	st.text = fmt.Sprintf("SELECT %s FROM %s%s LIMIT %d", p.list(st, q.keysOnly), p.source(q), p.orderBy(), records)
	return st, nil
}

// boundary reads the position of the last of so many rows, and nothing where there
// are fewer.
func (p *plan) boundary(q query, records int) (*statement, error) {
	if q.err != nil {
		return nil, q.err
	}
	st := &statement{columns: p.scanBy, layout: &p.wire[1]}
	var out []string
	for _, c := range p.scanBy {
		out = append(out, c.whole())
	}
	st.text = fmt.Sprintf("SELECT %s FROM %s%s LIMIT %d, 1", strings.Join(out, ", "), p.source(q), p.orderBy(), records-1)
	return st, nil
}

// source writes where rows come from and which.
func (p *plan) source(q query) string {
	from := p.from
	if q.index != "" && p.base {
		from += " FORCE INDEX (" + ident(q.index) + ")"
	}
	return from + where(q.conditions)
}

func where(conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conditions, " AND ")
}

func (p *plan) orderBy() string {
	order := make([]string, len(p.scanBy))
	for i, c := range p.scanBy {
		order[i] = c.order()
	}
	return " ORDER BY " + strings.Join(order, ", ")
}

// reserve is how many bytes a page will likely take.
func (p *plan) reserve(records int, keysOnly bool) int {
	if keysOnly {
		return 64 * records
	}
	return min(records*int(p.rowBytes.Load()), 16<<20)
}

// every are the conditions of scope and, if asked, where.
func (p *plan) every(b *builder, inScopeOnly bool) []string {
	conditions := b.scopeConditions(p.scope)
	if inScopeOnly && p.dataset.Where != "" {
		conditions = append(conditions, "("+p.dataset.Where+"\n)")
	}
	return conditions
}

// scan reads rows whose position is whole: no part of it is null.
func (p *plan) scan(span sources.Span, inScopeOnly, keysOnly bool) query {
	b := &builder{}
	conditions := p.every(b, inScopeOnly)
	for _, c := range p.scanBy {
		if !c.notNull {
			conditions = append(conditions, c.order()+" IS NOT NULL")
		}
	}
	if span.After != nil {
		conditions = append(conditions, b.compare(p.scanBy, " > ", span.After))
	}
	if span.UpTo != nil && whole(span.UpTo) {
		conditions = append(conditions, b.compare(p.scanBy, " <= ", span.UpTo))
	}
	return query{conditions: conditions, err: b.err, keysOnly: keysOnly, index: p.scanIndex}
}

// tail reads the rows whose position is not whole; they come after all others,
// among themselves in the server's order.
func (p *plan) tail(span sources.Span, inScopeOnly, keysOnly bool) query {
	b := &builder{}
	conditions := p.every(b, inScopeOnly)
	var nulls []string
	for _, c := range p.scanBy {
		if !c.notNull {
			nulls = append(nulls, c.order()+" IS NULL")
		}
	}
	conditions = append(conditions, "("+strings.Join(nulls, " OR ")+")")
	if span.After != nil && !whole(span.After) {
		conditions = append(conditions, b.beyond(p.scanBy, span.After))
	}
	if span.UpTo != nil && !whole(span.UpTo) {
		conditions = append(conditions, "NOT "+b.beyond(p.scanBy, span.UpTo))
	}
	return query{conditions: conditions, err: b.err, keysOnly: keysOnly}
}

// notBeyond adds to a query that its rows are at a position or before it.
func (p *plan) notBeyond(q query, at sources.Position) query {
	b := &builder{err: q.err}
	condition := ""
	if whole(at) {
		condition = b.compare(p.scanBy, " <= ", at)
	} else {
		condition = "NOT " + b.beyond(p.scanBy, at)
	}
	q.conditions, q.err = append(q.conditions[:len(q.conditions):len(q.conditions)], condition), b.err
	return q
}

// lookup reads the rows of keys, whose constants are given part by part. After is
// nil, or a position: of its key (sameKey), or of greater keys, read on.
func (p *plan) lookup(keys [][]string, after sources.Position, sameKey bool) query {
	b := &builder{}
	conditions := b.scopeConditions(p.scope)
	key := p.scanBy[:p.keys]
	switch {
	case sameKey:
		conditions = append(append(conditions, b.equal(key, after[:p.keys])...), b.beyond(p.scanBy[p.keys:], after[p.keys:]))
	case after != nil:
		conditions = append(conditions, b.compare(key, " > ", after[:p.keys]))
	}
	if !sameKey {
		conditions = append(conditions, among(key, keys))
	}
	return query{conditions: conditions, err: b.err, index: p.keyIndex}
}

// among says that a key is one of those.
func among(key []*column, keys [][]string) string {
	rows := make([]string, len(keys))
	for i, constants := range keys {
		rows[i] = strings.Join(constants, ", ")
		if len(key) > 1 {
			rows[i] = "(" + rows[i] + ")"
		}
	}
	names := make([]string, len(key))
	for i, c := range key {
		names[i] = c.order()
	}
	left := strings.Join(names, ", ")
	if len(key) > 1 {
		left = "(" + left + ")"
	}
	return left + " IN (" + strings.Join(rows, ", ") + ")"
}

// someKey is a key of the right types, for the optimizer to plan with.
func (p *plan) someKey() [][]string {
	constants := make([]string, p.keys)
	for i, c := range p.scanBy[:p.keys] {
		constants[i] = someConstant(c)
	}
	return [][]string{constants}
}

func someConstant(c *column) string {
	switch c.typ.family {
	case familyText, familyLabel, familyOther:
		return textConstant(c, "0")
	case familyBytes:
		return hexBytes("0")
	case familyDate:
		return dateConstant(epochDays)
	case familyDatetime, familyInstant:
		return "TIMESTAMP'2000-01-01 00:00:00'"
	case familyClock:
		return "TIME'00:00:00'"
	case familyUUID:
		return "'00000000-0000-0000-0000-000000000000'"
	}
	return "0"
}

// whole says whether no part of a position is null.
func whole(p sources.Position) bool {
	for _, v := range p {
		if missing(v) {
			return false
		}
	}
	return true
}

// nullable says whether some part of a position can be null.
func (p *plan) nullable() bool {
	for _, c := range p.scanBy {
		if !c.notNull {
			return true
		}
	}
	return false
}
