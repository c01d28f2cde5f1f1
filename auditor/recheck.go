package auditor

import (
	"context"
	"errors"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
)

// A run reads at most recheckMost open findings before it begins, and does so for
// recheckFor at most; the rest is for the runs after it, longest not read first.
const (
	recheckMost = 10_000
	recheckFor  = time.Minute
)

// recheckOpen reads an edge's open findings again: only that resolves them.
// ErrTurnOver says that it is to be gone on with.
func (a *Auditor) recheckOpen(ctx context.Context, w *Shift, run *ledger.Run) error {
	check, replica := run.Check, run.Replica
	unlock := a.edges.lock(check, replica)
	defer unlock()
	term := int64(0)
	for began, read := w.Now(), 0; read < recheckMost; {
		batch, err := w.Ledger.OpenKeys(ctx, check, replica, confirmBatch, run.CreatedAt) // none that it has had since
		if err != nil {
			return &RecordError{err}
		}
		if len(batch) == 0 || read > 0 && w.Now().Sub(run.CreatedAt) > recheckFor {
			return nil
		}
		if term == 0 {
			if term, err = w.Ledger.ClaimEdge(ctx, check, replica, w.Worker); err != nil {
				return &RecordError{err}
			}
		}
		verdicts, err := w.Audit.Judge(ctx, batch)
		if err != nil {
			return err
		}
		if err := w.Ledger.RecordRechecks(ctx, w.Edge, term, w.Worker, run.ID, verdicts, w.Now()); err != nil {
			return &RecordError{err}
		}
		a.judged(w.Edge, verdicts)
		if read += len(batch); w.over(began) {
			return ErrTurnOver
		}
	}
	return nil
}

// recheckOne reads one finding now and records what that came to. The term is
// claimed before the read: what somebody else records meanwhile is newer.
func recheckOne(ctx context.Context, w *Shift, suspect checks.Suspect) (checks.Verdict, error) {
	for try := 1; ; try++ {
		term, err := w.Ledger.ClaimEdge(ctx, w.Edge.Check.Name, replicaOf(w.Edge), w.Worker)
		if err != nil {
			return checks.Verdict{}, err
		}
		verdicts, err := w.Audit.Judge(ctx, []checks.Suspect{suspect})
		if err != nil {
			return checks.Verdict{}, err
		}
		err = w.Ledger.RecordRechecks(ctx, w.Edge, term, w.Worker, "", verdicts, w.Now())
		if err == nil || try == 5 || !errors.Is(err, ledger.ErrLostTerm) {
			return verdicts[len(verdicts)-1], err
		}
	}
}
