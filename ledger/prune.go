package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Retention is how long what is over is kept; 0 is the default.
type Retention struct {
	Runs     time.Duration // 30 days; the last word on each edge stays
	Findings time.Duration // resolved ones, 90 days
	Slots    time.Duration // 7 days
	Segments time.Duration // of finished runs, 2 days
	Images   time.Duration // what records looked like before and after fixes, 30 days; plans stay as long as Findings, and while one of theirs is open
}

func (r Retention) withDefaults() Retention {
	const day = 24 * time.Hour
	for _, d := range []struct {
		is  *time.Duration
		not time.Duration
	}{{&r.Runs, 30 * day}, {&r.Findings, 90 * day}, {&r.Slots, 7 * day}, {&r.Segments, 2 * day}, {&r.Images, 30 * day}} {
		if *d.is == 0 {
			*d.is = d.not
		}
	}
	return r
}

// How long codes and tokens that have expired are kept, so that a page can say
// what became of them.
const (
	codesKept  = 24 * time.Hour
	tokensKept = 90 * 24 * time.Hour
)

// Pruned is how much was deleted.
type Pruned struct{ Runs, Findings, Slots, Segments, Images, Plans int64 }

// pruneBatch is how many rows one transaction deletes, so that nobody who writes
// waits for long.
const pruneBatch = 100

// Prune deletes what is over and old, in batches small enough that nobody who
// writes waits for long.
func (l *Ledger) Prune(ctx context.Context, now time.Time, keep Retention) (done Pruned, err error) {
	keep = keep.withDefaults()
	before := func(d time.Duration) int64 { return millis(now.Add(-d)) }
	for _, step := range []struct {
		what string
		n    *int64
		do   func(context.Context, *Tx) (int64, error)
	}{
		{"what samples drew", new(int64), deleteOld(`DELETE FROM rolls WHERE (run, side) IN (SELECT s.run, s.side FROM rolls s JOIN runs r ON r.id = s.run
			WHERE r.state = 'finished' AND r.finished_at < $1 LIMIT $2)`, before(keep.Segments))},
		{"segments", &done.Segments, deleteOld(`DELETE FROM segments WHERE (run, n) IN (SELECT s.run, s.n FROM segments s JOIN runs r ON r.id = s.run
			WHERE r.state = 'finished' AND r.finished_at < $1 LIMIT $2)`, before(keep.Segments))},
		{"runs", &done.Runs, deleteOld(`DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE state = 'finished' AND finished_at < $1
			AND NOT EXISTS (SELECT 1 FROM segments s WHERE s.run = runs.id) AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.check_name = runs.check_name AND e.replica = runs.replica AND e.last_run = runs.id) LIMIT $2)`, before(keep.Runs))},
		{"slots", &done.Slots, deleteOld(`DELETE FROM slots WHERE (check_name, slot_at) IN (SELECT check_name, slot_at FROM slots WHERE slot_at < $1 LIMIT $2)`, before(keep.Slots))},
		{"history", new(int64), deleteOld(`DELETE FROM buckets WHERE (check_name, replica, begins_at) IN (SELECT check_name, replica, begins_at FROM buckets WHERE begins_at < $1 LIMIT $2)`, before(keep.Runs))},
		{"sessions", new(int64), deleteOld(`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE used_at < $1 LIMIT $2)`, before(idleAfter))},
		{"sessions", new(int64), deleteOld(`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE created_at < $1 LIMIT $2)`, before(sessionFor))},
		{"sign-ins that failed", new(int64), deleteOld(`DELETE FROM sign_ins WHERE subject IN (SELECT subject FROM sign_ins WHERE good_at = 0 AND changed_at < $1 LIMIT $2)`, before(failuresKept))},
		{"sign-ins", new(int64), deleteOld(`DELETE FROM sign_ins WHERE subject IN (SELECT subject FROM sign_ins WHERE changed_at < $1 LIMIT $2)`, before(goodFor))},
		{"codes", new(int64), deleteOld(`DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE expires_at < $1 LIMIT $2)`, before(codesKept))},
		{"tokens", new(int64), deleteOld(`DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE expires_at < $1 LIMIT $2)`, before(tokensKept))},
		{"milestones", new(int64), deleteOld(`DELETE FROM milestones WHERE (incident, n) IN (SELECT m.incident, m.n FROM milestones m
			JOIN incidents i ON i.id = m.incident WHERE i.state = 'resolved' AND i.resolved_at < $1 LIMIT $2)`, before(incidentsKept))},
		{"what was told", new(int64), deleteOld(`DELETE FROM deliveries WHERE (subject, integration, address) IN (SELECT d.subject, d.integration, d.address
			FROM deliveries d JOIN incidents i ON i.id = d.subject WHERE i.state = 'resolved' AND i.resolved_at < $1 LIMIT $2)`, before(incidentsKept))},
		{"incidents", new(int64), deleteOld(`DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE state = 'resolved' AND resolved_at < $1 LIMIT $2)`, before(incidentsKept))},
		{"changes of schemas", new(int64), deleteOld(`DELETE FROM schema_changes WHERE (check_name, replica, side, words) IN (SELECT check_name, replica, side, words
			FROM schema_changes WHERE found_at < $1 LIMIT $2)`, before(SchemaChangesKept))},
		{"digests", new(int64), deleteOld(`DELETE FROM deliveries WHERE (subject, integration, address) IN (SELECT subject, integration, address FROM deliveries
			WHERE content <> '' AND due_at = 0 AND sent_at < $1 LIMIT $2)`, before(digestsKept))},
		{"images", &done.Images, deleteOld(`UPDATE plan_items SET content = NULL WHERE (plan, n) IN (SELECT i.plan, i.n FROM plan_items i
			JOIN plans p ON p.id = i.plan WHERE i.content IS NOT NULL AND p.ended_at > 0 AND p.ended_at < $1 LIMIT $2)`, before(keep.Images))},
		{"answers", new(int64), deleteOld(`DELETE FROM answers WHERE (route, name) IN (SELECT route, name FROM answers WHERE asked_at < $1 LIMIT $2)`, before(answersKept))},
	} {
		if err := l.inBatches(ctx, step.n, step.do); err != nil {
			return done, fmt.Errorf("prune %s: %w", step.what, err)
		}
	}
	if err := l.pruneFindings(ctx, &done.Findings, before(keep.Findings)); err != nil {
		return done, fmt.Errorf("prune findings: %w", err)
	}
	if err := l.prunePlans(ctx, &done.Plans, before(keep.Findings)); err != nil {
		return done, fmt.Errorf("prune plans: %w", err)
	}
	return done, nil
}

