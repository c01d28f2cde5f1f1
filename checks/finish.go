package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// finish draws the run's conclusion.
func (e *edge) finish(ctx context.Context, err error) {
	run := e.run
	run.SchemaChanges = e.guard.all()
	if err != nil && run.Err == nil && !schemaChanged(err) {
		run.Err = err
	}
	if err != nil {
		run.Pending += e.suspects.len()
	}
	if err != nil && !interrupted(err) {
		run.Reasons[err.Error()]++
		if schemaChanged(err) {
			run.Reasons[err.Error()], run.Unread = 1, max(run.Unread, 1)
		}
		if run.Counts.Compared() > 0 || run.Pending > 0 {
			run.Unread = max(run.Unread, e.expected-e.read, 1)
		}
	}
	slices.SortFunc(run.Differences, func(a, b Difference) int {
		if c := strings.Compare(a.Key.Encode(), b.Key.Encode()); c != 0 {
			return c
		}
		if c := strings.Compare(a.ID.Encode(), b.ID.Encode()); c != 0 {
			return c
		}
		return strings.Compare(string(a.Kind), string(b.Kind))
	})
	run.Conclude(e.stopped() && run.left() > 0 || ctx.Err() != nil, e.check.AllowEmpty && len(e.options.Keys) == 0)
}

func interrupted(err error) bool { return errors.Is(err, context.Canceled) }

// Conclude sets the result that follows from what the run saw. An edge without
// records is clean only where allowEmpty says that this is a fact.
func (r *EdgeRun) Conclude(cancelled, allowEmpty bool) {
	r.Result = r.conclusion(cancelled, allowEmpty)
	if r.Result != Error {
		r.Err = nil
	}
}

func (r *EdgeRun) conclusion(cancelled, allowEmpty bool) Result {
	switch {
	case cancelled:
		return Cancelled
	case r.Counts.Differences() > 0:
		return Drift
	case r.Err != nil && r.Counts.Compared() == 0:
		return Error
	case r.left() > 0 || len(r.Reasons) > 0 || r.Err != nil:
		return Incomplete
	case r.Counts.Compared() > 0 || allowEmpty:
		return Clean
	}
	r.Reasons[fmt.Sprintf("nothing was compared: of %d records read of the owner and %d of the replica none was this check's to compare",
		r.Counts.OwnerRecords, r.Counts.ReplicaRecords)]++
	return Incomplete
}
