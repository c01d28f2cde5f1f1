package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumbline/checks"
	"plumbline/drift"
)

// book is what one transaction does to the findings of one edge, whose lock it
// holds. It keeps the tallies, patterns and fields in step with every change, and
// writes all of it when it is flushed.
type book struct {
	tx             *Tx
	check, replica string
	limit          int64 // how many open findings are kept
	at             time.Time

	entries map[ident]*entry
	lines   []line

	open     int64
	tallies  map[Tally]int64 // what each changes by; N is 0
	patterns map[string]*patternRow
	fields   map[string]*fieldChange
	arrivals map[int64]int64 // by the hour of confirmation
	accepted int64           // what the open findings that are accepted change by
	marked   mark
	cured    []string // findings that were in state fixing and are resolved
}

// line is a line of a finding's timeline.
type line struct {
	of *entry
	t  drift.Transition
	n  int64 // the revision it made
}

type patternRow struct {
	n           int64
	first, last time.Time
	dirty       bool
}

// fieldChange is what a field's tallies change by.
type fieldChange struct{ open, kept int64 }

// mostPatterns is how many patterns an edge has; what differs in yet another way
// is put with others.
const mostPatterns = 200

// openBook reads what the book keeps up, for changes made at a time. The
// transaction holds the edge.
func openBook(ctx context.Context, tx *Tx, check, replica string, limit int, at time.Time) (*book, error) {
	b := &book{tx: tx, check: check, replica: replica, limit: int64(limit), at: at, entries: map[ident]*entry{}, tallies: map[Tally]int64{},
		patterns: map[string]*patternRow{}, fields: map[string]*fieldChange{}, arrivals: map[int64]int64{}}
	err := tx.sql.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tallies
		WHERE check_name = $1 AND replica = $2 AND state <> 'resolved'`, check, replica).Scan(&b.open)
	if err != nil {
		return nil, fmt.Errorf("count open findings: %w", err)
	}
	_, err = collect(ctx, tx.sql, func(rows *sql.Rows) (none struct{}, err error) {
		var words string
		var first, last int64
		p := &patternRow{}
		err = rows.Scan(&words, &p.n, &first, &last)
		p.first, p.last = timeOf(first), timeOf(last)
		b.patterns[words] = p
		return none, err
	}, `SELECT words, n, first_seen, last_seen FROM patterns WHERE check_name = $1 AND replica = $2`, check, replica)
	if err != nil {
		return nil, fmt.Errorf("read patterns: %w", err)
	}
	return b, nil
}

// load reads the findings of some identities.
func (b *book) load(ctx context.Context, who []ident) error {
	var unknown [][]byte
	for _, i := range who {
		if b.entries[i] == nil {
			b.entries[i] = &entry{ident: i}
			unknown = append(unknown, i[:])
		}
	}
	found, err := entriesBy(ctx, b.tx.keys, b.tx.sql, "ident", unknown)
	if err != nil {
		return err
	}
	b.adopt(found)
	return nil
}

func (b *book) adopt(found []*entry) {
	for _, e := range found {
		b.entries[e.ident] = e
	}
}

// see records that a finding was read and differs, as read says. It is omitted
// where it is new and as many as are kept are open.
func (b *book) see(e *entry, read *drift.Finding, firstSeen, at time.Time, run string) (omitted bool, err error) {
	if e.after == nil && b.open >= b.limit {
		return true, nil
	}
	if e.after != nil {
		read.ID = e.after.ID
	}
	read.Pattern = text(read.Pattern)
	read.Pattern = b.patternFor(e, read)
	return false, b.apply(e, drift.Observation{Event: drift.Seen, At: at, Actor: drift.Plumbline, Run: run, Finding: read, FirstSeen: firstSeen})
}

// seeAgain records that a finding was met and differs, without what was read.
func (b *book) seeAgain(e *entry, at time.Time, run string) error {
	as := *e.after
	return b.apply(e, drift.Observation{Event: drift.Seen, At: at, Actor: drift.Plumbline, Run: run, Finding: &as, FirstSeen: as.FirstSeen})
}

// clear records that a finding's record was read and is none any more.
func (b *book) clear(e *entry, resolution string, at time.Time, run string) error {
	if e.after == nil || !e.after.State.Open() {
		return nil
	}
	return b.apply(e, drift.Observation{Event: drift.Cleared, At: at, Actor: drift.Plumbline, Run: run, Resolution: resolution})
}

// apply moves a finding by drift.Next, and all that is kept of it along.
func (b *book) apply(e *entry, o drift.Observation) error {
	o.At = timeOf(millis(o.At))
	after, t, changed, err := drift.Next(e.after, o)
	if err != nil {
		return err
	}
	if after == e.after {
		return nil
	}
	b.move(e.after, after)
	b.marked.note(e.after, after, o)
	b.cure(e.after, after)
	e.after, e.dirty = after, true
	if o.Event == drift.Seen || o.Event == drift.Cleared {
		e.askedAt = o.At
	}
	if changed {
		e.changedAt = o.At
		b.lines = append(b.lines, line{e, t, after.Revision})
	}
	return nil
}

// patternFor is the pattern a finding is put in.
func (b *book) patternFor(e *entry, read *drift.Finding) string {
	if p := b.patterns[read.Pattern]; p != nil && p.n > 0 {
		return read.Pattern
	}
	used := 0
	for _, p := range b.patterns {
		if p.n > 0 {
			used++
		}
	}
	if e.after != nil && e.after.State.Open() && b.patterns[e.after.Pattern] != nil && b.patterns[e.after.Pattern].n == 1 {
		used-- // which it leaves
	}
	if used < mostPatterns {
		return read.Pattern
	}
	return text(otherPattern(read))
}

// move takes a finding out of what it was counted in and counts it anew; either
// may be nil.
func (b *book) move(before, after *drift.Finding) {
	if before != nil {
		b.tally(before, -1)
	}
	if after != nil {
		b.tally(after, 1)
	}
}

func (b *book) tally(f *drift.Finding, by int64) {
	b.tallies[Tally{Kind: string(f.Kind), State: f.State}] += by
	open := f.State.Open()
	for _, title := range titles(f) {
		c := b.fields[title]
		if c == nil {
			c = &fieldChange{}
			b.fields[title] = c
		}
		c.kept += by
		if open {
			c.open += by
		}
	}
	if !open {
		return
	}
	b.open += by
	if f.Accepted {
		b.accepted += by
	}
	b.arrivals[millis(f.ConfirmedAt.Truncate(time.Hour))] += by
	p := b.patterns[f.Pattern]
	if p == nil {
		p = &patternRow{}
		b.patterns[f.Pattern] = p
	}
	if by > 0 {
		if p.n == 0 || f.FirstSeen.Before(p.first) {
			p.first = f.FirstSeen
		}
		if p.n == 0 || f.LastSeen.After(p.last) {
			p.last = f.LastSeen
		}
	}
	p.n += by
	p.dirty = true
}

// titles are the names of the fields in which a finding differs, each once.
func titles(f *drift.Finding) []string {
	var list []string
	for i := range f.Fields {
		title := text(f.Fields[i].Title())
		if !has(list, title) {
			list = append(list, title)
		}
	}
	return list
}

func has(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

// NotDelivered is why a finding is resolved whose record cannot be looked up, and
// which a run that read everything did not meet.
const NotDelivered = "not delivered"

// resolveUndelivered resolves the open findings whose records cannot be looked
// up and which a run that read everything did not meet.
func (b *book) resolveUndelivered(ctx context.Context, r *Run) error {
	if b.open == 0 {
		return nil
	}
	found, err := collect(ctx, b.tx.sql, b.tx.keys.scanEntry, `SELECT `+findingColumns+` FROM findings
		WHERE check_name = $1 AND replica = $2 AND kind = $3 AND state <> 'resolved' AND NOT whole AND last_seen < $4`,
		b.check, b.replica, string(checks.Unreadable), millis(r.StartedAt))
	if err != nil {
		return fmt.Errorf("read findings without a key: %w", err)
	}
	for _, e := range found {
		if b.entries[e.ident] != nil && b.entries[e.ident].dirty || e.countedIn(r.ID, checks.Unreadable) {
			continue
		}
		b.entries[e.ident] = e
		if err := b.clear(e, NotDelivered, r.EndedAt, r.ID); err != nil {
			return err
		}
	}
	return nil
}
