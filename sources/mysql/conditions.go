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
		// As a float many large numbers are one; as a decimal they are not.
		number, text := "JSON_UNQUOTE("+inside+")", v.String()
		if digits, ok := number10(v); ok {
			text = digits
		}
		return fmt.Sprintf("JSON_TYPE(%s) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') AND %s + 0 = %s AND (ABS(%[2]s + 0) NOT BETWEEN 1e15 AND 1e40 OR CAST(%[2]s AS DECIMAL(65,20)) = %[3]s)",
			inside, number, text)
	default:
		return typed("'STRING'", v.String())
	}
}
