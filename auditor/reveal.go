package auditor

import (
	"context"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
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
	err = a.onRecord(ctx, f, func(ctx context.Context, b *book, edge ledger.EdgeFacts) error {
		o, err := a.open(ctx, b, edge, nil)
		if err != nil {
			return err
		}
		suspect := suspectOf(f)
		suspect.Known = true
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
	if err != nil {
		return nil, err
	}
	return shown, nil
}
