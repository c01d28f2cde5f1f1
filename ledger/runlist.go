package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// RunFilter chooses runs; what is empty is any.
type RunFilter struct {
	Check, Replica string
	State          string // a RunState, or "active": queued or running
	Result         string
	After          string // the cursor that the page before returned
	Limit          int    // 0 is 50
}

// defaultLimit is how many items a page of a list holds that does not say.
const defaultLimit = 50

// Runs lists runs, the newest first. next is the cursor of the following page, "" at the end.
func (l *Ledger) Runs(ctx context.Context, f RunFilter) (runs []*Run, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	var where []string
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, condition+"$"+strconv.Itoa(len(args)))
	}
	if f.Check != "" {
		add("check_name = ", f.Check)
	}
	if f.Replica != "" {
		add("replica = ", f.Replica)
	}
	switch f.State {
	case "":
	case "active":
		where = append(where, "state <> 'finished'", "state <> 'settling'")
	case string(Finished):
		where = append(where, "state = 'finished'")
	default:
		where = append(where, "state <> 'finished'") // so that the index of those that go serves
		add("state = ", f.State)
	}
	if f.Result != "" {
		add("result = ", f.Result)
	}
	if f.After != "" {
		after, err := strconv.ParseInt(f.After, 10, 64)
		if err != nil {
			return nil, "", &CursorError{Cursor: f.After}
		}
		add("number < ", after)
	}
	statement := selectRun
	if len(where) > 0 {
		statement += " WHERE " + strings.Join(where, " AND ")
	}
	args = append(args, f.Limit+1)
	runs, err = collect(ctx, l.read, l.keys.scanRun, statement+" ORDER BY number DESC LIMIT $"+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, "", fmt.Errorf("list runs: %w", err)
	}
	if len(runs) > f.Limit {
		runs = runs[:f.Limit]
		next = strconv.FormatInt(runs[f.Limit-1].Number, 10)
	}
	return runs, next, nil
}