func deleteOld(statement string, before int64) func(context.Context, *Tx) (int64, error) {
	return func(ctx context.Context, tx *Tx) (int64, error) { return tx.exec(ctx, statement, before, pruneBatch) }
}

// inBatches repeats a transaction until it deletes less than a batch.
func (l *Ledger) inBatches(ctx context.Context, total *int64, do func(context.Context, *Tx) (int64, error)) error {
	for {
		var n int64
		err := l.InTx(ctx, func(tx *Tx) (err error) {
			n, err = do(ctx, tx)
			return err
		})
		if err != nil {
			return err
		}
		if *total += n; n < pruneBatch {
			return nil
		}
	}
}

func (l *Ledger) pruneFindings(ctx context.Context, total *int64, before int64) error {
	for {
		ids, err := collect(ctx, l.read, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) },
			`SELECT id FROM findings WHERE state = 'resolved' AND changed_at < $1 ORDER BY changed_at, id LIMIT $2`, before, pruneBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		var n int64
		err = l.InTx(ctx, func(tx *Tx) error {
			n = 0
			books, entries, err := l.openBooks(ctx, tx, ids)
			if err != nil {
				return err
			}
			old := map[EdgeRef][]*entry{}
			for _, e := range entries {
				if !e.before.State.Open() && millis(e.changedAt) < before {
					ref := EdgeRef{e.before.Check, e.before.Replica}
					old[ref] = append(old[ref], e)
					n++
				}
			}
			for ref, some := range old {
				if err := books[ref].forget(ctx, some); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if *total += n; n == 0 {
			return nil
		}
	}
}

// prunePlans deletes plans that ended long ago, but for those that say what was
// done to a finding that is open: what was taken back is to be left alone.
func (l *Ledger) prunePlans(ctx context.Context, total *int64, before int64) error {
	for {
		ids, err := collect(ctx, l.read, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) },
			`SELECT id FROM plans WHERE ended_at > 0 AND ended_at < $1 AND NOT EXISTS (SELECT 1 FROM plan_items i JOIN findings f ON f.id = i.finding
				WHERE i.plan = plans.id AND f.state <> 'resolved') ORDER BY ended_at LIMIT $2`, before, pruneBatch)
		if err != nil {
			return err
		}
		for _, id := range ids {
			err := l.InTx(ctx, func(tx *Tx) error {
				for _, statement := range []string{`DELETE FROM plan_items WHERE plan = $1`, `DELETE FROM plan_approvals WHERE plan = $1`, `DELETE FROM plans WHERE id = $1`} {
					if _, err := tx.exec(ctx, statement, id); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			*total++
		}
		if len(ids) < pruneBatch {
			return nil
		}
	}
}
