package demo

import (
	"slices"
	"strings"
	"time"

	"plumbline/checks"
)

// finding is a confirmed difference for as long as runs go on to find it.
type finding struct {
	id         string
	check      string
	difference checks.Difference
	why        string
	since      time.Time // when it was first read
	confirmed  time.Time
	fault      *fault // what the shop says it is due to; nil while it says nothing
}

// checkState is what the demo knows of one check.
type checkState struct {
	check *checks.Check
	// versioned: the check compares the owner's version with the copies'.
	versioned bool
	last      checks.EdgeRun // the last one that ended
	open      map[string]*finding
	progress  checks.Progress // of the run under way

	runs, compared, confirmed, healed, cleared int64
}

func newCheckState(c *checks.Check) *checkState {
	s := &checkState{check: c, open: map[string]*finding{}}
	for _, r := range c.Edges[0].Rules {
		s.versioned = s.versioned || c.Owner.Version != "" && r.Owner.Name == c.Owner.Version
	}
	return s
}

// take takes a run over and returns the findings that are new, and those that
// healed: only a run that compared everything found them equal by not telling them.
func (s *checkState) take(run checks.EdgeRun) (fresh, healed []*finding) {
	s.last = run
	s.runs++
	s.compared += run.Counts.Compared()
	s.cleared += run.Counts.SuspectsCleared
	seen := map[string]bool{}
	for _, d := range run.Differences {
		id := checks.FindingID(run.Check, run.Replica, d.Key, d.ID)
		seen[id] = true
		if f := s.open[id]; f != nil {
			f.difference = d
			f.why = why(d, s.check.Owner.Version, s.versioned)
			continue
		}
		f := &finding{id: id, check: run.Check, difference: d, why: why(d, s.check.Owner.Version, s.versioned), since: d.FirstSeen, confirmed: d.LastSeen}
		s.open[id] = f
		s.confirmed++
		fresh = append(fresh, f)
	}
	if !whole(run) {
		return fresh, nil
	}
	for id, f := range s.open {
		if !seen[id] {
			delete(s.open, id)
			s.healed++
			healed = append(healed, f)
		}
	}
	slices.SortFunc(healed, byKey)
	return fresh, healed
}

func byKey(a, b *finding) int {
	return strings.Compare(a.difference.Key.Encode()+a.difference.ID.Encode(), b.difference.Key.Encode()+b.difference.ID.Encode())
}

// whole says whether a run compared all it set out to and told all that differs.
func whole(run checks.EdgeRun) bool {
	return (run.Result == checks.Clean || run.Result == checks.Drift) && run.Coverage() == 1 && run.Omitted == 0
}

// consistency is the check's word: Unknown before anything is known.
func (s *checkState) consistency() string {
	switch {
	case len(s.open) > 0:
		return "Drifted"
	case s.last.Result == checks.Clean:
		return "In sync"
	}
	return "Unknown"
}

// pending is how many suspects the run under way has not judged yet.
func (s *checkState) pending() int64 {
	if s.progress.Phase == "done" {
		return 0
	}
	return max(0, s.progress.Suspects-s.progress.Judged)
}

// oldest is when the oldest open finding was first read; zero where there is none.
func (s *checkState) oldest() (since time.Time) {
	for _, f := range s.open {
		if since.IsZero() || f.since.Before(since) {
			since = f.since
		}
	}
	return since
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
		i := slices.IndexFunc(list, func(g group) bool { return g.check == f.check && g.why == f.why })
		if i < 0 {
			i = len(list)
			list = append(list, group{check: f.check, why: f.why})
		}
		list[i].findings = append(list[i].findings, f)
	}
	for _, g := range list {
		slices.SortFunc(g.findings, byKey)
	}
	slices.SortFunc(list, func(a, b group) int {
		if c := len(b.findings) - len(a.findings); c != 0 {
			return c
		}
		return strings.Compare(a.check+a.why, b.check+b.why)
	})
	return list
}
