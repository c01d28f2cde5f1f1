package mysql

import (
	"fmt"
	"strings"

	"plumbline/sources"
)

// builder writes conditions; a value of no fitting type is its error.
type builder struct {
	err error
}

func (b *builder) bound(c *column, v sources.Value) string {
	constant, err := bound(c, v)
	if err != nil && b.err == nil {
		b.err = err
	}
	return constant
}

func missing(v sources.Value) bool { return v.IsNull() || v.IsAbsent() }

// compare compares the first columns with a position of whole values, as one row,
// by > or <=. It is written so that the server sees a range of an index in it.
func (b *builder) compare(columns []*column, operator string, p sources.Position) string {
	c, constant := columns[0].order(), b.bound(columns[0], p[0])
	if len(p) == 1 {
		return c + operator + constant
	}
	strictly := strings.TrimSuffix(strings.TrimSpace(operator), "=")
	return fmt.Sprintf("(%s %s %s OR %s = %s AND %s)", c, strictly, constant, c, constant, b.compare(columns[1:], operator, p[1:]))
}

// equal says that the first columns are those of a position of whole values.
func (b *builder) equal(columns []*column, p sources.Position) []string {
	conditions := make([]string, len(p))
	for i, v := range p {
		conditions[i] = columns[i].order() + " = " + b.bound(columns[i], v)
	}
	return conditions
}

// beyond is true for rows after a position in which values may be null, and
// false for all others: nulls come first in the server's order.
func (b *builder) beyond(columns []*column, p sources.Position) string {
	if len(p) == 0 {
		return "FALSE"
	}
	c, rest := columns[0].order(), b.beyond(columns[1:], p[1:])
	if missing(p[0]) {
		return fmt.Sprintf("(%s IS NOT NULL OR %s IS NULL AND %s)", c, c, rest)
	}
	constant := b.bound(columns[0], p[0])
	return fmt.Sprintf("(%s IS NOT NULL AND (%s > %s OR %s = %s AND %s))", c, c, constant, c, constant, rest)
}

// scopeConditions are the conditions that every row of the dataset fulfils.
func (b *builder) scopeConditions(scope []scopeTerm) []string {
	var conditions []string
	for _, term := range scope {
		conditions = append(conditions, b.scopeCondition(term))
	}
	return conditions
}

func (b *builder) scopeCondition(term scopeTerm) string {
	if term.path != "" {
		return documentCondition(term)
	}
	if missing(term.value) {
		return ident(term.column.name) + " IS NULL"
	}
	c := term.column
	native, constant, ok := exactly(c, term.value)
	if !ok { // a YAML scalar may be a number where the column holds texts, or a truth where it holds 0 and 1
		kind, _ := c.typ.kind()
		if converted, err := sources.As(term.value, kind, nil); err == nil {
			native, constant, ok = exactly(c, converted)
		}
	}
	if !ok && b.err == nil {
		b.err = sources.Final(fmt.Errorf("scope %s: the %s %q cannot be in a column of type %s", c.name, term.value.Kind(), term.value.String(), c.declared))
	}
	condition := c.order() + " = " + constant
	if native.Kind() == sources.KindText {
		condition += " AND " + sameBytes(ident(c.name), native.AsText())
	}
	return condition
}

// sameBytes says that an expression is just this text, whatever its collation calls equal.
func sameBytes(expression, text string) string {
	return "CAST(CONVERT(" + expression + " USING utf8mb4) AS BINARY) = " + hexBytes(text)
}

// documentCondition says that what is inside a document is one value.
func documentCondition(term scopeTerm) string {
	path := "$"
	for name := range strings.SplitSeq(term.path, ".") {
		path += `."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	inside := fmt.Sprintf("JSON_EXTRACT(%s, %s)", ident(term.column.name), hexText(path))
	typed := func(types, text string) string {
		return fmt.Sprintf("JSON_TYPE(%s) IN (%s) AND %s", inside, types, sameBytes("JSON_UNQUOTE("+inside+")", text))
	}
	switch v := term.value; {
	case missing(v):
		return fmt.Sprintf("COALESCE(JSON_TYPE(%s), 'NULL') = 'NULL'", inside)
	case v.Kind() == sources.KindBool:
		return typed("'BOOLEAN'", v.String())
	case v.Kind().Number():
		return fmt.Sprintf("JSON_TYPE(%s) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') AND JSON_UNQUOTE(%s) + 0 = %s", inside, inside, v.String())
	default:
		return typed("'STRING'", v.String())
	}
}

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
