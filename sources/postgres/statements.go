package postgres

import (
	"encoding/json"
	"fmt"
	"strings"

	"plumbline/sources"
)

// builder writes a statement and numbers its parameters.
type builder struct {
	params []param
	err    error
}

func (b *builder) arg(p param) string {
	b.params = append(b.params, p)
	return fmt.Sprintf("$%d", len(b.params))
}

// bound is a position's value as a parameter; a value of no fitting type is b's error.
func (b *builder) bound(c *column, v sources.Value) string {
	p, err := bound(c.typ, v)
	if err != nil && b.err == nil {
		b.err = err
	}
	return b.arg(p)
}

// compare compares the first columns with a position of whole values, as one row.
func (b *builder) compare(columns []*column, operator string, p sources.Position) string {
	left, right := make([]string, len(p)), make([]string, len(p))
	for i, v := range p {
		left[i], right[i] = ident(columns[i].name), b.bound(columns[i], v)
	}
	if len(p) == 1 {
		return left[0] + operator + right[0]
	}
	return "(" + strings.Join(left, ", ") + ")" + operator + "(" + strings.Join(right, ", ") + ")"
}

// beyond is true for rows after a position in which values may be null: nulls come last.
func (b *builder) beyond(columns []*column, p sources.Position) string {
	if len(p) == 0 {
		return "FALSE"
	}
	c, rest := ident(columns[0].name), b.beyond(columns[1:], p[1:])
	if missing(p[0]) {
		return fmt.Sprintf("(%s IS NULL AND %s)", c, rest)
	}
	value := b.bound(columns[0], p[0])
	return fmt.Sprintf("(%s > %s OR %s IS NULL OR %s = %s AND %s)", c, value, c, c, value, rest)
}

func missing(v sources.Value) bool { return v.IsNull() || v.IsAbsent() }

// scopeConditions are the conditions that every row of the dataset fulfils.
func (b *builder) scopeConditions(scope []scopeTerm) []string {
	var conditions []string
	for _, term := range scope {
		conditions = append(conditions, b.scopeCondition(term))
	}
	return conditions
}

func (b *builder) scopeCondition(term scopeTerm) string {
	c := ident(term.column.name)
	if term.path != "" {
		path := b.arg(param{text: array(strings.Split(term.path, ".")), typ: oidTextArray})
		return fmt.Sprintf("%s::jsonb #> %s = %s", c, path, b.arg(param{text: jsonText(term.value), typ: oidJSONB}))
	}
	if missing(term.value) {
		return c + " IS NULL"
	}
	t := term.column.typ
	_, text, ok := exactly(t, term.value)
	if !ok { // a YAML scalar may be a number where the column holds texts
		if converted, err := sources.As(term.value, term.column.form.kind, nil); err == nil {
			_, text, ok = exactly(t, converted)
		}
	}
	if !ok && b.err == nil {
		b.err = sources.Final(fmt.Errorf("scope %s: the %s %q cannot be in a column of type %s",
			term.column.name, term.value.Kind(), term.value.String(), term.column.declared))
	}
	if !known(t) || t.json() || t.elem != nil {
		return fmt.Sprintf("%s = %s", outputOf(c), b.arg(param{text: text, typ: oidText}))
	}
	condition := c + " = " + b.arg(param{text: text, typ: wireType(t)})
	if term.column.nondeterministic || t.citext() {
		condition += fmt.Sprintf(` AND %s::text COLLATE "C" = %s`, c, b.arg(param{text: text, typ: oidText}))
	}
	return condition
}

func jsonText(v sources.Value) string {
	switch v.Kind() {
	case sources.KindInt, sources.KindDecimal, sources.KindFloat, sources.KindBool, sources.KindList, sources.KindDocument:
		return v.String()
	case sources.KindAbsent, sources.KindNull:
		return "null"
	}
	quoted, err := json.Marshal(v.String())
	if err != nil { // a string always marshals
		panic(err)
	}
	return string(quoted)
}

// wireType is the type of a parameter that is compared with columns of type t.
func wireType(t *dataType) uint32 {
	if t.oid == oidVarchar || t.oid == oidName {
		return oidText
	}
	return t.oid
}

func arrayType(t *dataType) uint32 {
	if wireType(t) == oidText {
		return oidTextArray
	}
	return t.array
}

// list writes the columns to select, the flags behind them, and what they are
// on the wire.
func (p *plan) list(st *statement, keysOnly bool) string {
	columns := p.columns
	if keysOnly {
		columns = columns[:len(p.scanBy)]
	}
	var out []string
	for _, c := range columns {
		out = append(out, ident(c.name))
		st.formats = append(st.formats, c.form.format)
		st.types = append(st.types, c.form.oid)
	}
	if d := p.dataset; d.Where != "" {
		out = append(out, "("+d.Where+"\n) IS NOT TRUE")
	}
	if d := p.dataset; d.DeletedWhen != "" {
		out = append(out, "("+d.DeletedWhen+"\n) IS TRUE")
	}
	for range len(out) - len(columns) {
		st.formats = append(st.formats, formatBinary)
		st.types = append(st.types, oidBool)
	}
	st.keep = len(p.scanBy)
	return strings.Join(out, ", ")
}

// compose writes a whole SELECT of at most records rows in the order of scanBy.
func (p *plan) compose(b *builder, keysOnly, ties bool, records int, conditions []string) (*statement, error) {
	if b.err != nil {
		return nil, b.err
	}
	st := &statement{params: b.params, expect: records, reserve: p.reserve(records, keysOnly)}
	var text strings.Builder
	fmt.Fprintf(&text, "SELECT %s FROM %s", p.list(st, keysOnly), p.from)
	for i, c := range conditions {
		word := " AND "
		if i == 0 {
			word = " WHERE "
		}
		text.WriteString(word + c)
	}
	order := make([]string, len(p.scanBy))
	for i, c := range p.scanBy {
		order[i] = ident(c.name)
	}
	fmt.Fprintf(&text, " ORDER BY %s FETCH FIRST %d ROWS ", strings.Join(order, ", "), records)
	if ties {
		text.WriteString("WITH TIES")
	} else {
		text.WriteString("ONLY")
	}
	st.text = text.String()
	return st, nil
}

