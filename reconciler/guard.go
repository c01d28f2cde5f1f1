package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// guards gathers what was looked at before a plan is made, and of what failed
// what to do next.
type guards struct {
	lines []Safety
	next  []string
}

func (g *guards) pass(name, format string, args ...any) {
	g.lines = append(g.lines, Safety{Name: name, OK: true, Words: fmt.Sprintf(format, args...)})
}

func (g *guards) fail(name, next, format string, args ...any) {
	g.lines = append(g.lines, Safety{Name: name, Words: fmt.Sprintf(format, args...)})
	g.next = append(g.next, next)
}

// refusal is nil where all that was looked at is well.
func (g *guards) refusal() error {
	var why, names []string
	for _, l := range g.lines {
		if !l.OK {
			why, names = append(why, l.Words), append(names, l.Name)
		}
	}
	if len(why) == 0 {
		return nil
	}
	return &Refusal{Why: strings.Join(why, "; "), Next: strings.Join(slices.Compact(g.next), " "), Guards: names}
}

// extent is what a plan would touch.
type extent struct {
	fields  []string // that are written
	deletes bool
	records int
}

func extentOf(items []Item) extent {
	x := extent{records: len(items)}
	for i := range items {
		switch items[i].Kind {
		case sources.Delete:
			x.deletes = true
		default:
			for _, f := range items[i].Fields {
				if !slices.Contains(x.fields, f.Name) {
					x.fields = append(x.fields, f.Name)
				}
			}
		}
	}
	slices.Sort(x.fields)
	return x
}

// Recheck looks again, before a plan is begun, at all that was looked at when it
// was drafted: its checklist as it would be now, and a *Refusal where a line of
// it fails. Any other error is of a store that could not be asked. Who begins a
// plan calls it first, and the ledger's own conditions hold besides.
func Recheck(ctx context.Context, e *Edge, p *Plan, items []Item, f Facts) ([]Safety, error) {
	if e.CheckHash != p.CheckHash {
		return nil, changedCheck(p.ID)
	}
	var left []Item
	for _, i := range items {
		if i.State == Pending || i.State == Doubtful {
			left = append(left, i)
		}
	}
	g := &guards{}
	f.Auto = p.Auto
	e.guardFacts(g, f, p.Undoes != "")
	g.records(e.Policy.MaxRecords, len(left), p.Undoes != "")
	if err := e.guardStores(ctx, g, extentOf(left), p.Undoes != ""); err != nil {
		return nil, err
	}
	refusal := g.refusal()
	if r, ok := refusal.(*Refusal); ok {
		r.Plan = p.ID
	}
	return g.lines, refusal
}

func changedCheck(plan string) *Refusal {
	return &Refusal{Plan: plan, Why: "the check, or how it may be fixed, was changed since the plan was drafted", Next: "Draft the plan again."}
}

// guardFacts looks at what the ledger and the configuration know. An undo takes
// back what was allowed before, so that it is bounded by what it undoes.
func (e *Edge) guardFacts(g *guards, f Facts, undo bool) {
	switch {
	case f.Frozen == nil:
		g.pass("frozen", "fixes are not frozen")
	default:
		which := "all fixes are"
		if f.Frozen.Check != "" {
			which = "fixes of this check are"
		}
		g.fail("frozen", "Unfreeze them first (plumbline fix unfreeze).", "%s frozen since %s by %s", which, f.Frozen.At.UTC().Format("2006-01-02 15:04 UTC"), f.Frozen.By)
	}
	switch {
	case f.Paused == nil:
	case f.Auto:
		g.fail("paused", "See what went wrong, then resume them.", "automatic fixes of this check are paused: %s", f.Paused.Reason)
	default:
		g.pass("paused", "automatic fixes of this check are paused (%s); people may still apply plans", f.Paused.Reason)
	}
	if !undo {
		e.guardShare(g, f)
		e.guardLoops(g, f)
	}
	if e.Policy.By == Write {
		e.guardOwnerStore(g)
	}
	e.guardMasks(g)
}

func (e *Edge) guardShare(g *guards, f Facts) {
	most := e.Policy.MaxShare
	if f.Compared <= 0 {
		g.fail("share", "Run the check once without a selection of keys.", "no run has compared the whole replica yet, so nobody knows how much of it differs")
		return
	}
	share := 100 * float64(f.Open) / float64(f.Compared)
	if share > most {
		g.fail("share", "See why so much differs: the replication may be broken, and what is wrong may be the check. Then raise fix.max_share, or reload the replica.",
			"%s %% of the replica differs (%d of %d records), and at most %s %% may (fix.max_share)", percent(share), f.Open, f.Compared, percent(most))
		return
	}
	g.pass("share", "%s %% of the replica differs (%d of %d records); up to %s %% may", percent(share), f.Open, f.Compared, percent(most))
}

