package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// errTable is for the text of a table that is not the one statement it should be:
// whoever made the file may have written anything there.
var errTable = sources.Final(errors.New("the table's own statement cannot be understood, so nobody can say what a write to it would do"))

// token is a word, a name without its quotes, or one other character.
type token struct {
	text string
	name bool // a word or a quoted name
	at   int  // where it begins
}

// tokens cuts a statement into words, names and signs. Comments are left out.
func tokens(statement string) (all []token, err error) {
	closing := map[byte]byte{'"': '"', '\'': '\'', '`': '`', '[': ']'}
	for i := 0; i < len(statement); {
		rest, c := statement[i:], statement[i]
		switch {
		case c == 0:
			return nil, errTable
		case strings.IndexByte(" \t\n\f\r", c) >= 0:
			i++
		case strings.HasPrefix(rest, "--"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				i += end
			} else {
				i = len(statement)
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return nil, errTable
			}
			i += end + 4
		case closing[c] != 0:
			text, end := quotedName(rest, closing[c])
			if end < 0 {
				return nil, errTable
			}
			all = append(all, token{text, true, i})
			i += end
		case wordByte(c):
			end := i
			for end < len(statement) && wordByte(statement[end]) {
				end++
			}
			all = append(all, token{statement[i:end], true, i})
			i = end
		default:
			all = append(all, token{statement[i : i+1], false, i})
			i++
		}
	}
	return all, nil
}

func wordByte(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quotedName reads a quoted name from the front of text; end is -1 where it has none.
func quotedName(text string, closing byte) (name string, end int) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != closing {
			b.WriteByte(text[i])
			continue
		}
		if closing == ']' || i+1 == len(text) || text[i+1] != closing {
			return b.String(), i + 1
		}
		b.WriteByte(closing)
		i++
	}
	return "", -1
}

// ddl is the statement that made a table.
func (o *object) ddl(r reading) (text string, err error) {
	err = r.each("SELECT sql FROM "+quote(o.schema)+".sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE", []any{o.name}, func(v []any) (bool, error) {
		text, _ = v[0].(string)
		return false, nil
	})
	if err == nil && text == "" {
		err = errTable
	}
	return text, err
}

// temporary is a statement that makes a table's like among the connection's own
// temporary tables, and does nothing else.
func temporary(ddl string) (string, error) {
	all, err := tokens(ddl)
	if err != nil {
		return "", err
	}
	if len(all) < 4 || !strings.EqualFold(all[0].text, "CREATE") || !strings.EqualFold(all[1].text, "TABLE") {
		return "", errTable
	}
	if slices.ContainsFunc(all, func(t token) bool { return t.text == ";" && !t.name }) {
		return "", errTable
	}
	return "CREATE TEMP TABLE " + ddl[all[2].at:], nil
}

// computedFrom returns the generated columns that depend, by whatever way, on one
// of some columns.
func (o *object) computedFrom(ddl string, written []string) (names []string, err error) {
	definitions, err := columnsOf(ddl)
	if err != nil {
		return nil, err
	}
	touched := map[string]bool{}
	for _, name := range written {
		touched[foldASCII(name)] = true
	}
	for again := true; again; {
		again = false
		for i := range o.columns {
			c := &o.columns[i]
			mentions, known := definitions[foldASCII(c.name)]
			if !c.generated || touched[foldASCII(c.name)] {
				continue
			}
			if !known {
				return nil, fmt.Errorf("column %s: %w", c.name, errTable)
			}
			if slices.ContainsFunc(mentions, func(name string) bool { return touched[name] }) {
				touched[foldASCII(c.name)], again = true, true
				names = append(names, c.name)
			}
		}
	}
	return names, nil
}

// columnsOf returns what each column's definition mentions, by its name.
func columnsOf(ddl string) (map[string][]string, error) {
	all, err := tokens(ddl)
	if err != nil {
		return nil, err
	}
	definitions, depth, first := map[string][]string{}, 0, ""
	for _, t := range all {
		switch {
		case t.name && depth > 0 && first == "":
			first = foldASCII(t.text)
			definitions[first] = append(definitions[first], "")
		case t.name && depth > 0:
			definitions[first] = append(definitions[first], foldASCII(t.text))
		case t.text == "(":
			depth++
		case t.text == ")":
			depth--
		case t.text == "," && depth == 1:
			first = ""
		}
	}
	return definitions, nil
}
