package demo

import (
	"slices"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// finding is one of the ledger's, with what the demo makes of it.
type finding struct {
	*drift.Finding
	why   string
	fault *fault // what the shop says it is due to; nil while it says nothing
}

// subject is what a finding is about: a record, or one copy of it.
func (f *finding) subject() string { return f.Key.Encode() + f.CopyID.Encode() }

// checkState is what the demo knows of one check, all of it from the ledger.
type checkState struct {
	check *checks.Check
	// versioned: the check compares the owner's version with the copies'.
	versioned bool
	interval  time.Duration
	edge      ledger.Edge
	known     map[string]*finding // by id, as they were told last
	finished  map[string]bool     // runs that were counted
	last      *ledger.Run         // the last one that finished

	runs, compared, confirmed, healed, cleared int64
}

func newCheckState(c *checks.Check, interval time.Duration) *checkState {
	s := &checkState{check: c, interval: interval, known: map[string]*finding{}, finished: map[string]bool{}}
	for _, r := range c.Edges[0].Rules {
		s.versioned = s.versioned || c.Owner.Version != "" && r.Owner.Name == c.Owner.Version
	}
	return s
}

// news is what became of findings since they were told last.
type news struct{ fresh, healed, acted []*finding }

// take takes findings over as the ledger has them now.
func (s *checkState) take(list []*drift.Finding) (n news) {
	for _, f := range list {
		before := s.known[f.ID]
		if before != nil && before.Revision == f.Revision {
			continue
		}
		now := &finding{Finding: f, why: why(f, s.check.Owner.Version, s.versioned)}
		s.known[f.ID] = now
		wasOpen := before != nil && before.State.Open()
		cameBack := before != nil && f.Regressions > before.Regressions
		if !wasOpen && f.State.Open() || before == nil || cameBack {
			s.confirmed++
			n.fresh = append(n.fresh, now)
		} else if wasOpen {
			now.fault = before.fault
		}
		switch {
		case !f.State.Open() && (wasOpen || before == nil || cameBack):
			s.healed++
			n.healed = append(n.healed, now)
		case wasOpen && f.State != before.State:
			n.acted = append(n.acted, now)
		}
	}
	for _, group := range [][]*finding{n.fresh, n.healed, n.acted} {
		slices.SortFunc(group, bySubject)
	}
	return n
}

func bySubject(a, b *finding) int { return strings.Compare(a.subject(), b.subject()) }

// takeRun counts a run once it is finished.
func (s *checkState) takeRun(r *ledger.Run) (fresh bool) {
	if r.State != ledger.Finished || s.finished[r.ID] {
		return false
	}
	s.finished[r.ID] = true
	s.runs++
	s.compared += r.Counts.Compared()
	s.cleared += r.Counts.SuspectsCleared
	if s.last == nil || r.Number > s.last.Number {
		s.last = r
	}
	return true
}

// open are the findings that are open, by subject.
func (s *checkState) open() (list []*finding) {
	for _, f := range s.known {
		if f.State.Open() {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, bySubject)
	return list
}

// consistency is the check's word: Unknown before anything is known.
func (s *checkState) consistency() drift.Consistency {
	if s.edge.Consistency == "" {
		return drift.Unknown
	}
	return s.edge.Consistency
}

// group is findings that differ in the same way: one cause, one line.
type group struct {
	check, why string
	findings   []*finding
}

// groups gathers findings by check and by why, those of most records first.
func groups(findings []*finding) []group {
	var list []group
	for _, f := range findings {
		i := slices.IndexFunc(list, func(g group) bool { return g.check == f.Check && g.why == f.why })
		if i < 0 {
			i = len(list)
			list = append(list, group{check: f.Check, why: f.why})
		}
		list[i].findings = append(list[i].findings, f)
	}
	slices.SortFunc(list, func(a, b group) int {
		if c := len(b.findings) - len(a.findings); c != 0 {
			return c
		}
		return strings.Compare(a.check+a.why, b.check+b.why)
	})
	return list
}
