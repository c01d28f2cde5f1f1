package auditor

import (
	"context"
	"errors"

	"plumbline/checks"
	"plumbline/ledger"
)

// shaped gives the shapes by which earlier runs of an edge went, or by which this
// one was planned, to whoever opens it.
func (a *Auditor) shaped(ctx context.Context, edge ledger.EdgeFacts, run *ledger.Run, o *checks.Options) error {
	known, err := a.ledger.Schema(ctx, edge.Check.Name, replicaOf(edge))
	if err != nil {
		return &RecordError{err}
	}
	if run != nil && run.Hash != known.Hash {
		return nil // of another check than the one that the run is of
	}
	o.Seen = known.Seen
	if run != nil && known.Run == run.ID {
		o.Planned = known.Shapes
	} else {
		o.Accepted = known.Shapes
	}
	return nil
}

// schemaBroke keeps that err tells of a schema that changed; of any other it
// keeps nothing. It comes before the run ends for it: there is one incident for
// each cause.
func (a *Auditor) schemaBroke(ctx context.Context, edge ledger.EdgeFacts, run string, err error) error {
	var changed *checks.SchemaChangedError
	if !errors.As(err, &changed) {
		return nil
	}
	a.audits.forget(run)
	return a.ledger.SchemaBroke(ctx, edge.Check.Name, replicaOf(edge), run, changed.Changes)
}

// keepSeen keeps what a segment's records showed. Without it the next run only
// knows less of what to expect.
func (a *Auditor) keepSeen(ctx context.Context, o *opened, run *ledger.Run) {
	a.logged(ctx, "keep what records showed", a.ledger.KeepSeen(ctx, run, o.audit.TakeSeen()))
}