// percent never shows something as nothing.
func percent(p float64) string {
	if p > 0 && p < 0.01 {
		return "< 0.01"
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", p), "0"), ".")
}

func (e *Edge) guardLoops(g *guards, f Facts) {
	often := 0
	for _, n := range f.FixedLately {
		if n >= FixedOften {
			often++
		}
	}
	switch {
	case often == 0:
	case f.Auto:
		g.fail("loops", "Find out what undoes the fixes, and resume automatic fixes then.", "%s fixed %d times within 24 hours and drifted again", counted(int64(often), "record was", "records were"), FixedOften)
	default:
		g.pass("loops", "%s fixed %d times within 24 hours and drifted again: something undoes the fixes", counted(int64(often), "record was", "records were"), FixedOften)
	}
}

func (e *Edge) guardOwnerStore(g *guards) {
	owned := ""
	if e.OwnerDatasets != nil {
		owned = e.OwnerDatasets(e.declared().Replica.Source, &e.declared().Replica.Dataset)
	}
	switch {
	case owned == "":
		g.pass("owner_store", "the replica is the owner of nothing that is checked")
	case e.Policy.Allows(AllowOwner):
		g.pass("owner_store", "the replica is the owner in check %s, and writing to it is allowed (fix.allow: owner)", owned)
	default:
		g.fail("owner_store", "Put it right at its source, or allow it (fix.allow: owner).", "the replica is the owner in check %s: what is wrong there is wrong at its source", owned)
	}
}

func (e *Edge) guardMasks(g *guards) {
	switch {
	case !e.masked():
	case e.CanHide:
		g.pass("masks", "what masks cover is kept encrypted, for the undo")
	default:
		g.fail("masks", "Set access.data_key.", "the check masks fields, and what they held can be kept for an undo only encrypted")
	}
}

func (g *guards) records(most, n int, undo bool) {
	switch {
	case undo:
		g.pass("records", "%s taken back", counted(int64(n), "record is", "records are"))
	case most > 0 && n > most:
		g.fail("records", "Choose fewer findings, or raise fix.max_records.", "%d records would be touched, and one plan may touch %d (fix.max_records)", n, most)
	default:
		g.pass("records", "%s touched; one plan may touch %d", counted(int64(n), "record is", "records are"), most)
	}
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// guardStores asks the stores: whether the owner answers at all, who answers,
// and what writing would touch beyond the records themselves.
func (e *Edge) guardStores(ctx context.Context, g *guards, x extent, undo bool) error {
	if !undo {
		reason, err := e.Audit.EmptyOwner(ctx)
		switch {
		case err != nil:
			return err
		case reason != "":
			g.fail("owner", "Look at the owner's store first.", "%s", e.text(reason))
		default:
			g.pass("owner", "the owner answers, and has records")
		}
	}
	mayWrite, err := e.guardStandby(ctx, g)
	if err != nil {
		return err
	}
	if e.Policy.By != Write {
		return nil
	}
	return e.guardHazards(ctx, g, x, mayWrite)
}

// guardStandby also says whether the credentials that read the replica could write.
func (e *Edge) guardStandby(ctx context.Context, g *guards) (mayWrite bool, err error) {
	var standby []string
	for _, side := range []struct {
		name   string
		reader *sources.Reader
	}{{"owner", e.Owner}, {"replica", e.Replica}} {
		facts, _, err := side.reader.Probe(ctx)
		if err != nil {
			return false, err
		}
		mayWrite = facts.CanWrite // the replica is the last
		if facts.Standby {
			standby = append(standby, side.name)
		}
	}
	switch {
	case len(standby) == 0:
	case e.Policy.Allows(Allow(sources.HazardStandby)):
		g.pass("standby", "the %s is read from a standby, which is allowed (fix.allow: standby)", strings.Join(standby, " and the "))
	default:
		g.fail("standby", "Read it from its primary, or allow it (fix.allow: standby).", "the %s is read from a standby: what it shows may be late", strings.Join(standby, " and the "))
	}
	return mayWrite, nil
}

func (e *Edge) guardHazards(ctx context.Context, g *guards, x extent, mayWrite bool) error {
	if !e.Replica.Capabilities().Write {
		g.fail("credentials", "Let fixes ask the service (fix.by: request).", "this kind of source cannot be written")
		return nil
	}
	how := "it is read without the right to write"
	if mayWrite {
		how = "it is read by a role that may write, of which only reads are asked"
	}
	g.pass("credentials", "%s; fix_url is opened only while the plan is applied", how)
	if x.records == 0 {
		return nil
	}
	hazards, err := e.Replica.Preflight(ctx, e.replica(), x.fields, x.deletes)
	switch {
	case err != nil && sources.FailureOf(err) != sources.FailureFinal:
		return err
	case err != nil:
		g.fail("hazards", "Let fixes ask the service (fix.by: request), or put it right by hand.", "%s", e.text(err.Error()))
		return nil
	}
	var refused, allowed, kinds []string
	for _, h := range hazards {
		if e.Policy.Allows(Allow(h.Kind)) {
			allowed = append(allowed, h.What)
			continue
		}
		refused = append(refused, h.What)
		if !slices.Contains(kinds, string(h.Kind)) {
			kinds = append(kinds, string(h.Kind))
		}
	}
	switch {
	case len(refused) > 0:
		g.fail("hazards", "Let fixes ask the service (fix.by: request), or allow it (fix.allow: "+strings.Join(kinds, ", ")+").",
			"writing would touch more than the records themselves: %s", strings.Join(refused, "; "))
	case len(allowed) > 0:
		g.pass("hazards", "writing touches more than the records themselves, which is allowed: %s", strings.Join(allowed, "; "))
	default:
		g.pass("hazards", "writing touches nothing but the records themselves")
	}
	return nil
}
