package auditor

import (
	"context"
	"fmt"
	"time"

	"plumbline/checks"
)

// confirmBatch is how many records are read again at once.
const confirmBatch = 500

// LateError says that what has settled cannot be judged yet: a standby is read
// that is behind by as much.
type LateError struct{ Late time.Duration }

func (e *LateError) Error() string {
	return fmt.Sprintf("a standby that is read is %s behind", e.Late.Round(time.Millisecond))
}

// ConfirmDue reads an edge's settled suspects again, those due longest first:
// read again, judge, record. It ends when none is left (nil), when its time is
// over (ErrTurnOver), with a *LateError, with a *RecordError of the ledger, or with why a read
// failed. tell hears of each batch that was recorded.
func ConfirmDue(ctx context.Context, w *Shift, term int64, tell func([]checks.Verdict)) error {
	check, replica := w.Edge.Check.Name, replicaOf(w.Edge)
	for began := w.Now(); !w.over(began); {
		late := w.Audit.Late(ctx)
		due, err := w.Ledger.DueSuspects(ctx, check, replica, w.Now().Add(-late), confirmBatch)
		if err != nil {
			return &RecordError{err}
		}
		if len(due) == 0 && late > 0 {
			if due, err = w.Ledger.DueSuspects(ctx, check, replica, w.Now(), 1); err != nil {
				return &RecordError{err}
			}
			if len(due) > 0 {
				return &LateError{Late: late}
			}
		}
		if len(due) == 0 {
			return nil
		}
		verdicts, err := w.Audit.Judge(ctx, due) // read again and judge
		if err != nil {
			return err
		}
		if err := w.Ledger.RecordVerdicts(ctx, w.Edge, term, w.Worker, verdicts, w.Now(), settleOf(w.Edge)); err != nil { // record
			return &RecordError{err}
		}
		tell(verdicts)
	}
	return ErrTurnOver
}

// giveUp records of all settled suspects that they could not be read again, and why.
func giveUp(ctx context.Context, w *Shift, term int64, why string) error {
	check, replica := w.Edge.Check.Name, replicaOf(w.Edge)
	for {
		due, err := w.Ledger.DueSuspects(ctx, check, replica, w.Now(), confirmBatch)
		if err != nil || len(due) == 0 {
			return err
		}
		verdicts := make([]checks.Verdict, len(due))
		for i := range due {
			verdicts[i] = checks.Verdict{Suspect: &due[i], Outcome: checks.Unread, Reason: why, Counts: checks.Counts{Skipped: 1}}
		}
		if err := w.Ledger.RecordVerdicts(ctx, w.Edge, term, w.Worker, verdicts, w.Now(), settleOf(w.Edge)); err != nil {
			return err
		}
	}
}
