package web

import (
	"net/url"
	"strings"
	"time"

	"plumbline/alerts"
)

// What the page of an incident says in words and figures.

// causes are why nothing can be said, each once.
func causes(facts *alerts.Facts) string {
	var list []string
	known := map[string]bool{}
	for i := range facts.Edges {
		e := &facts.Edges[i]
		if e.Cause == "" || known[e.Cause] {
			continue
		}
		known[e.Cause] = true
		list = append(list, e.Cause)
	}
	if len(list) == 0 {
		return ""
	}
	return "Why: " + strings.Join(list, "; ") + "."
}

// schemaWords say what changed, and since when that is known.
func schemaWords(facts *alerts.Facts, now time.Time) string {
	var list []string
	for i := range facts.Edges {
		if e := &facts.Edges[i]; len(e.Schema) > 0 {
			list = append(list, strings.Join(e.Schema, "; ")+" (since "+at(e.SchemaSince, now, "").Title+")")
		}
	}
	return strings.Join(list, "; ") + "."
}

// schemaEdges are how many edges are of another schema than they were.
func schemaEdges(f *alerts.Facts) (n int64) {
	for i := range f.Edges {
		if len(f.Edges[i].Schema) > 0 {
			n++
		}
	}
	return n
}

func (v *incidentView) numbers(i *alerts.Incident) {
	f := &i.Facts
	if i.Kind == alerts.Schema {
		v.Numbers = []fact{{Name: "not compared", Text: several(schemaEdges(f), "edge", "edges")}, {Name: "of", Text: several(int64(len(f.Edges)), "edge", "edges")}}
		return
	}
	if i.Kind == alerts.Blind {
		v.Numbers = []fact{{Name: "cannot be checked", Text: several(blindEdges(f), "edge", "edges")}, {Name: "of", Text: several(int64(len(f.Edges)), "edge", "edges")}}
		return
	}
	v.Numbers = []fact{{Name: "differ now", Text: exact(f.Counted)}, {Name: "when it opened", Text: exact(i.First)}, {Name: "at most", Text: exact(i.Peak)}}
	if f.Compared > 0 {
		v.Numbers = append(v.Numbers, fact{Name: "of compared", Text: share(f.Share())}, fact{Name: "compared", Text: exact(f.Compared)})
	}
	v.Numbers = append(v.Numbers, fact{Name: "nobody took on", Text: exact(f.Loud)}, fact{Name: "known before", Text: exact(f.Accepted)},
		fact{Name: "suspects pending", Text: exact(f.Pending)}, fact{Name: "healed by themselves", Text: exact(f.Healed)}, fact{Name: "fixed", Text: exact(f.Fixed)})
}

// blindEdges are how many edges nothing can be said of.
func blindEdges(f *alerts.Facts) (n int64) {
	for i := range f.Edges {
		if f.Edges[i].Blind() {
			n++
		}
	}
	return n
}

// counts lay out by kind and by field what is open, each leading to its findings.
func (v *incidentView) counts(i *alerts.Incident) {
	rows := func(list []alerts.Count, parameter string) (out []countRow) {
		var most int64 = 1
		for _, c := range list {
			most = max(most, c.N)
		}
		for _, c := range list {
			query := url.Values{"check": {i.Check}}
			out = append(out, countRow{Name: c.Name, URL: with("/findings", query, parameter, c.Name), N: exact(c.N),
				Bar: barOf(float64(c.N)/float64(most), "drift", c.Name+": "+exact(c.N))})
		}
		return out
	}
	v.Kinds, v.Fields = rows(i.Facts.Kinds, "kind"), rows(i.Facts.Fields, "field")
	v.NoKinds, v.NoFields = "Nothing is open.", "No field differs."
	if len(v.Kinds) > 0 {
		v.NoFields = "What differs is whole records, not single fields."
	}
}
