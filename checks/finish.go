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
	if err != nil && run.Err == nil {
		run.Err = err
	}
	if err != nil {
		run.Pending += e.suspects.len()
	}
	if err != nil && !interrupted(err) {
		run.Reasons[err.Error()]++
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
	run.Result = e.result(ctx, err)
	if run.Result != Error {
		run.Err = nil
	}
}

func interrupted(err error) bool { return errors.Is(err, context.Canceled) }

func (e *edge) result(ctx context.Context, err error) Result {
	run := e.run
	switch {
	case e.stopped() && run.left() > 0, ctx.Err() != nil:
		return Cancelled
	case run.Counts.Differences() > 0:
		return Drift
	case run.Err != nil && run.Counts.Compared() == 0:
		return Error
	case run.left() > 0 || len(run.Reasons) > 0 || err != nil:
		return Incomplete
	case run.Counts.Compared() > 0:
		return Clean
	case e.check.AllowEmpty && len(e.options.Keys) == 0:
		return Clean
	}
	run.Reasons[fmt.Sprintf("nothing was compared: of %d records read of the owner and %d of the replica none was this check's to compare",
		run.Counts.OwnerRecords, run.Counts.ReplicaRecords)]++
	return Incomplete
}
