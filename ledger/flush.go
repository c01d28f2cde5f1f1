package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline/drift"
)

// flush writes what the book has gathered.
func (b *book) flush(ctx context.Context) error {
	var dirty []*entry
	for _, e := range b.entries {
		if e.dirty && e.after != nil {
			dirty = append(dirty, e)
		}
	}
	slices.SortFunc(dirty, func(x, y *entry) int { return cmp.Compare(x.after.ID, y.after.ID) })
	if err := b.nameApart(ctx, dirty); err != nil {
		return err
	}
	if err := chunks(dirty, findingColumnCount, func(some []*entry) error { return b.writeFindings(ctx, some) }); err != nil {
		return fmt.Errorf("keep findings: %w", err)
	}
	if err := chunks(b.lines, 9, func(some []line) error { return b.writeLines(ctx, some) }); err != nil {
		return fmt.Errorf("keep timelines: %w", err)
	}
	if err := b.writeFields(ctx, dirty); err != nil {
		return fmt.Errorf("keep fields: %w", err)
	}
	if err := b.writeTallies(ctx); err != nil {
		return fmt.Errorf("keep tallies: %w", err)
	}
	if err := b.writeCured(ctx); err != nil {
		return err
	}
	if err := b.markChanged(ctx); err != nil {
		return err
	}
	if err := b.recount(ctx); err != nil {
		return err
	}
	if err := b.writeArrivals(ctx); err != nil {
		return fmt.Errorf("keep what is new: %w", err)
	}
	if err := b.writeWords(ctx, dirty); err != nil {
		return fmt.Errorf("keep words: %w", err)
	}
	if err := b.writePatterns(ctx); err != nil {
		return fmt.Errorf("keep patterns: %w", err)
	}
	b.tellOf(dirty)
	for _, e := range dirty {
		e.before, e.dirty = e.after, false
	}
	b.lines, b.tallies, b.fields, b.arrivals = nil, map[Tally]int64{}, map[string]*fieldChange{}, map[int64]int64{}
	return nil
}

// mostTold is how many findings are named one by one to whoever watches.
const mostTold = 20

func (b *book) tellOf(dirty []*entry) {
	if len(dirty) > mostTold {
		b.tx.tell(Change{Topic: "finding", Check: b.check, Replica: b.replica})
		return
	}
	for _, e := range dirty {
		b.tx.tell(Change{Topic: "finding", Check: b.check, Replica: b.replica, ID: e.after.ID})
	}
}

