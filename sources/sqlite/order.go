package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// A column of SQLite's may hold any storage class, whatever it declares; the
// order is null, numbers, texts, bytes. Spans, however, are cut by keys of the
// declared class, in other stores too, and what such a cut cannot reach belongs
// to the span with an open end. So a scan has phases. The main phase reads the
// rows whose every part is of the class declared, in the index's order. Then
// come the strays: rows with a stray behind a regular first part, and rows whose
// first part is a number, a text, bytes or null. A position tells its phase, and
// positions of the main phase come before all others. Where a type or constraint
// rules strays out, their phase does not exist.
type phase int

const (
	mainPhase   phase = iota
	restPhase         // a regular first part, and a stray behind it
	numberPhase       // the first part is a stray number
	textPhase
	blobPhase
	nullPhase
)

// phaseOfStray is the phase of rows whose first part is a stray of a class.
func phaseOfStray(one class) phase {
	return [...]phase{nullClass: nullPhase, numberClass: numberPhase, textClass: textPhase, blobClass: blobPhase}[one]
}

// phaseOf says in which phase a position is.
func (c *compiled) phaseOf(p sources.Position) (phase, error) {
	first, found := c.stray(0, p[0])
	if !found {
		return 0, sources.Final(fmt.Errorf("scan %s: %s %s is no position in SQLite", c.dataset.Title(), p[0].Kind(), p[0]))
	}
	if first != anyClass {
		return phaseOfStray(first), nil
	}
	for i := 1; i < len(p); i++ {
		if one, _ := c.stray(i, p[i]); one != anyClass {
			return restPhase, nil
		}
	}
	return mainPhase, nil
}

// stray returns the class of a value that is a stray in part i, and anyClass
// for a regular one; ok is false for what SQLite cannot hold.
func (c *compiled) stray(i int, v sources.Value) (one class, ok bool) {
	switch v.Kind() {
	case sources.KindNull, sources.KindAbsent:
		return nullClass, true
	case sources.KindInt, sources.KindFloat, sources.KindDecimal, sources.KindBool:
		one = numberClass
	case sources.KindText, sources.KindUUID, sources.KindObjectID:
		one = textClass
	case sources.KindBytes:
		one = blobClass
	default:
		return 0, false
	}
	if declared := c.keys[i].class; declared == anyClass || declared == one {
		return anyClass, true
	}
	return one, true
}

// phases are those that this dataset can have rows in.
func (c *compiled) phases() []phase {
	all := []phase{mainPhase}
	if slices.ContainsFunc(c.keys[1:], func(k *column) bool { return len(k.holds) > 0 }) {
		all = append(all, restPhase)
	}
	for _, one := range c.keys[0].holds {
		all = append(all, phaseOfStray(one))
	}
	slices.Sort(all)
	return all
}

// part is the rows of one phase between two positions, as a condition.
type part struct {
	phase phase
	where []string
	args  []any
}

func (p *part) and(condition string, args ...any) {
	if condition != "" {
		p.where, p.args = append(p.where, condition), append(p.args, args...)
	}
}

// part makes the condition for the rows of a phase after and up to positions
// of that phase; nil where the phase has no such bound.
func (c *compiled) part(ph phase, after, upTo sources.Position) part {
	p := part{phase: ph}
	if ph == mainPhase {
		c.bounds(&p, c.compare(">"), c.compare("<="), after, upTo)
		for _, k := range c.keys[1:] {
			p.and(k.regular())
		}
		return p
	}
	lead := quote(c.names[0])
	c.bounds(&p, lead+" >= ?", lead+" <= ?", after[:min(1, len(after))], upTo[:min(1, len(upTo))])
	if after != nil {
		condition, args := follows(c.names, after)
		p.and(condition, args...)
	}
	if upTo != nil {
		condition, args := follows(c.names, upTo)
		p.and("("+condition+") IS NOT TRUE", args...)
	}
	if ph == restPhase {
		var strays []string
		for _, k := range c.keys[1:] {
			if regular := k.regular(); regular != "" {
				strays = append(strays, "("+regular+") IS NOT TRUE")
			}
		}
		p.and("(" + strings.Join(strays, " OR ") + ")")
	}
	return p
}

