package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

const (
	// mostTies is how many records may share a position.
	mostTies = 100_000
	// window is how many rows of an index a statement may pass over without
	// giving one. SQLite cannot be interrupted between one row and the next, so
	// a filter that few rows pass is applied window by window.
	window = 10_000
	// mostWindows bounds the windows of a page, which then may be empty.
	mostWindows = 50
)

// Scan implements sources.Scanner.
func (s *source) Scan(ctx context.Context, d *sources.Dataset, r sources.ScanRequest) (sources.Page, error) {
	var b *builder
	err := s.read(ctx, func(tx reading) error {
		if err := s.goesOn(d, tx.file, r.Span); err != nil {
			return err
		}
		return s.withCompiled(tx, d, func(tx reading, c *compiled) error {
			b = &builder{compiled: c, limit: r.Limit, keysOnly: r.KeysOnly, inScopeOnly: r.InScopeOnly && c.where != ""}
			return c.scanSpan(tx, r.Span, b)
		})
	})
	if err != nil {
		return sources.Page{}, err
	}
	return b.page, nil
}

// scanSpan fills a page from a span, phase by phase.
func (c *compiled) scanSpan(tx reading, span sources.Span, b *builder) (err error) {
	from, to := mainPhase, phase(1<<30)
	if span.After != nil {
		if from, err = c.phaseOf(span.After); err != nil {
			return err
		}
	}
	if span.UpTo != nil {
		if to, err = c.phaseOf(span.UpTo); err != nil {
			return err
		}
	}
	for _, ph := range c.phases() {
		if ph < from || ph > to {
			continue
		}
		var after, upTo sources.Position
		if ph == from {
			after = span.After
		}
		if ph == to {
			upTo = span.UpTo
		}
		if err := c.scanPhase(tx, ph, after, upTo, b); err != nil || b.page.Next != nil {
			return err
		}
	}
	b.page.Done = true
	return nil
}

// scanPhase fills a page from one phase. It sets the page's Next where the
// page ends before the phase does.
func (c *compiled) scanPhase(tx reading, ph phase, after, upTo sources.Position, b *builder) error {
	if c.sorts {
		return c.scanSorted(tx, c.part(ph, after, upTo), b)
	}
	if !c.filtered && !b.inScopeOnly && ph != restPhase {
		return c.stream(tx, c.part(ph, after, upTo), "", b)
	}
	for {
		end, err := c.windowEnd(tx, ph, after, upTo)
		if err != nil {
			return err
		}
		last, resumable := end == nil, true
		switch {
		case last:
			end = upTo
		case ph == restPhase:
			end, resumable = restEnd(after, end)
		}
		if err := c.stream(tx, c.part(ph, after, end), "", b); err != nil || last || b.page.Next != nil {
			return err
		}
		if b.windows++; b.windows >= mostWindows && resumable {
			b.page.Next = end
			return nil
		}
		after = end
	}
}

// restEnd makes a window's end, which may be a regular row, a position that says
// it is of the rest phase: the first possible one behind the same first part.
// ok is false where that would be no step forward.
func restEnd(after, end sources.Position) (stop sources.Position, ok bool) {
	if after != nil && samePart(after[0], end[0], "") {
		return end, false
	}
	stop = make(sources.Position, len(end))
	for i := range stop {
		stop[i] = sources.Null()
	}
	stop[0] = end[0]
	return stop, true
}

// windowEnd is the position a window's length behind after, nil where the phase
// ends before that.
func (c *compiled) windowEnd(tx reading, ph phase, after, upTo sources.Position) (end sources.Position, err error) {
	p := c.part(ph, after, upTo)
	if ph == restPhase { // every row with a regular first part is passed over
		p = part{phase: ph}
		c.bounds(&p, quote(c.names[0])+" >= ?", "", after[:min(1, len(after))], nil)
		if after != nil {
			condition, args := follows(c.names, after)
			p.and(condition, args...)
		}
	}
	var list []string
	for _, name := range c.names {
		list = append(list, "+"+quote(name))
	}
	text := fmt.Sprintf("SELECT %s FROM %s%s%s LIMIT 1 OFFSET %d", strings.Join(list, ", "), c.from(c.scan), conditions(p.where), c.orderBy(), window-1)
	err = tx.each(text, p.args, func(values []any) (bool, error) {
		end = make(sources.Position, len(values))
		for i, v := range values {
			end[i] = stored(v)
		}
		return true, nil
	})
	return end, err
}