// nameApart gives new findings whose short id another has already another one.
func (b *book) nameApart(ctx context.Context, dirty []*entry) error {
	var fresh []string
	for _, e := range dirty {
		if e.before == nil {
			fresh = append(fresh, e.after.ID)
		}
	}
	taken := map[string]bool{}
	err := chunks(fresh, 1, func(some []string) error {
		args := make([]any, len(some))
		for i := range some {
			args[i] = some[i]
		}
		_, err := collect(ctx, b.tx.sql, func(rows *sql.Rows) (none struct{}, err error) {
			var id string
			err = rows.Scan(&id)
			taken[id] = true
			return none, err
		}, `SELECT id FROM findings WHERE id IN `+placeholders(1, 1, len(some)), args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("look for findings of the same id: %w", err)
	}
	for _, e := range dirty {
		if e.before != nil {
			continue
		}
		id := e.after.ID
		for n := 2; taken[id]; n++ {
			id = anotherID(e.after.ID, n)
			if taken[id] {
				continue
			}
			var there int64
			if err := b.tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM findings WHERE id = $1`, id).Scan(&there); err != nil {
				return fmt.Errorf("look for a finding of the same id: %w", err)
			}
			taken[id] = there > 0
		}
		taken[id], e.after.ID = true, id
	}
	return nil
}

func (b *book) writeFindings(ctx context.Context, some []*entry) error {
	args := make([]any, 0, len(some)*findingColumnCount)
	for _, e := range some {
		values, err := e.values(b.tx.keys)
		if err != nil {
			return err
		}
		args = append(args, values...)
	}
	_, err := b.tx.exec(ctx, `INSERT INTO findings (`+findingColumns+`) VALUES `+placeholders(1, len(some), findingColumnCount)+`
		ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, state = excluded.state, changed_at = excluded.changed_at,
			first_seen = excluded.first_seen, confirmed_at = excluded.confirmed_at, last_seen = excluded.last_seen,
			checked_at = excluded.checked_at, asked_at = excluded.asked_at, resolved_at = excluded.resolved_at, muted_until = excluded.muted_until,
			seen = excluded.seen, regressions = excluded.regressions, revision = excluded.revision, accepted = excluded.accepted,
			pattern_id = excluded.pattern_id, counted = excluded.counted, resolution = excluded.resolution, age = excluded.age,
			search = excluded.search, key_text = excluded.key_text, pattern = excluded.pattern, reason = excluded.reason,
			fields = excluded.fields`, args...)
	return err
}

func (b *book) writeLines(ctx context.Context, some []line) error {
	args := make([]any, 0, len(some)*9)
	for _, l := range some {
		args = append(args, l.of.after.ID, l.n, string(l.t.Event), string(l.t.From), string(l.t.To), millis(l.t.At), text(l.t.Actor),
			l.t.Run, text(l.t.Note))
	}
	_, err := b.tx.exec(ctx, `INSERT INTO transitions (finding, revision, event, from_state, to_state, changed_at, actor, run, note)
		VALUES `+placeholders(1, len(some), 9), args...)
	return err
}

// writeFields keeps in which fields a finding differs, where that changed, and
// the tallies of them.
func (b *book) writeFields(ctx context.Context, dirty []*entry) error {
	type pair struct{ field, finding string }
	var more []pair
	for _, e := range dirty {
		var before []string
		if e.before != nil {
			before = titles(e.before)
		}
		after := titles(e.after)
		if slices.Equal(before, after) {
			continue
		}
		for _, field := range before {
			if err := b.dropField(ctx, field, e.after.ID); err != nil {
				return err
			}
		}
		for _, field := range after {
			more = append(more, pair{field, e.after.ID})
		}
	}
	err := chunks(more, 4, func(some []pair) error {
		args := make([]any, 0, len(some)*4)
		for _, p := range some {
			args = append(args, b.check, b.replica, p.field, p.finding)
		}
		_, err := b.tx.exec(ctx, `INSERT INTO finding_fields (check_name, replica, field, finding) VALUES `+placeholders(1, len(some), 4), args...)
		return err
	})
	if err != nil {
		return err
	}
	for _, field := range slices.Sorted(maps.Keys(b.fields)) {
		c := b.fields[field]
		if c.open == 0 && c.kept == 0 {
			continue
		}
		if _, err := b.tx.exec(ctx, `INSERT INTO field_tallies (check_name, replica, field, n, kept) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (check_name, replica, field) DO UPDATE SET n = field_tallies.n + excluded.n, kept = field_tallies.kept + excluded.kept`,
			b.check, b.replica, field, c.open, c.kept); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) dropField(ctx context.Context, field, finding string) error {
	_, err := b.tx.exec(ctx, `DELETE FROM finding_fields WHERE field = $1 AND check_name = $2 AND replica = $3 AND finding = $4`,
		field, b.check, b.replica, finding)
	return err
}

func (b *book) writeArrivals(ctx context.Context) error {
	for _, hour := range slices.Sorted(maps.Keys(b.arrivals)) {
		if b.arrivals[hour] == 0 {
			continue
		}
		if _, err := b.tx.exec(ctx, `INSERT INTO arrivals (check_name, replica, hour_at, n) VALUES ($1, $2, $3, $4)
			ON CONFLICT (check_name, replica, hour_at) DO UPDATE SET n = arrivals.n + excluded.n`, b.check, b.replica, hour, b.arrivals[hour]); err != nil {
			return err
		}
		if b.arrivals[hour] > 0 {
			continue
		}
		if _, err := b.tx.exec(ctx, `DELETE FROM arrivals WHERE check_name = $1 AND replica = $2 AND hour_at = $3 AND n = 0`, b.check, b.replica, hour); err != nil {
			return err
		}
	}
	return nil
}

// writeWords keeps the words of findings that are new, or whose keys are shown
// otherwise than they were.
func (b *book) writeWords(ctx context.Context, dirty []*entry) error {
	type pair struct{ word, finding string }
	var more []pair
	for _, e := range dirty {
		if e.before != nil && e.before.KeyText == e.after.KeyText {
			continue
		}
		if e.before != nil {
			if err := b.dropWords(ctx, e.before); err != nil {
				return err
			}
		}
		for _, word := range searchWords(e.after) {
			more = append(more, pair{word, e.after.ID})
		}
	}
	slices.SortFunc(more, func(x, y pair) int {
		return cmp.Or(strings.Compare(x.word, y.word), strings.Compare(x.finding, y.finding))
	})
	return chunks(more, 2, func(some []pair) error {
		args := make([]any, 0, 2*len(some))
		for _, p := range some {
			args = append(args, []byte(p.word), p.finding)
		}
		_, err := b.tx.exec(ctx, `INSERT INTO finding_words (word, finding) VALUES `+placeholders(1, len(some), 2), args...)
		return err
	})
}

func (b *book) dropWords(ctx context.Context, f *drift.Finding) error {
	for _, word := range searchWords(f) {
		if _, err := b.tx.exec(ctx, `DELETE FROM finding_words WHERE word = $1 AND finding = $2`, []byte(word), f.ID); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) writeTallies(ctx context.Context) error {
	keys := slices.SortedFunc(maps.Keys(b.tallies), func(x, y Tally) int {
		return cmp.Or(strings.Compare(x.Kind, y.Kind), strings.Compare(string(x.State), string(y.State)))
	})
	for _, t := range keys {
		if b.tallies[t] == 0 {
			continue
		}
		if _, err := b.tx.exec(ctx, `INSERT INTO tallies (check_name, replica, kind, state, n) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (check_name, replica, kind, state) DO UPDATE SET n = tallies.n + excluded.n`,
			b.check, b.replica, t.Kind, string(t.State), b.tallies[t]); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) writePatterns(ctx context.Context) error {
	for _, words := range slices.Sorted(maps.Keys(b.patterns)) {
		p := b.patterns[words]
		if !p.dirty {
			continue
		}
		id := patternID(words)
		p.dirty = false
		if p.n == 0 {
			if _, err := b.tx.exec(ctx, `DELETE FROM patterns WHERE check_name = $1 AND replica = $2 AND pattern_id = $3`, b.check, b.replica, id[:]); err != nil {
				return err
			}
			delete(b.patterns, words)
			continue
		}
		if _, err := b.tx.exec(ctx, `INSERT INTO patterns (check_name, replica, pattern_id, words, n, first_seen, last_seen)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (check_name, replica, pattern_id) DO UPDATE SET n = excluded.n, first_seen = excluded.first_seen, last_seen = excluded.last_seen`,
			b.check, b.replica, id[:], words, p.n, millis(p.first), millis(p.last)); err != nil {
			return err
		}
	}
	return nil
}

// forget takes findings out of the ledger and out of what is counted.
func (b *book) forget(ctx context.Context, some []*entry) error {
	for _, e := range some {
		b.move(e.after, nil)
		if err := b.dropWords(ctx, e.after); err != nil {
			return fmt.Errorf("forget %s: %w", e.after.ID, err)
		}
		for _, field := range titles(e.after) {
			if err := b.dropField(ctx, field, e.after.ID); err != nil {
				return fmt.Errorf("forget %s: %w", e.after.ID, err)
			}
		}
		for _, statement := range []string{`DELETE FROM transitions WHERE finding = $1`, `DELETE FROM findings WHERE id = $1`} {
			if _, err := b.tx.exec(ctx, statement, e.after.ID); err != nil {
				return fmt.Errorf("forget %s: %w", e.after.ID, err)
			}
		}
	}
	return b.flush(ctx)
}