// bounds bounds a part once from below and once from above: by a position where
// there is one, else by the end of the phase. Of two bounds the planner might
// take the wider one, and read a whole table for each page.
func (c *compiled) bounds(p *part, after, upTo string, from, to sources.Position) {
	first := c.keys[0]
	least, most := first.ends(p.phase)
	switch {
	case p.phase == nullPhase:
		p.and(quote(first.name) + " IS NULL")
		return
	case len(from) > 0:
		p.and(after, bind(from)...)
	default:
		p.and(least)
	}
	if len(to) > 0 {
		p.and(upTo, bind(to)...)
	} else {
		p.and(most)
	}
	if len(p.where) == 0 && !first.notNull {
		p.and(quote(first.name) + " IS NOT NULL")
	}
}

// compare writes a comparison of the whole key with a position's parts.
func (c *compiled) compare(operator string) string {
	if len(c.keys) == 1 {
		return quote(c.names[0]) + " " + operator + " ?"
	}
	return "(" + quoted(c.names) + ") " + operator + " (" + marks(len(c.names)) + ")"
}

func quoted(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = quote(name)
	}
	return strings.Join(all, ", ")
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// follows says that columns come after a position in SQLite's order, in which
// null comes first.
func follows(names []string, p sources.Position) (condition string, args []any) {
	var either []string
	for i, v := range p {
		var all []string
		for j := range i {
			all, args = append(all, quote(names[j])+" IS ?"), append(args, bind(p[j:j+1])...)
		}
		if v.IsNull() {
			all = append(all, quote(names[i])+" IS NOT NULL")
		} else {
			all, args = append(all, quote(names[i])+" > ?"), append(args, bind(p[i:i+1])...)
		}
		either = append(either, "("+strings.Join(all, " AND ")+")")
	}
	return "(" + strings.Join(either, " OR ") + ")", args
}

// bind makes parameters of positions.
func bind(p sources.Position) []any {
	args := make([]any, len(p))
	for i, v := range p {
		switch v.Kind() {
		case sources.KindInt:
			args[i] = v.AsInt()
		case sources.KindFloat:
			args[i] = v.AsFloat()
		case sources.KindDecimal:
			args[i] = v.String() // beside a number SQLite reads it as one
			if f, err := sources.As(v, sources.KindFloat, nil); err == nil {
				args[i] = f.AsFloat()
			}
		case sources.KindBool:
			args[i] = v.AsBool()
		case sources.KindBytes:
			args[i] = []byte(v.AsText())
		case sources.KindText, sources.KindUUID, sources.KindObjectID:
			args[i] = v.String()
		}
	}
	return args
}

// least and most are the conditions that keep a column to its declared class
// from below and above; "" where nothing lies there.
func (k *column) least() string {
	switch {
	case k.class == textClass && slices.Contains(k.holds, numberClass):
		return quote(k.name) + " >= ''"
	case k.class == blobClass && slices.Contains(k.holds, textClass):
		return quote(k.name) + " >= x''"
	}
	return ""
}

func (k *column) most() string {
	switch {
	case k.class == numberClass && slices.Contains(k.holds, textClass):
		return quote(k.name) + " < ''"
	case k.class == textClass && slices.Contains(k.holds, blobClass):
		return quote(k.name) + " < x''"
	}
	return ""
}

// regular is the condition that a value is of the declared class; "" where it always is.
func (k *column) regular() string {
	switch least, most := k.least(), k.most(); {
	case least != "" && most != "":
		return least + " AND " + most
	case least+most == "" && !k.notNull:
		return quote(k.name) + " IS NOT NULL"
	default:
		return least + most
	}
}

// ends are the conditions that keep a first part within a phase.
func (k *column) ends(ph phase) (least, most string) {
	name := quote(k.name)
	switch ph {
	case numberPhase:
		return "", name + " < ''"
	case textPhase:
		return name + " >= ''", name + " < x''"
	case blobPhase:
		return name + " >= x''", ""
	}
	return k.least(), k.most()
}

// same says whether two positions are one to SQLite: by value and collation.
func (c *compiled) same(a, b sources.Position) bool {
	for i := range a {
		if !samePart(a[i], b[i], c.keys[i].collation) {
			return false
		}
	}
	return true
}

func samePart(a, b sources.Value, collation string) bool {
	if a.Kind() == sources.KindText && b.Kind() == sources.KindText {
		switch x, y := a.AsText(), b.AsText(); collation {
		case "NOCASE":
			return foldASCII(x) == foldASCII(y)
		case "RTRIM":
			return strings.TrimRight(x, " ") == strings.TrimRight(y, " ")
		default:
			return x == y
		}
	}
	return sources.Canonical(a).Equal(sources.Canonical(b))
}