// scanSorted asks for no more than the page needs, and then for the rest of the
// records at the page's last position.
func (c *compiled) scanSorted(tx reading, p part, b *builder) error {
	most := max(1, b.limit.Records-len(b.page.Records)) + 1
	read := 0
	b.reading = func() { read++ }
	if err := c.stream(tx, p, fmt.Sprintf(" LIMIT %d", most), b); err != nil || b.page.Next != nil || read < most {
		return err
	}
	last := b.last
	b.dropTies()
	group := p
	group.where, group.args = slices.Clone(p.where), slices.Clone(p.args)
	for i, name := range c.names {
		group.and(quote(name)+" IS ?", bind(last[i:i+1])...)
	}
	if err := c.stream(tx, group, "", b); err != nil {
		return err
	}
	b.page.Next = last
	return nil
}

// stream reads a part in order into the page until the page is full.
func (c *compiled) stream(tx reading, p part, limit string, b *builder) error {
	text, args := c.partText(p, b.keysOnly, b.inScopeOnly)
	return tx.each(text+limit, args, func(values []any) (bool, error) {
		if b.reading != nil {
			b.reading()
		}
		return b.add(c.row(values, b.keysOnly))
	})
}

func (c *compiled) partText(p part, keysOnly, inScopeOnly bool) (text string, args []any) {
	where, args := slices.Clone(p.where), slices.Clone(p.args)
	if c.scope != "" {
		where, args = append(where, filter(c.scope, !c.sorts)), append(args, c.scopeArgs...)
	}
	if inScopeOnly {
		where = append(where, filter(c.where, !c.sorts))
	}
	return "SELECT " + c.list(keysOnly) + " FROM " + c.from(c.scan) + conditions(where) + c.orderBy(), args
}

// scanText is a whole statement of a scan, limited where a scan would be.
func (c *compiled) scanText(p part, limited bool) (text string, args []any) {
	text, args = c.partText(p, false, false)
	if limited && c.sorts {
		text += " LIMIT 501"
	}
	return text, args
}

// filter writes a condition. Where an index already serves, the planner is kept
// from seeing into it: a condition on the key might look like a better bound
// than the page's own, and let every page begin at the front.
func filter(condition string, served bool) string {
	if served {
		return "(" + condition + ") IS TRUE"
	}
	return condition
}

func conditions(where []string) string {
	if len(where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(where, " AND ")
}

func (c *compiled) orderBy() string {
	return " ORDER BY " + quoted(c.names)
}

// builder fills a page of a scan or of the copies of one key.
type builder struct {
	*compiled
	page                  sources.Page
	limit                 sources.Limit
	keysOnly, inScopeOnly bool
	last                  sources.Position
	ties                  int // records at last
	tiesSize              int // and their bytes
	windows               int
	reading               func() // hears of every row, where set
}

// add takes a row into the page, unless the page is full and the row begins a
// new position.
func (b *builder) add(r row) (more bool, err error) {
	same := b.last != nil && b.same(b.last, r.position)
	if !same && b.ties > 0 && (len(b.page.Records) >= b.limit.Records || b.page.Size >= b.limit.Bytes) {
		b.page.Next = b.last
		return false, nil
	}
	if !same {
		b.ties, b.tiesSize = 0, 0
	}
	b.last = r.position
	b.ties++
	b.tiesSize += r.size
	if b.ties > mostTies {
		return false, sources.Final(fmt.Errorf("more than %d records of %s share the key %s; declare an id: for the dataset", mostTies, b.dataset.Title(), r.record.Key))
	}
	b.page.Records = append(b.page.Records, r.record)
	b.page.Size += r.size
	return true, nil
}

// dropTies takes the records at the last position out of the page again.
func (b *builder) dropTies() {
	b.page.Records = b.page.Records[:len(b.page.Records)-b.ties]
	b.page.Size -= b.tiesSize
	b.last, b.ties, b.tiesSize = nil, 0, 0
}
