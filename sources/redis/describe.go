package redis

import (
	"context"
	"fmt"
	"slices"

	"plumbline/sources"
)

const (
	// observed is how many records Describe looks at, and lookAt how many times it
	// asks for keys at most to find them.
	observed = 20
	lookAt   = 50
)

// Describe says what can be known of a store that declares nothing: a hash and a
// text hold texts, and so does the pattern where no document has the field too.
// Fields of documents are of no declared kind; the key's are of the one kind that
// the first records have, should they agree.
func (s *source) Describe(ctx context.Context, d *sources.Dataset) (sources.Description, error) {
	p, err := s.ready(d)
	if err != nil {
		return sources.Description{}, err
	}
	desc := sources.Description{Types: map[string]sources.FieldType{}, ScanBy: []string{"key in Redis"}, Order: sources.OrderOwn, ScanIndex: "SCAN",
		Unique: d.Unwind == "" && !slices.ContainsFunc(p.pattern.Fields, func(name string) bool { return !slices.Contains(d.Key, name) && !slices.Contains(d.ID, name) })}
	for _, name := range slices.Concat(d.Key, d.ID, d.Fields, scopeOf(d)) {
		desc.Types[name] = sources.FieldType{Nullable: true}
		if p.format != sources.FormatJSON {
			desc.Types[name] = sources.FieldType{Declared: "text", Kind: sources.KindText, Strict: true, Nullable: !slices.Contains(p.pattern.Fields, name)}
		}
	}
	if p.direct() {
		desc.KeyIndex = "GET"
	} else {
		desc.Warnings = append(desc.Warnings, fmt.Sprintf("the key does not say at which key of Redis a record is: every look-up goes over all keys of the database, and over all that match %s", p.glob))
	}
	if p.format != sources.FormatJSON {
		return desc, nil
	}
	found, err := s.observe(ctx, p)
	if err != nil {
		return sources.Description{}, err
	}
	for i, name := range d.Key {
		if kind, one := kindOf(found, i); one {
			desc.Types[name] = sources.FieldType{Declared: kind.String() + " in what was looked at", Kind: kind, Nullable: !slices.Contains(p.pattern.Fields, name)}
		}
	}
	if len(found) == 0 {
		desc.Warnings = append(desc.Warnings, fmt.Sprintf("no key that matches %s was met", p.glob))
	}
	return desc, nil
}

func scopeOf(d *sources.Dataset) (names []string) {
	for _, c := range d.Scope {
		names = append(names, c.Field)
	}
	return names
}

// observe reads a few records, those that SCAN gives first.
func (s *source) observe(ctx context.Context, p *dataset) ([]sources.Record, error) {
	l := &listing{glob: p.glob, drive: make(chan struct{}, 1)}
	for range lookAt {
		if err := l.step(ctx, s, "look at "+p.Title()); err != nil {
			return nil, err
		}
		if len(l.keys) >= observed || l.done {
			break
		}
	}
	l.settle(observed, maxListedBytes)
	var all []sources.Record
	for keys := l.keys; len(keys) > 0; {
		got, err := s.fetch(ctx, p, keys, 1<<20)
		if err != nil {
			return nil, err
		}
		for i := range got {
			for _, r := range p.records(p.bare, &got[i]) {
				if r.Unreadable == "" && r.Skipped == "" {
					all = append(all, r)
				}
			}
		}
		keys = keys[len(got):]
	}
	return all, nil
}

// kindOf is the kind of a part of every key, where they agree. Integers and
// decimals are numbers alike, and no kind is told of them together.
func kindOf(records []sources.Record, part int) (kind sources.Kind, one bool) {
	for i := range records {
		got := records[i].Key[part].Kind()
		if got == sources.KindAbsent || got == sources.KindNull || i > 0 && got != kind {
			return sources.KindAbsent, false
		}
		kind = got
	}
	return kind, len(records) > 0
}

// Explain shows the commands that a run would send.
func (s *source) Explain(_ context.Context, d *sources.Dataset) ([]sources.Statement, error) {
	p, err := s.ready(d)
	if err != nil {
		return nil, err
	}
	read := map[sources.Format]string{sources.FormatJSON: "STRLEN and GET", sources.FormatText: "STRLEN and GET", sources.FormatHash: "HLEN and HGETALL"}[p.format]
	scan := sources.Statement{Purpose: "scan", Text: fmt.Sprintf("SCAN 0 MATCH %s COUNT %d", p.glob, scanCount), Index: "SCAN", Records: s.estimate(p.glob),
		Plan: fmt.Sprintf("one pass over all keys of the database, at most half of the time at work; then %s for %d keys at once", read, fetchKeys)}
	lookup := sources.Statement{Purpose: "lookup", Text: read + " " + p.pattern.String(), Index: "GET", Plan: fmt.Sprintf("%d keys in one round trip", fetchKeys)}
	if !p.direct() {
		lookup.Text, lookup.Index, lookup.Plan = scan.Text, "", scan.Plan
	}
	return []sources.Statement{scan, lookup}, nil
}
