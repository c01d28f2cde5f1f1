package checks

import (
	"context"
	"errors"
	"slices"
	"time"
)

const confirmBatch = 500

// confirmAll reads every suspect again once it has settled: the replica first,
// then the owner. A record that differs while its owner stood still for the
// whole settle time is confirmed. An owner that changed starts the clock anew,
// up to Options.Restarts times; then the record is unsettled.
func (e *edge) confirmAll(ctx context.Context) error {
	for e.suspects.len() > 0 {
		again := newSuspectLog(e.suspects.keyParts, e.suspects.idParts)
		round := e.suspects
		left := round.len()
		err := round.drain(confirmBatch, func(batch []Suspect) error {
			restarted, err := e.confirmSettled(ctx, batch)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			left -= int64(len(batch))
			if err != nil {
				e.pending(len(batch), err)
				return nil
			}
			return again.add(restarted)
		})
		e.suspects = again
		if err != nil {
			e.pending(int(left), nil)
		}
		if cerr := round.close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return e.doubtEmptyOwner(ctx)
}

// confirmSettled waits for a batch to settle, judges it and returns those whose
// clock starts anew; ErrStopped where the run is stopped first.
func (e *edge) confirmSettled(ctx context.Context, batch []Suspect) (again []Suspect, err error) {
	if !e.stopped() {
		if err := e.waitSettled(ctx, batch); err != nil {
			return nil, err
		}
	}
	if e.stopped() {
		return nil, ErrStopped
	}
	verdicts, err := e.judgeAgain(ctx, batch)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	for i := range verdicts {
		e.conclude(&verdicts[i])
		if follow := verdicts[i].Follow; follow != nil {
			again = append(again, *follow)
		}
	}
	e.judged += int64(len(batch))
	e.mu.Unlock()
	e.progress("confirm", time.Time{})
	return again, nil
}

// conclude counts a verdict. e.mu is held.
func (e *edge) conclude(v *Verdict) {
	if v.Outcome == Confirmed && e.toldBefore(v.Difference) {
		e.run.Counts.Add(v.Counts.RandomOnly())
		return
	}
	if v.Outcome == Cleared && v.needsOwner() {
		e.gone += v.Counts.Equal
		e.ownerless = true
	}
	e.run.Counts.Add(v.Counts)
	if v.Reason != "" {
		e.run.Reasons[v.Reason]++
	}
	if v.Outcome == Confirmed {
		e.keep(*v.Difference)
	}
}

// toldBefore says whether a difference was counted already: a key whose records
// lie apart in the driving side's order is met more than once. It remembers as
// many as are kept. e.mu is held.
func (e *edge) toldBefore(d *Difference) bool {
	identity := string(d.Kind) + d.Key.Encode() + d.ID.Encode()
	if e.told[identity] {
		return true
	}
	if len(e.told) < e.options.Findings {
		e.told[identity] = true
	}
	return false
}

// doubtEmptyOwner takes back what stands on the owner's having no record, where
// it has come to answer with nothing at all.
func (e *edge) doubtEmptyOwner(ctx context.Context) error {
	if e.run.Counts.Extra == 0 && !e.ownerless || e.check.AllowEmpty || len(e.options.Keys) > 0 {
		return nil
	}
	empty, err := e.ownerEmpty(ctx)
	reason := e.emptyReason()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil: // whether it lost everything nobody can tell
		reason = err.Error()
	case !empty:
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run.Unread += max(1, e.run.Counts.Extra+e.gone)
	e.run.Counts.Extra, e.run.Counts.Equal = 0, e.run.Counts.Equal-e.gone
	e.run.Counts.RandomReplicaKeys, e.run.Counts.RandomExtras = e.run.Counts.RandomReplicaKeys-e.run.Counts.RandomExtras, 0
	e.run.Differences = slices.DeleteFunc(e.run.Differences, func(d Difference) bool { return d.Kind == Extra })
	e.run.Reasons[reason]++
	return nil
}

// waitSettled waits until the last of the batch has settled, on a standby too that
// is late, or the run is stopped.
func (e *edge) waitSettled(ctx context.Context, batch []Suspect) error {
	last := batch[0].Since
	for i := range batch {
		if batch[i].Since.After(last) {
			last = batch[i].Since
		}
	}
	for !e.stopped() {
		due := last.Add(e.settle)
		if !e.now().Before(due) { // the lag counts as it is by then
			due = due.Add(e.late(ctx))
		}
		wait := due.Sub(e.now())
		if wait <= 0 {
			return nil
		}
		e.progress("settle", due)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-e.options.Stop:
			timer.Stop()
		case <-timer.C:
		}
	}
	return nil
}

func (e *edge) pending(n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run.Pending += int64(n)
	switch {
	case err == nil, errors.Is(err, ErrStopped):
	case schemaChanged(err): // every batch says so
		e.run.Reasons[err.Error()] = 1
	default:
		e.run.Reasons[err.Error()]++
	}
}
