package web

import (
	"context"
	"slices"

	"plumbline/access"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// fixEntry is where a page leads from what differs to a plan of fixes.
type fixEntry struct {
	// Hidden is what the form says of what is to be put right; empty where no plan
	// can be drafted from here.
	Hidden []option
	Name   string
	Plans  []planLink
	Words  string // what becomes of differences, and how that is changed
}

type planLink struct {
	ID, URL, Words string
	State          sign
}

// mostLive is how many live plans a page lists beside what it is about.
const mostLive = 10

// livePlansOf are the live plans of a check, by the edge's name.
func (s *Server) livePlansOf(ctx context.Context, check string) (map[string][]*reconciler.Plan, error) {
	list, _, err := s.ledger.Plans(ctx, ledger.PlanFilter{Check: check, State: "live", Limit: rowsPerPage})
	if err != nil {
		return nil, err
	}
	of := map[string][]*reconciler.Plan{}
	for _, p := range list {
		of[p.Replica] = append(of[p.Replica], p)
	}
	return of, nil
}

// edgeFix leads from all open findings of an edge, for somebody who may act or may not.
func edgeFix(c *DeclaredCheck, replica string, open int64, plans []*reconciler.Plan, may bool) fixEntry {
	policy := c.fix(replica)
	e := fixEntry{Words: fixWords(replica, &policy)}
	e.plans(plans)
	if may && open > 0 && policy.Mode != reconciler.ModeOff {
		e.Name = "Plan a fix of all " + exact(open)
		if open == 1 {
			e.Name = "Plan a fix"
		}
		e.Hidden = []option{{Value: c.Name, Name: "check"}, {Value: replica, Name: "replica"}}
	}
	return e
}

func (e *fixEntry) plans(plans []*reconciler.Plan) {
	for i, p := range plans {
		if i == mostLive {
			break
		}
		e.Plans = append(e.Plans, planLink{p.ID, fixURL(p.ID), kindWords(p), signOfPlan(p)})
	}
}

// findingFix leads from one finding.
func findingFix(declared *Declared, f *drift.Finding, plans []*reconciler.Plan, may bool) fixEntry {
	e := fixEntry{}
	e.plans(plans)
	c := declared.Check(f.Check)
	if c == nil || c.Edge(f.Replica) == nil || !f.State.Open() {
		return e
	}
	policy := c.fix(f.Replica)
	e.Words = fixWords(f.Replica, &policy)
	if may && policy.Mode != reconciler.ModeOff && f.Whole() && f.State != drift.Fixing {
		e.Name, e.Hidden = "Plan a fix", []option{{Value: f.ID, Name: "id"}}
	}
	return e
}

// fixWords say what becomes of an edge's differences, and how that is changed.
func fixWords(replica string, p *reconciler.Policy) string {
	way := "written to " + replica + " itself"
	if p.By == reconciler.Request {
		way = "asked of the service over HTTP"
	}
	switch p.Mode {
	case reconciler.ModePropose:
		return "Plumbline drafts a plan once drift is confirmed, and people decide. What is approved is " + way + "."
	case reconciler.ModeApply:
		return "Plumbline puts confirmed drift right by itself, within the guards of the check. It is " + way + "."
	}
	return "Fixes of " + replica + " are off: Plumbline writes nothing here. To plan them, set fix.mode to propose for this check in the configuration."
}

// fixesOf leads from the edges of a check's page to plans.
func (s *Server) fixesOf(ctx context.Context, v *checkView, c *DeclaredCheck, edges []edgeMemory) error {
	plans, err := s.livePlansOf(ctx, c.Name)
	if err != nil {
		return err
	}
	may := access.ActorOf(ctx).May(access.Act)
	for i := range v.Edges {
		e, replica := &v.Edges[i], edges[i].view.edge.Name
		e.Fix = edgeFix(c, replica, edges[i].view.known.OpenFindings(), plans[replica], may)
		if e.FixPattern = len(e.Fix.Hidden) > 0 && sees(ctx); !e.FixPattern {
			continue
		}
		for j := range e.Patterns {
			e.Patterns[j].Hidden = append(slices.Clone(e.Fix.Hidden), option{Value: e.Patterns[j].Words, Name: "pattern"})
		}
	}
	return nil
}
