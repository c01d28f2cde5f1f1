package web

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"plumbline/access"
	"plumbline/drift"
	"plumbline/ledger"
)

// sees says whether whoever asks may see values of records.
func sees(ctx context.Context) bool { return access.ActorOf(ctx).May(access.Values) }

// lensFor is the lens through which whoever asks looks.
func (o Options) lensFor(ctx context.Context) drift.Lens {
	if sees(ctx) {
		return o.Lens
	}
	return o.Lens.Veil()
}

// textFor is a text of the engine or a store as whoever asks may see it.
func (o Options) textFor(ctx context.Context, text string) string {
	if sees(ctx) {
		return o.Lens.Scrub(text)
	}
	return drift.Unvalued(text)
}

// sourcesFor is what was last seen of each source, as whoever asks may see it:
// why one did not answer is the store's own text, and may quote a value.
func (o Options) sourcesFor(ctx context.Context) map[string]SourceState {
	states := o.Sources()
	if sees(ctx) {
		return states
	}
	shown := make(map[string]SourceState, len(states))
	for name, s := range states {
		s.Why = drift.Unvalued(s.Why)
		s.Facts.Notes = unvaluedAll(s.Facts.Notes)
		s.Waited, s.Today = unvaluedSums(s.Waited), unvaluedSums(s.Today)
		shown[name] = s
	}
	return shown
}

func unvaluedAll(texts []string) []string {
	if len(texts) == 0 {
		return texts
	}
	return []string{drift.NotShown}
}

// unvaluedSums adds up what is counted under texts that may not be shown.
func unvaluedSums[N int64 | time.Duration](by map[string]N) map[string]N {
	if len(by) == 0 {
		return by
	}
	sum := N(0)
	for _, n := range by {
		sum += n
	}
	return map[string]N{drift.NotShown: sum}
}

// shownLedger is the ledger as whoever asks may see it. All that pages and API
// tell of records is read here: without the right to see values nothing holds
// one, and nothing that is asked for can be used to guess one.
type shownLedger struct{ *ledger.Ledger }

// Findings lists findings. Who may see no values finds them by their whole id
// alone, and not by their pattern: both tell what a record holds.
func (l shownLedger) Findings(ctx context.Context, f ledger.FindingFilter) (list []*drift.Finding, next string, err error) {
	if sees(ctx) {
		return l.Ledger.Findings(ctx, f)
	}
	if f.Pattern != "" {
		return nil, "", access.Require(ctx, access.Values)
	}
	if f.Query == "" {
		list, next, err = l.Ledger.Findings(ctx, f)
	} else {
		list, err = l.byID(ctx, f)
	}
	return veilAll(list), next, err
}

