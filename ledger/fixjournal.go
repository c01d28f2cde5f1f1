package ledger

import (
	"context"
	"fmt"
	"time"

	"plumbline/drift"
	"plumbline/reconciler"
)

// FixJournal keeps what becomes of plans' items.
func (l *Ledger) FixJournal() reconciler.Journal { return fixJournal{l} }

type fixJournal struct{ ledger *Ledger }

// ClaimItem gives a plan's next item to the worker that claimed the plan last;
// anybody else is told reconciler.ErrLost. Of an item that other hands changed it
// gives what can be read, whose hash is then another than was approved.
func (j fixJournal) ClaimItem(ctx context.Context, plan, worker string, hold time.Duration) (item *reconciler.Item, err error) {
	err = j.ledger.InTx(ctx, func(tx *Tx) error {
		item = nil
		p, err := tx.lockPlan(ctx, plan)
		if err != nil {
			return err
		}
		if p.State != reconciler.Applying || p.worker != worker {
			return reconciler.ErrLost
		}
		i, err := tx.nextItem(ctx, p)
		if err != nil || i == nil {
			return err
		}
		if tx.keys.take(i) != nil {
			i.Before, i.After, i.Request = nil, nil, nil
		}
		i.Term++
		item = &i.Item
		_, err = tx.exec(ctx, `UPDATE plan_items SET term = $1, worker = $2, held_until = $3 WHERE plan = $4 AND n = $5`,
			i.Term, worker, millis(tx.now().Add(hold)), plan, i.N)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim an item of %s: %w", plan, err)
	}
	return item, nil
}

// nextItem finds the first item that is doubtful, or pending, and held by nobody;
// nil where none is left. *reconciler.HeldError, reconciler.ErrFrozen.
func (tx *Tx) nextItem(ctx context.Context, p *planRow) (*itemRow, error) {
	now := millis(tx.now())
	for _, state := range []reconciler.ItemState{reconciler.Doubtful, reconciler.Pending} {
		found, err := collect(ctx, tx.sql, scanItem, `SELECT `+itemColumns+` FROM plan_items WHERE plan = $1 AND state = $2 AND held_until <= $3 ORDER BY n LIMIT 1`,
			p.ID, string(state), now)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue
		}
		if state == reconciler.Pending {
			if err := tx.thawed(ctx, p.Check); err != nil {
				return nil, err
			}
		}
		return found[0], nil
	}
	var held int64
	err := tx.sql.QueryRowContext(ctx, `SELECT COALESCE(MIN(held_until), 0) FROM plan_items WHERE plan = $1 AND state IN ('doubtful', 'pending')`, p.ID).Scan(&held)
	if err == nil && held > 0 {
		err = &reconciler.HeldError{Until: timeOf(held)}
	}
	return nil, err
}

// Intend keeps that an item is about to be written, on the disk. Whoever held it
// for too long is told reconciler.ErrLost.
func (j fixJournal) Intend(ctx context.Context, i *reconciler.Item, until time.Time) error {
	err := j.ledger.InDurableTx(ctx, func(tx *Tx) error {
		p, err := tx.lockPlan(ctx, i.Plan)
		if err != nil {
			return err
		}
		if p.State != reconciler.Applying {
			return reconciler.ErrLost
		}
		if err := tx.thawed(ctx, p.Check); err != nil {
			return err
		}
		return tx.moveItem(ctx, p, i, `state = 'doubtful', until_at = $4`, `held_until > $5`, reconciler.Doubtful, millis(until), millis(tx.now()))
	})
	if err != nil {
		return fmt.Errorf("keep that item %d of %s is about to be written: %w", i.N, i.Plan, err)
	}
	i.State, i.Until = reconciler.Doubtful, until
	return nil
}

// Settle keeps what became of an item, on the disk, with its Note and Now. One that
// was applied, or sent, and whose finding was resolved meanwhile, is verified. One
// that was not written of a plan that was withdrawn meanwhile is not touched again.
func (j fixJournal) Settle(ctx context.Context, i *reconciler.Item, state reconciler.ItemState) error {
	if state == reconciler.Doubtful {
		return fmt.Errorf("item %d of %s cannot come to be doubtful but by an intent", i.N, i.Plan)
	}
	var to reconciler.ItemState
	var ended time.Time
	var note string
	err := j.ledger.InDurableTx(ctx, func(tx *Tx) error {
		p, err := tx.lockPlan(ctx, i.Plan)
		if err != nil {
			return err
		}
		to, ended, note = state, timeOf(millis(tx.now())), i.Note
		switch {
		case state == reconciler.Pending && p.Reason != "": // only a plan that was withdrawn has one while it is applied
			to, note = reconciler.ItemFailed, untouched(p.Reason)
		case state == reconciler.Pending:
			ended = timeOf(0)
		}
		if p.Undoes == "" && (state == reconciler.ItemApplied || state == reconciler.ItemSent) {
			if seen, err := tx.seenResolved(ctx, i); err != nil {
				return err
			} else if seen {
				to = reconciler.ItemVerified
			}
		}
		now, err := nowFields(i)
		if err != nil {
			return err
		}
		return tx.moveItem(ctx, p, i, `state = $4, ended_at = $5, note = $6, now_fields = $7, held_until = 0`, ``, to, string(to), millis(ended), text(note), now)
	})
	if err != nil {
		return fmt.Errorf("keep that item %d of %s is %s: %w", i.N, i.Plan, state, err)
	}
	i.State, i.EndedAt, i.Note = to, ended, note
	return nil
}

// seenResolved says whether an item's finding, which was being fixed, was resolved
// before we knew what became of the item.
func (tx *Tx) seenResolved(ctx context.Context, i *reconciler.Item) (bool, error) {
	var state string
	err := tx.sql.QueryRowContext(ctx, `SELECT state FROM findings WHERE id = $1`, i.Finding).Scan(&state)
	if nothing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the state of %s: %w", i.Finding, err)
	}
	return state == string(drift.Resolved), nil
}

// moveItem moves a claimed item that is not settled yet to a state, and counts it.
// The first three parameters of set and also are taken. reconciler.ErrLost where
// somebody else has claimed the item since.
func (tx *Tx) moveItem(ctx context.Context, p *planRow, i *reconciler.Item, set, also string, to reconciler.ItemState, args ...any) error {
	if also != "" {
		also = " AND " + also
	}
	for _, from := range []reconciler.ItemState{reconciler.Pending, reconciler.Doubtful} {
		n, err := tx.exec(ctx, `UPDATE plan_items SET `+set+` WHERE plan = $1 AND n = $2 AND term = $3 AND state = '`+string(from)+`'`+also,
			append([]any{i.Plan, i.N, i.Term}, args...)...)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if from == to {
			return nil
		}
		p.Counts[from]--
		p.Counts[to]++
		return tx.saveCounts(ctx, p)
	}
	return reconciler.ErrLost
}

// Release gives an item back as it is; one that somebody else claimed since is theirs.
func (j fixJournal) Release(ctx context.Context, i *reconciler.Item) error {
	err := j.ledger.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE plan_items SET held_until = 0 WHERE plan = $1 AND n = $2 AND term = $3 AND state IN ('pending', 'doubtful')`, i.Plan, i.N, i.Term)
		if err == nil && n == 0 {
			err = reconciler.ErrLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("give item %d of %s back: %w", i.N, i.Plan, err)
	}
	return nil
}
