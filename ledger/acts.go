package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumbline/drift"
)

// Act does to findings what a person asked for: acknowledge, accept, mute,
// unmute. All change or none does. revision, where it is not 0, is what the
// person saw; a finding that moved on is a *StaleError. *NotFoundError,
// *drift.NotPossible.
func (l *Ledger) Act(ctx context.Context, ids []string, o drift.Observation, revision int64) ([]*drift.Finding, error) {
	var list []*drift.Finding
	err := l.InTx(ctx, func(tx *Tx) error {
		books, entries, err := l.openBooks(ctx, tx, ids)
		if err != nil {
			return err
		}
		list = make([]*drift.Finding, len(ids))
		for _, id := range ids {
			e := entries[id]
			if e == nil {
				return &NotFoundError{What: "finding", Name: id}
			}
			if revision != 0 && e.before.Revision != revision {
				return &StaleError{Finding: id, Has: e.before.Revision, Told: revision}
			}
			if !e.dirty { // an id given twice is acted on once
				if err := books[EdgeRef{e.before.Check, e.before.Replica}].apply(e, o); err != nil {
					return err
				}
			}
		}
		for i, id := range ids {
			list[i] = entries[id].after
		}
		if err := tx.attestActs(ctx, ids, o); err != nil {
			return err
		}
		return flushBooks(ctx, books)
	})
	if err != nil {
		return nil, fmt.Errorf("%s findings: %w", o.Event, err)
	}
	return list, nil
}

// openBooks locks the edges of some findings and reads those.
func (l *Ledger) openBooks(ctx context.Context, tx *Tx, ids []string) (map[EdgeRef]*book, map[string]*entry, error) {
	found, err := entriesBy(ctx, tx.keys, tx.sql, "id", ids)
	if err != nil {
		return nil, nil, err
	}
	var refs []EdgeRef
	for _, e := range found {
		refs = append(refs, EdgeRef{e.before.Check, e.before.Replica})
	}
	refs = slices.Compact(sortedBy(refs, func(r EdgeRef) string { return r.Check + "\x00" + r.Replica }))
	books := map[EdgeRef]*book{}
	for _, ref := range refs {
		if _, err := tx.lockEdge(ctx, ref.Check, ref.Replica); err != nil {
			return nil, nil, err
		}
		if books[ref], err = openBook(ctx, tx, ref.Check, ref.Replica, l.options.Findings, timeOf(millis(l.now()))); err != nil {
			return nil, nil, err
		}
	}
	if found, err = entriesBy(ctx, tx.keys, tx.sql, "id", ids); err != nil { // as they are now that nobody else writes them
		return nil, nil, err
	}
	entries := map[string]*entry{}
	for _, e := range found {
		entries[e.before.ID] = e
		books[EdgeRef{e.before.Check, e.before.Replica}].entries[e.ident] = e
	}
	return books, entries, nil
}

func flushBooks(ctx context.Context, books map[EdgeRef]*book) error {
	for _, b := range books {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// actBatch is how many findings change in one transaction where many do.
const actBatch = 500

// ActAll does it to every finding that the filter chooses and whose state allows
// it, in batches, and returns how many changed. Findings that change meanwhile
// for another reason may be left out. The audit log has an entry of the first
// batch, and where there were more, one that says how many findings it was.
func (l *Ledger) ActAll(ctx context.Context, f FindingFilter, o drift.Observation) (n int64, err error) {
	return l.actAll(ctx, f, o, string(o.Event))
}

func (l *Ledger) actAll(ctx context.Context, f FindingFilter, o drift.Observation, action string) (n int64, err error) {
	object, begun := f.words(), false
	n, err = l.actInBatches(ctx, f, o, func(tx *Tx, changed int64, first, last bool) error {
		switch {
		case !first:
			return nil
		case last:
			return tx.attest(ctx, action, object, fmt.Sprintf("%sfindings: %d", untilWords(o), changed))
		}
		begun = true
		return tx.attest(ctx, action, object, untilWords(o)+"begun; how many follows")
	})
	if begun {
		counted := l.InTx(context.WithoutCancel(ctx), func(tx *Tx) error {
			return tx.attest(ctx, action, object, fmt.Sprintf("%sfindings: %d", untilWords(o), n))
		})
		err = errors.Join(err, counted)
	}
	return n, err
}

// actInBatches acts on what a filter chooses; within the transaction of each batch
// that changed something it calls then.
func (l *Ledger) actInBatches(ctx context.Context, f FindingFilter, o drift.Observation,
	then func(tx *Tx, changed int64, first, last bool) error) (n int64, err error) {
	f.Limit = actBatch
	for {
		page, err := l.page(ctx, f)
		if err != nil {
			return n, fmt.Errorf("%s findings: %w", o.Event, err)
		}
		if len(page) == 0 {
			return n, nil
		}
		last := len(page) <= actBatch
		page = page[:min(len(page), actBatch)]
		ids := make([]string, len(page))
		for i := range page {
			ids[i] = page[i].id
		}
		first := n == 0
		changed, err := l.actWherePossible(ctx, ids, o, func(tx *Tx, changed int64) error { return then(tx, changed, first, last) })
		n += changed
		if err != nil {
			return n, fmt.Errorf("%s findings: %w", o.Event, err)
		}
		if last {
			return n, nil
		}
		end := page[len(page)-1]
		f.After = fmt.Sprintf("%d.%s", end.at, end.id)
	}
}

// actWherePossible acts on those findings whose state allows it and which change
// by it; where any did, then is called within the transaction.
func (l *Ledger) actWherePossible(ctx context.Context, ids []string, o drift.Observation, then func(tx *Tx, changed int64) error) (n int64, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		n = 0
		books, entries, err := l.openBooks(ctx, tx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			e := entries[id]
			if e == nil {
				continue
			}
			_, _, changes, err := drift.Next(e.after, o)
			var impossible *drift.NotPossible
			if errors.As(err, &impossible) || err == nil && !changes {
				continue
			}
			if err != nil {
				return err
			}
			if err := books[EdgeRef{e.before.Check, e.before.Replica}].apply(e, o); err != nil {
				return err
			}
			n++
		}
		if n > 0 {
			if err := then(tx, n); err != nil {
				return err
			}
		}
		return flushBooks(ctx, books)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// AcceptBaseline takes what drifts in a check today as known.
func (l *Ledger) AcceptBaseline(ctx context.Context, check, actor, note string) (n int64, err error) {
	return l.actAll(ctx, FindingFilter{Check: check, State: "open"}, drift.Observation{Event: drift.Accept, At: l.now(), Actor: actor, Note: note}, "accept baseline")
}

// UnmuteDue lifts the mutes whose time has come, and returns how many.
func (l *Ledger) UnmuteDue(ctx context.Context, now time.Time) (n int64, err error) {
	for {
		ids, err := collect(ctx, l.read, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) },
			`SELECT id FROM findings WHERE state = 'muted' AND muted_until <= $1 ORDER BY muted_until LIMIT $2`, millis(now), actBatch)
		if err != nil {
			return n, fmt.Errorf("look for mutes that are over: %w", err)
		}
		if len(ids) == 0 {
			return n, nil
		}
		lifted, err := l.actWherePossible(ctx, ids, drift.Observation{Event: drift.Unmute, At: now, Actor: drift.Plumbline},
			func(*Tx, int64) error { return nil })
		n += lifted
		if err != nil {
			return n, fmt.Errorf("lift mutes that are over: %w", err)
		}
		if lifted == 0 {
			return n, nil
		}
	}
}