// byID is the finding whose id a filter's words are, where the rest of the filter
// chooses it too.
func (l shownLedger) byID(ctx context.Context, f ledger.FindingFilter) ([]*drift.Finding, error) {
	id := strings.ToLower(strings.TrimSpace(f.Query))
	if rest, ok := strings.CutPrefix(id, "f-"); ok {
		id = "F-" + rest
	}
	found, err := l.Ledger.Finding(ctx, id)
	if _, missing := errors.AsType[*ledger.NotFoundError](err); missing {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	differs := func(d drift.Field) bool { return d.Title() == f.Field }
	chosen := (f.Check == "" || f.Check == found.Check) && (f.Replica == "" || f.Replica == found.Replica) &&
		(f.Kind == "" || f.Kind == string(found.Kind)) && (f.Field == "" || slices.ContainsFunc(found.Fields, differs)) &&
		(f.State == "" || f.State == string(found.State) || f.State == "open" && found.State.Open())
	if !chosen || f.After != "" {
		return nil, nil
	}
	return []*drift.Finding{found}, nil
}

// Finding is one finding.
func (l shownLedger) Finding(ctx context.Context, id string) (*drift.Finding, error) {
	f, err := l.Ledger.Finding(ctx, id)
	return shownFinding(ctx, f), err
}

// Act does to findings what a person asked for, and returns them as they may see them.
func (l shownLedger) Act(ctx context.Context, ids []string, o drift.Observation, revision int64) ([]*drift.Finding, error) {
	list, err := l.Ledger.Act(ctx, ids, o, revision)
	if !sees(ctx) {
		list = veilAll(list)
	}
	return list, err
}

// ActAll does it to all that a filter chooses. How many those are tells whoever
// may see no values what records hold, so they may not choose by that.
func (l shownLedger) ActAll(ctx context.Context, f ledger.FindingFilter, o drift.Observation) (int64, error) {
	if f.Pattern != "" || f.Query != "" {
		if err := access.Require(ctx, access.Values); err != nil {
			return 0, err
		}
	}
	return l.Ledger.ActAll(ctx, f, o)
}

func shownFinding(ctx context.Context, f *drift.Finding) *drift.Finding {
	if f == nil || sees(ctx) {
		return f
	}
	return f.Veil()
}

func veilAll(list []*drift.Finding) []*drift.Finding {
	for i, f := range list {
		list[i] = f.Veil()
	}
	return list
}

// Patterns are how open findings differ. Under the veil those that differ in the
// same fields are one.
func (l shownLedger) Patterns(ctx context.Context, check, replica string, limit int) ([]ledger.Pattern, error) {
	list, err := l.Ledger.Patterns(ctx, check, replica, limit)
	if err != nil || sees(ctx) {
		return list, err
	}
	var shown []ledger.Pattern
	for _, p := range list {
		p.Words = "differ"
		example, err := l.Ledger.Finding(ctx, p.Example)
		_, missing := errors.AsType[*ledger.NotFoundError](err) // it was pruned meanwhile
		if err != nil && !missing {
			return nil, err
		}
		if err == nil {
			p.Words = example.Veil().Pattern
		}
		at := slices.IndexFunc(shown, func(q ledger.Pattern) bool {
			return q.Check == p.Check && q.Replica == p.Replica && q.Words == p.Words
		})
		if at < 0 {
			shown = append(shown, p)
			continue
		}
		same := &shown[at]
		same.Open += p.Open
		if p.FirstSeen.Before(same.FirstSeen) {
			same.FirstSeen = p.FirstSeen
		}
		if p.LastSeen.After(same.LastSeen) {
			same.LastSeen = p.LastSeen
		}
	}
	return shown, nil
}

// Edges is what is remembered of each edge.
func (l shownLedger) Edges(ctx context.Context) ([]ledger.Edge, error) {
	list, err := l.Ledger.Edges(ctx)
	if !sees(ctx) {
		for i := range list {
			list[i].LastError = drift.Unvalued(list[i].LastError)
		}
	}
	return list, err
}

// Edge is what is remembered of one.
func (l shownLedger) Edge(ctx context.Context, check, replica string) (ledger.Edge, error) {
	e, err := l.Ledger.Edge(ctx, check, replica)
	if !sees(ctx) {
		e.LastError = drift.Unvalued(e.LastError)
	}
	return e, err
}

// Runs lists runs.
func (l shownLedger) Runs(ctx context.Context, f ledger.RunFilter) ([]*ledger.Run, string, error) {
	list, next, err := l.Ledger.Runs(ctx, f)
	for i := range list {
		list[i] = shownRun(ctx, list[i])
	}
	return list, next, err
}

// Run is one run.
func (l shownLedger) Run(ctx context.Context, id string) (*ledger.Run, error) {
	r, err := l.Ledger.Run(ctx, id)
	return shownRun(ctx, r), err
}

// shownRun is a run without the texts that may quote a value.
func shownRun(ctx context.Context, r *ledger.Run) *ledger.Run {
	if r == nil || sees(ctx) {
		return r
	}
	shown := *r
	shown.Error, shown.Reasons, shown.Waits = drift.Unvalued(r.Error), unvaluedSums(r.Reasons), unvaluedSums(r.Waits)
	return &shown
}

// Segments are the parts of a run.
func (l shownLedger) Segments(ctx context.Context, run string) ([]ledger.Segment, error) {
	list, err := l.Ledger.Segments(ctx, run)
	if !sees(ctx) {
		for i := range list {
			list[i].Error = drift.Unvalued(list[i].Error)
		}
	}
	return list, err
}