// reserve is how many bytes a page will likely take.
func (p *plan) reserve(records int, keysOnly bool) int {
	if keysOnly {
		return 64 * records
	}
	return min(records*int(p.rowBytes.Load()), 16<<20)
}

// scanRequest is what one statement of a scan reads.
type scanRequest struct {
	sources.Span
	records               int
	inScopeOnly, keysOnly bool
}

// scan reads rows whose position is whole: no part of it is null.
func (p *plan) scan(r scanRequest) (*statement, error) {
	b := &builder{}
	conditions := p.every(b, r.inScopeOnly)
	for _, c := range p.scanBy {
		if !c.notNull {
			conditions = append(conditions, ident(c.name)+" IS NOT NULL")
		}
	}
	if r.After != nil {
		conditions = append(conditions, b.compare(p.scanBy, " > ", r.After))
	}
	if r.UpTo != nil && whole(r.UpTo) {
		conditions = append(conditions, b.compare(p.scanBy, " <= ", r.UpTo))
	}
	return p.compose(b, r.keysOnly, !p.unique, r.records, conditions)
}

// tail reads the rows whose position is not whole, which come after all others.
func (p *plan) tail(r scanRequest) (*statement, error) {
	b := &builder{}
	conditions := p.every(b, r.inScopeOnly)
	var nulls []string
	for _, c := range p.scanBy {
		if !c.notNull {
			nulls = append(nulls, ident(c.name)+" IS NULL")
		}
	}
	conditions = append(conditions, "("+strings.Join(nulls, " OR ")+")")
	if r.After != nil && !whole(r.After) {
		conditions = append(conditions, b.beyond(p.scanBy, r.After))
	}
	if r.UpTo != nil {
		conditions = append(conditions, "NOT "+b.beyond(p.scanBy, r.UpTo))
	}
	return p.compose(b, r.keysOnly, true, r.records, conditions)
}

// every are the conditions of scope and, if asked, where.
func (p *plan) every(b *builder, inScopeOnly bool) []string {
	conditions := b.scopeConditions(p.scope)
	if inScopeOnly && p.dataset.Where != "" {
		conditions = append(conditions, "("+p.dataset.Where+"\n)")
	}
	return conditions
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

// lookupRequest is what one statement of a look-up reads.
type lookupRequest struct {
	params  []param // an array of each key part
	keys    int     // how many keys they hold
	records int
	// After is nil, or a position: of its key (sameKey), or of greater keys, read on.
	after   sources.Position
	sameKey bool
}

func (p *plan) lookup(r lookupRequest) (*statement, error) {
	b := &builder{}
	conditions := b.scopeConditions(p.scope)
	key := p.scanBy[:p.keys]
	switch {
	case r.sameKey:
		conditions = append(conditions, b.compare(key, " = ", r.after[:p.keys]), b.beyond(p.scanBy[p.keys:], r.after[p.keys:]))
	case r.after != nil:
		conditions = append(conditions, b.compare(key, " > ", r.after[:p.keys]))
	}
	if !r.sameKey {
		conditions = append(conditions, b.among(key, r.params))
	}
	st, err := p.compose(b, false, !p.unique || p.nullable(), r.records, conditions)
	if err == nil {
		st.expect = min(r.keys, r.records) // to wait for more would be in vain
	}
	return st, err
}

// outputOf is the text form of a column: that of its output function, as it
// comes to us. A cast to text may write another (10.0.0.1/32).
func outputOf(column string) string { return "format('%s', " + column + ")" }

// among says that a key is one of those in arrays of its parts.
func (b *builder) among(key []*column, arrays []param) string {
	names := make([]string, len(key))
	args := make([]string, len(key))
	for i, c := range key {
		names[i] = ident(c.name)
		if !known(c.typ) {
			names[i] = outputOf(names[i])
		}
		args[i] = b.arg(arrays[i])
	}
	if len(key) == 1 {
		return names[0] + " = ANY (" + args[0] + ")"
	}
	return "(" + strings.Join(names, ", ") + ") IN (SELECT * FROM unnest(" + strings.Join(args, ", ") + "))"
}

// arrays turns keys into an array parameter for each key part.
func (p *plan) arrays(texts [][]string) []param {
	params := make([]param, p.keys)
	for i := range params {
		t := p.scanBy[i].typ
		params[i] = param{text: array(texts[i]), typ: arrayType(t)}
		if !known(t) {
			params[i].typ = oidTextArray
		}
	}
	return params
}

// someKey is a key of the right types, for the planner to plan with.
func (p *plan) someKey() []param {
	texts := make([][]string, p.keys)
	for i := range texts {
		texts[i] = []string{someText(p.scanBy[i].typ)}
	}
	return p.arrays(texts)
}

func someText(t *dataType) string {
	switch {
	case t.enum && len(t.labels) > 0:
		return t.labels[0]
	case t.oid == oidUUID:
		return "00000000-0000-0000-0000-000000000000"
	case t.oid == oidDate, t.oid == oidTimestamp, t.oid == oidTimestamptz:
		return "2000-01-01"
	case t.oid == oidTime:
		return "00:00"
	case t.oid == oidBool:
		return "true"
	}
	return "0" // of numbers, texts, bytes and intervals
}
