package auditor

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"plumbline/checks"
	"plumbline/drift"
)

// Reveal reads a finding's record on both sides now and returns what differs,
// with the values that masks cover elsewhere. Nothing of it is recorded: whoever
// calls has seen to it that they may, and writes down that they did.
// *ledger.NotFoundError, *NotPossible.
func (a *Auditor) Reveal(ctx context.Context, finding string) (shown *drift.Revealed, err error) {
	f, err := a.ledger.Finding(ctx, finding)
	if err != nil {
		return nil, err
	}
	if !f.Whole() {
		return nil, &NotPossible{fmt.Sprintf("%s has no key by which its record could be read", f.ID)}
	}
	err = a.hold(func(b *book) error {
		edge, ok := b.edge(f.Check, f.Replica)
		if !ok {
			return &NotPossible{fmt.Sprintf("%s is of check %s and replica %s, which are no longer configured", f.ID, f.Check, f.Replica)}
		}
		ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
		defer cancel()
		err := contained(func() error {
			o, err := a.open(ctx, b, edge, "")
			if err != nil {
				return err
			}
			suspect := checks.Suspect{Key: f.Key, ID: f.CopyID, FirstSeen: f.FirstSeen, Since: f.LastSeen, Known: true, Duplicate: f.Kind == checks.Duplicate}
			verdicts, err := o.audit.Judge(ctx, []checks.Suspect{suspect})
			if err != nil {
				return err
			}
			v := &verdicts[len(verdicts)-1] // of the copy itself; one before it is of its key
			if v.Outcome == checks.Unread {
				return &NotPossible{"the record could not be read"}
			}
			shown = edge.Lens.Reveal(edge.Check, &edge.Check.Edges[edge.I], f.Key, f.CopyID, v.Difference)
			shown.ReadAt = v.ReadAt
			return nil
		})
		var impossible *NotPossible
		if err == nil || errors.As(err, &impossible) {
			return err
		}
		return fmt.Errorf("read %s: %s", f.ID, a.shown(edge, err))
	})
	var snoozed *river.JobSnoozeError
	if errors.As(err, &snoozed) {
		return nil, &NotPossible{"the configuration is being changed: try again in a moment"}
	}
	if err != nil {
		return nil, err
	}
	return shown, nil
}
