package ledger

import (
	"context"
	"fmt"
	"time"

	"plumbline/alerts"
)

// requestsKept is how long it is known that a request was taken, so that the same
// one is never taken again while its signature is good.
const requestsKept = 24 * time.Hour

// TakeRequest keeps a request until somebody has done it; fresh is false where
// the same one was taken before. Where it returns an error nothing was kept.
func (l *Ledger) TakeRequest(ctx context.Context, id []byte, kind, body string) (fresh bool, err error) {
	var known int64 // one that is sent again and again never waits for a write, nor makes others wait
	if err := l.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM inbox WHERE id = $1`, id).Scan(&known); err != nil {
		return false, fmt.Errorf("take a request: %w", err)
	}
	if known > 0 {
		return false, nil
	}
	err = l.InTx(ctx, func(tx *Tx) error {
		now := millis(l.now())
		n, err := tx.exec(ctx, `INSERT INTO inbox (id, came_at, kind, body, term, due_at) VALUES ($1, $2, $3, $4, 0, $5)
			ON CONFLICT (id) DO NOTHING`, id, now, text(kind), text(body), now)
		fresh = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("take a request: %w", err)
	}
	return fresh, nil
}

// ClaimRequest hands out the request that waits the longest, to nobody else for
// as long as hold; nil where none waits.
func (l *Ledger) ClaimRequest(ctx context.Context, hold time.Duration) (r *alerts.Request, err error) {
	now := millis(l.now())
	var waiting int64 // seen without the one connection that writes
	err = l.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM inbox WHERE due_at > 0 AND due_at <= $1`, now).Scan(&waiting)
	for ; err == nil && r == nil && waiting > 0; waiting-- { // one that somebody else claims at the same moment hides the next
		r, err = l.claimRequest(ctx, now, hold)
	}
	if err != nil {
		return nil, fmt.Errorf("claim a request: %w", err)
	}
	return r, nil
}

func (l *Ledger) claimRequest(ctx context.Context, now int64, hold time.Duration) (r *alerts.Request, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		r = &alerts.Request{}
		var came int64
		err := tx.sql.QueryRowContext(ctx, `UPDATE inbox SET term = term + 1, due_at = $1
			WHERE due_at > 0 AND due_at <= $2
				AND id = (SELECT id FROM inbox WHERE due_at > 0 AND due_at <= $2 ORDER BY due_at, id LIMIT 1)
			RETURNING id, kind, body, came_at, term`, now+hold.Milliseconds(), now).Scan(&r.ID, &r.Kind, &r.Body, &came, &r.Term)
		if nothing(err) {
			r = nil
			return nil
		}
		r.CameAt = timeOf(came)
		return err
	})
	return r, err
}

// PostponeRequest gives a claimed request back, to be claimed again after a
// while. ErrLostTerm where another has claimed it.
func (l *Ledger) PostponeRequest(ctx context.Context, r *alerts.Request, after time.Duration) error {
	return l.settleRequest(ctx, `UPDATE inbox SET due_at = $1 WHERE id = $2 AND term = $3 AND due_at > 0`,
		millis(l.now())+after.Milliseconds(), r.ID, r.Term)
}

// FinishRequest forgets what a claimed request asked for; that it was taken is
// known for a day. ErrLostTerm where another has claimed it.
func (l *Ledger) FinishRequest(ctx context.Context, r *alerts.Request) error {
	return l.settleRequest(ctx, `UPDATE inbox SET body = '', due_at = 0 WHERE id = $1 AND term = $2 AND due_at > 0`, r.ID, r.Term)
}

func (l *Ledger) settleRequest(ctx context.Context, statement string, args ...any) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, statement, args...)
		if err == nil && n == 0 {
			err = ErrLostTerm
		}
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `DELETE FROM inbox WHERE came_at < $1 AND due_at = 0`, millis(l.now())-requestsKept.Milliseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("put a request aside: %w", err)
	}
	return nil
}
