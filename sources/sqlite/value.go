package sqlite

import (
	"fmt"
	"strings"

	"plumbline/sources"
)

// refinement is what a declared type adds to the storage class.
type refinement uint8

const (
	plain   refinement = iota
	boolean            // the integers 0 and 1 are truths
	decimal            // texts that are decimals are decimals
	uuid               // texts and 16 bytes that are uuids are uuids
	jsonDoc            // texts are JSON
)

// class is a storage class, in SQLite's order of values; anyClass for a column
// that declares none.
type class uint8

const (
	nullClass class = iota
	numberClass
	textClass
	blobClass
	anyClass
)

// column is one column of a table, view or query.
type column struct {
	name      string
	declared  string
	notNull   bool
	generated bool // computed from others
	refine    refinement
	class     class // of the values that the declared type means
	holds     []class
	collation string
	integer   bool // has INTEGER affinity
}

// declare sets what follows from a declared type. The rules of affinity are
// SQLite's own (datatype3.html, 3.1). strict tables and rowids keep to their
// type; a view's or query's columns may hold anything.
func (c *column) declare(declared string, strict, loose bool) {
	c.declared = declared
	upper := strings.ToUpper(declared)
	word, _, _ := strings.Cut(upper, "(")
	word = strings.TrimSpace(word)
	switch {
	case word == "BOOLEAN" || word == "BOOL":
		c.refine = boolean
	case strings.HasPrefix(word, "DECIMAL") || strings.HasPrefix(word, "NUMERIC"):
		c.refine = decimal
	case strings.HasPrefix(word, "UUID") || strings.HasPrefix(word, "GUID"):
		c.refine = uuid
	case strings.HasPrefix(word, "JSON"):
		c.refine = jsonDoc
	}
	others := []class{textClass, blobClass} // what the affinity lets through
	switch {
	case strings.Contains(upper, "INT"):
		c.class, c.integer = numberClass, true
	case strings.Contains(upper, "CHAR") || strings.Contains(upper, "CLOB") || strings.Contains(upper, "TEXT"):
		c.class, others = textClass, []class{blobClass}
	case upper == "" || strict && upper == "ANY":
		c.class, others = anyClass, nil
	case strings.Contains(upper, "BLOB"):
		c.class, others = blobClass, []class{numberClass, textClass}
	default:
		c.class = numberClass
	}
	if c.refine == uuid || c.refine == jsonDoc { // any class may be meant
		c.class, others = anyClass, nil
	}
	switch {
	case loose && c.class != anyClass:
		others = nil
		for _, one := range []class{numberClass, textClass, blobClass} {
			if one != c.class {
				others = append(others, one)
			}
		}
	case strict:
		others = nil
	}
	if !c.notNull {
		others = append([]class{nullClass}, others...)
	}
	c.holds = others
}

// kind is the kind that the declared type means, KindAbsent where it means several.
func (c *column) kind() sources.Kind {
	switch {
	case c.refine == boolean:
		return sources.KindBool
	case c.refine == uuid:
		return sources.KindUUID
	case c.refine != plain:
		return sources.KindAbsent
	}
	upper := strings.ToUpper(c.declared)
	switch c.class {
	case textClass:
		return sources.KindText
	case blobClass:
		return sources.KindBytes
	case numberClass:
		if c.integer {
			return sources.KindInt
		}
		if strings.Contains(upper, "REAL") || strings.Contains(upper, "FLOA") || strings.Contains(upper, "DOUB") {
			return sources.KindFloat
		}
	}
	return sources.KindAbsent
}

// stored is a value by its storage class alone.
func stored(raw any) sources.Value {
	switch v := raw.(type) {
	case int64:
		return sources.Int(v)
	case float64:
		return sources.Float(v)
	case string:
		return sources.Text(v)
	case []byte:
		return sources.Bytes(v)
	}
	return sources.Null()
}

// value refines what is stored by the declared type. A decimal that is a key is
// left as stored: its texts could not all be looked up.
func (c *column) value(raw any, key bool) (sources.Value, error) {
	switch v := raw.(type) {
	case int64:
		if c.refine == boolean && (v == 0 || v == 1) {
			return sources.Bool(v == 1), nil
		}
	case string:
		switch c.refine {
		case decimal:
			if d, err := sources.ParseDecimal(v); err == nil && !key {
				return d, nil
			}
		case uuid:
			if u, ok := sources.ParseUUID(v); ok && len(v) == 36 && (v == strings.ToLower(v) || v == strings.ToUpper(v)) {
				return sources.UUID(u), nil
			}
		case jsonDoc:
			doc, err := sources.ParseJSON([]byte(v))
			if err != nil {
				return sources.Value{}, fmt.Errorf("%s: %w", c.name, err)
			}
			return doc, nil
		}
	case []byte:
		if c.refine == uuid && len(v) == 16 {
			return sources.UUID([16]byte(v)), nil
		}
	}
	return stored(raw), nil
}

// spellings are the values, to bind, that rows with this key part may have
// stored. None means that the column cannot hold the key.
func (c *column) spellings(v sources.Value) []any {
	switch v.Kind() {
	case sources.KindInt:
		return []any{v.AsInt()}
	case sources.KindBool:
		if c.refine == boolean {
			return []any{map[bool]int64{true: 1}[v.AsBool()]}
		}
	case sources.KindFloat:
		if !v.NaN() {
			return []any{v.AsFloat()}
		}
	case sources.KindDecimal:
		if i, ok := v.Integer(); ok {
			return []any{i}
		}
		if f, err := sources.As(v, sources.KindFloat, nil); err == nil && sources.Canonical(f).Equal(v) {
			return []any{f.AsFloat()}
		}
	case sources.KindText:
		text := v.AsText()
		if u, ok := sources.ParseUUID(text); ok && c.refine == uuid && sources.UUID(u).String() == text {
			return []any{text, strings.ToUpper(text), u[:]}
		}
		return []any{text}
	case sources.KindUUID:
		if u := v.AsUUID(); c.refine == uuid {
			return []any{v.String(), strings.ToUpper(v.String()), u[:]}
		}
		return []any{v.String()}
	case sources.KindObjectID:
		return []any{v.String()}
	case sources.KindBytes:
		return []any{[]byte(v.AsText())}
	}
	return nil
}

// quote makes any text an identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteText(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
