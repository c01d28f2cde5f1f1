package configs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/checks"
	"plumbline/sources"
)

// tolerance is how far values may lie apart: a number or a time span.
type tolerance struct {
	number *apd.Decimal
	time   time.Duration
}

func toleranceScalar() scalar {
	return scalar{words: "a number above 0 such as 0.01, or a duration such as 2s",
		editor: object{"anyOf": []any{object{"type": "number", "exclusiveMinimum": 0}, object{"type": "string", "pattern": durationPattern}}},
		parse: func(w written) (any, error) {
			if d, ok := parseDuration(w.text); ok && d > 0 {
				return tolerance{time: d}, nil
			}
			if n, ok := parseAmount(w.text); ok && !n.IsZero() && (!w.quoted || w.expanded) {
				return tolerance{number: n}, nil
			}
			return nil, errUnwanted
		}}
}

// relative wants a tolerance in percent, which becomes an *apd.Decimal: 5 and 5% are 5.
func relative() scalar {
	return scalar{words: "a percentage above 0 and up to 100, such as 0.5",
		editor: object{"anyOf": []any{object{"type": "number", "exclusiveMinimum": 0, "maximum": 100},
			object{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?%$`}}},
		parse: func(w written) (any, error) {
			digits, sign := strings.CutSuffix(w.text, "%")
			n, ok := parseAmount(digits)
			if !ok || n.IsZero() || n.Cmp(apd.New(100, 0)) > 0 || w.quoted && !w.expanded && !sign {
				return nil, errUnwanted
			}
			return n, nil
		}}
}

// precision wants a unit of time or digits of a second, which become an int of digits.
func precision() scalar {
	units := map[string]int{"s": 0, "ms": 3, "us": 6, "ns": 9}
	return scalar{words: "s, ms, us, ns, or digits of a second from 0 to 9",
		editor: object{"enum": []any{"s", "ms", "us", "ns", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		parse: func(w written) (any, error) {
			if digits, ok := units[w.text]; ok {
				return digits, nil
			}
			return integer(0, 9).parse(w)
		}}
}

// trim wants which ends of a text lose their white space.
func trim() scalar {
	ends := []string{"left", "right", "both", "none"}
	return scalar{words: "true, left, right, both or none",
		editor: object{"enum": []any{true, "left", "right", "both", "none"}},
		parse: func(w written) (any, error) {
			switch {
			case slices.Contains(ends, w.text):
				return w.text, nil
			case !w.quoted && w.text == "true":
				return "both", nil
			}
			return nil, &refusal{message: fmt.Sprintf("wants true, left, right, both or none, not %s", w.shown()), suggestion: nearest(w.text, ends)}
		}}
}

// kindWord wants the kind to read values as, which becomes a sources.Kind.
func kindWord() scalar {
	names := []string{"text", "int", "decimal", "float", "bool", "bytes", "time", "date", "uuid", "objectid"}
	s := word(names)
	plain := s.parse
	s.parse = func(w written) (any, error) {
		if _, err := plain(w); err != nil {
			return nil, err
		}
		kind, ok := sources.KindByName(w.text)
		if !ok {
			return nil, errUnwanted
		}
		return kind, nil
	}
	return s
}

// zone wants the name of a time zone, which becomes a *time.Location.
func zone() scalar {
	return scalar{words: "the name of a time zone such as UTC or Europe/Oslo", editor: object{"type": "string", "minLength": 1},
		parse: func(w written) (any, error) {
			if location, err := time.LoadLocation(w.text); err == nil && w.text != "" && w.text != "Local" {
				return location, nil
			}
			return nil, &refusal{message: fmt.Sprintf("time zone %s is not known: name one such as UTC or Europe/Oslo", w.shown()),
				suggestion: nearest(w.text, commonZones())}
		}}
}

func commonZones() []string {
	return strings.Fields(`UTC GMT Europe/London Europe/Dublin Europe/Lisbon Europe/Madrid Europe/Paris Europe/Brussels
		Europe/Amsterdam Europe/Berlin Europe/Zurich Europe/Rome Europe/Vienna Europe/Prague Europe/Warsaw Europe/Budapest
		Europe/Copenhagen Europe/Oslo Europe/Stockholm Europe/Helsinki Europe/Tallinn Europe/Riga Europe/Vilnius Europe/Athens
		Europe/Bucharest Europe/Sofia Europe/Kyiv Europe/Istanbul Europe/Moscow Africa/Cairo Africa/Johannesburg Africa/Lagos
		Africa/Nairobi Asia/Jerusalem Asia/Dubai Asia/Karachi Asia/Kolkata Asia/Dhaka Asia/Bangkok Asia/Jakarta Asia/Singapore
		Asia/Hong_Kong Asia/Shanghai Asia/Taipei Asia/Manila Asia/Seoul Asia/Tokyo Australia/Perth Australia/Brisbane
		Australia/Sydney Australia/Melbourne Pacific/Auckland America/Sao_Paulo America/Argentina/Buenos_Aires America/Bogota
		America/Mexico_City America/New_York America/Toronto America/Chicago America/Denver America/Phoenix
		America/Los_Angeles America/Vancouver America/Anchorage Pacific/Honolulu`)
}

// date wants a calendar date, which becomes its midnight in UTC.
func date() scalar {
	return scalar{words: "a date such as 2027-01-31", editor: object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`},
		parse: func(w written) (any, error) {
			t, err := time.Parse("2006-01-02", w.text)
			if err != nil {
				return nil, errUnwanted
			}
			return t, nil
		}}
}

// nullWord wants a value that counts as null: absent is a word, all else literal.
func nullWord() scalar {
	s := literal("absent, or a value that counts as null")
	plain := s.parse
	s.parse = func(w written) (any, error) {
		if w.text == "absent" && !w.quoted {
			return sources.Value{}, nil
		}
		return plain(w)
	}
	return s
}

// valueMap is a rule's map: owner values and the replica values they become.
type valueMap struct{}

func (valueMap) accepts(k nodeKind) bool { return k == mappingNode }
func (valueMap) wants() string           { return "a mapping of owner values to replica values" }

func (m valueMap) read(r *reader, n *node, path string) *setting {
	s := &setting{position: n.position, path: path, key: n.position}
	if n.kind != mappingNode {
		return r.wrongKind(s, m, n)
	}
	if len(n.entries) == 0 {
		r.report(s, "is empty: map at least one value, or remove it")
	}
	pairs, first := []checks.MapPair{}, map[string]position{}
	for _, e := range n.entries {
		owner, err := e.key.value()
		if err != nil {
			s.bad = true
			r.problems = append(r.problems, e.key.problem(path, "%s: %v", e.key.shown(), err))
			continue
		}
		same := sources.Key{sources.Canonical(owner).WithPrecision(0)}.Encode()
		if at, twice := first[same]; twice {
			s.bad = true
			r.problems = append(r.problems, e.key.problem(path, "%s is mapped twice, first on line %d: keep one", e.key.shown(), at.line))
			continue
		}
		first[same] = e.key.position
		replica := r.mapped(e.value, within(path, e.key.text))
		if s.bad = s.bad || replica.bad; !replica.bad {
			pairs = append(pairs, checks.MapPair{Owner: owner, Replica: replica.value.(sources.Value)})
		}
	}
	s.value = pairs
	return s
}

// mapped reads the replica value of a map, where null may be meant, but not nothing.
func (r *reader) mapped(n *node, path string) *setting {
	want := literal("the replica's value")
	if n.kind == scalarNode && n.text != "" {
		return want.read(r, n, path)
	}
	return r.value(want, n, path)
}
