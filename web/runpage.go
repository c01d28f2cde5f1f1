package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
)

// runView is the page /runs/{id}.
type runView struct {
	Page                           frame
	Number, Check, CheckURL        string
	Replica                        string
	State                          sign
	Facts                          []fact
	CancelURL, ResumeURL, AgainURL string
	Notes                          []notice
	ProgressTitle, ProgressMore    string
	Bar                            bar
	Numbers                        []fact
	Cells                          []cell
	SegmentWords, NoSegments       string
	Failed, Waits, Reasons, Plan   []fact
	Sample                         []fact // of a run that compares a sample
}

// mostCells is how many cells a coverage map has; more segments share them.
const mostCells = 256

// runPage builds the page of a run from what the ledger holds of it.
func runPage(r *ledger.Run, segments []ledger.Segment, now time.Time) runView {
	v := runView{Number: exact(r.Number), Check: r.Check, CheckURL: checkURL(r.Check), Replica: r.Replica, State: signOfRun(r),
		Plan: planFacts(&r.Plan), Sample: sampleFacts(r, segments)}
	v.Facts = []fact{{Name: "trigger", Text: triggerWords(r)}}
	if !r.SlotAt.IsZero() {
		v.Facts = append(v.Facts, fact{Name: "due", Moment: at(r.SlotAt, now, "")})
	}
	v.Facts = append(v.Facts, fact{Name: "began", Moment: at(began(r), now, "")}, fact{Name: tookName(r), Text: took(r, now)})
	if len(r.Keys) > 0 {
		v.Facts = append(v.Facts, fact{Name: "of", Text: several(int64(len(r.Keys)), "key", "keys")})
	}
	v.act(r)
	v.notes(r)
	v.progress(r, now)
	v.segments(r, segments)
	for _, reason := range slices.Sorted(maps.Keys(r.Waits)) {
		v.Waits = append(v.Waits, fact{Name: "for " + reason, Text: span(time.Duration(r.Waits[reason]) * time.Millisecond)})
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		v.Reasons = append(v.Reasons, fact{Name: "not compared", Text: fmt.Sprintf("%s × %s", exact(r.Reasons[reason]), reason)})
	}
	return v
}

func tookName(r *ledger.Run) string {
	if r.State == ledger.Finished {
		return "took"
	}
	return "so far"
}

func (v *runView) act(r *ledger.Run) {
	switch {
	case r.State != ledger.Finished && !r.CancelRequested:
		v.CancelURL = runURL(r.ID) + "/cancel"
	case r.State == ledger.Finished && (r.Result == checks.Cancelled || r.Result == checks.Incomplete || r.Result == checks.Error) && resumable(r):
		v.ResumeURL = runURL(r.ID) + "/resume"
	}
	if r.State == ledger.Finished {
		v.AgainURL = checkURL(r.Check) + "/runs"
	}
}

// resumable says whether a run left segments that can be read on.
func resumable(r *ledger.Run) bool { return r.Segments > 0 && r.SegmentsDone < r.Segments }

func (v *runView) notes(r *ledger.Run) {
	say := func(tone, icon, format string, args ...any) {
		v.Notes = append(v.Notes, notice{tone, icon, fmt.Sprintf(format, args...)})
	}
	if r.Error != "" {
		tone := "warn"
		if r.Result == checks.Error {
			tone = "unknown"
		}
		say(tone, "warn", "%s", r.Error)
	}
	if r.CancelRequested {
		who := cmp.Or(r.CancelledBy, "somebody")
		if r.State == ledger.Finished {
			say("info", "stop", "Cancelled by %s. What it had read stands; the rest was not read, and nothing is concluded from it.", who)
		} else {
			say("info", "stop", "%s has asked it to stop: it ends at its next page.", who)
		}
	}
	if r.State == ledger.Settling {
		say("info", "eye", "The scan has ended. %s to be read again once settled; until then the check keeps its last word.",
			several(r.Pending, "suspect waits", "suspects wait"))
	}
	if r.Omitted > 0 {
		say("warn", "warn", "%s counted and not kept: the run reached the limit of findings.", several(r.Omitted, "further difference was", "further differences were"))
	}
}

func (v *runView) progress(r *ledger.Run, now time.Time) {
	run := r.EdgeRun()
	part, tone := 0., "info"
	switch r.State {
	case ledger.Finished, ledger.Settling:
		part = run.Coverage()
		tone = ""
		if part < 1 {
			tone = "warn"
		}
		if r.Result == checks.Error {
			part = 0
		}
		v.ProgressTitle = "Coverage " + share(part)
		v.ProgressMore = "of what it set out to compare"
	default:
		v.ProgressTitle = "Progress"
		switch {
		case r.Estimate > 0:
			part = min(float64(r.Read)/float64(r.Estimate), .999)
			v.ProgressTitle = "Progress " + share(part)
		case r.Segments > 0:
			part = float64(r.SegmentsDone) / float64(r.Segments)
		}
		v.ProgressMore = eta(r, now)
	}
	v.Bar = barOf(part, tone, v.ProgressTitle)
	c := &r.Counts
	v.Numbers = []fact{
		{Name: "owner records", Text: exact(c.OwnerRecords)}, {Name: "replica records", Text: exact(c.ReplicaRecords)},
		{Name: "compared", Text: exact(c.Compared())}, {Name: "equal", Text: exact(c.Equal)},
		{Name: "mismatch", Text: exact(c.Mismatch)}, {Name: "missing", Text: exact(c.Missing)}, {Name: "extra", Text: exact(c.Extra)},
		{Name: "duplicate", Text: exact(c.Duplicate)}, {Name: "unreadable", Text: exact(c.Unreadable)},
		{Name: "skipped", Text: exact(c.Skipped)}, {Name: "unread, about", Text: exact(r.Unread)},
		{Name: "suspects pending", Text: exact(r.Pending)}, {Name: "suspects cleared", Text: exact(c.SuspectsCleared)},
	}
	end := r.EndedAt
	if end.IsZero() {
		end = now
	}
	if took := end.Sub(r.StartedAt); !r.StartedAt.IsZero() && took > 0 && r.Read > 0 {
		v.Numbers = append(v.Numbers, fact{Name: "records a second", Text: exact(int64(float64(r.Read) / took.Seconds()))})
	}
	for i := range v.Numbers {
		if n := v.Numbers[i].Name; (n == "mismatch" || n == "missing" || n == "extra" || n == "duplicate" || n == "unreadable") && v.Numbers[i].Text != "0" {
			v.Numbers[i].URL = findingsURL(r.Check, r.Replica) + "&kind=" + n
		}
	}
}

// eta says how much is read and how long the rest takes at the rate so far.
func eta(r *ledger.Run, now time.Time) string {
	if r.State == ledger.Queued {
		return "waits for a worker"
	}
	if r.Estimate == 0 {
		return fmt.Sprintf("%s read; how many there are is not known", exact(r.Read))
	}
	words := fmt.Sprintf("%s of about %s read", exact(r.Read), exact(r.Estimate))
	gone := now.Sub(r.StartedAt)
	if r.Read == 0 || gone < time.Second || r.Read >= r.Estimate {
		return words
	}
	left := time.Duration(float64(gone) * float64(r.Estimate-r.Read) / float64(r.Read))
	return words + ", about " + span(left.Truncate(time.Second)) + " left"
}

// segments draws the coverage map: a cell for each segment, or for each few of
// them where they are many, which then shows the worst of them.
func (v *runView) segments(r *ledger.Run, segments []ledger.Segment) {
	v.NoSegments = "It was not cut into segments."
	if r.State == ledger.Queued || r.State == ledger.Running {
		v.NoSegments = "The segments are not cut yet."
	}
	if len(segments) == 0 {
		return
	}
	each := (len(segments) + mostCells - 1) / mostCells
	byState := map[ledger.SegmentState]int{}
	for group := range slices.Chunk(segments, each) {
		worst := &group[0]
		for i := range group {
			byState[group[i].State]++
			if cellRank(&group[i]) > cellRank(worst) {
				worst = &group[i]
			}
		}
		v.Cells = append(v.Cells, segmentCell(worst, len(group)))
	}
	var words []string
	for _, s := range []ledger.SegmentState{ledger.SegmentDone, ledger.SegmentRunning, ledger.SegmentQueued, ledger.SegmentFailed, ledger.SegmentStopped} {
		if byState[s] > 0 {
			words = append(words, fmt.Sprintf("%d %s", byState[s], s))
		}
	}
	v.SegmentWords = several(int64(len(segments)), "segment", "segments") + ": " + strings.Join(words, ", ")
	for i := range segments {
		s := &segments[i]
		if s.Error != "" && len(v.Failed) < 20 {
			v.Failed = append(v.Failed, fact{Name: fmt.Sprint(s.N), Text: fmt.Sprintf("%s (%s)", s.Error, several(int64(s.Attempts), "attempt", "attempts"))})
		}
	}
}

func cellRank(s *ledger.Segment) int {
	switch {
	case s.State == ledger.SegmentFailed || s.State == ledger.SegmentStopped:
		return 4
	case s.State == ledger.SegmentRunning:
		return 3
	case s.State == ledger.SegmentQueued:
		return 2
	case differs(s):
		return 1
	}
	return 0
}

func differs(s *ledger.Segment) bool { return s.Counts.Differences() > 0 }

func segmentCell(s *ledger.Segment, of int) cell {
	c := cell{Title: fmt.Sprintf("segment %d: %s, %s read", s.N, s.State, exact(s.Read))}
	if s.Plan.Stratum != "" {
		c.Title = fmt.Sprintf("segment %d, %s keys of the %s: %s, %s read", s.N, s.Plan.Stratum, s.Plan.Pass.Drive, s.State, exact(s.Read))
	}
	if of > 1 {
		c.Title = fmt.Sprintf("%d segments from here, the worst is segment %d: %s", of, s.N, s.State)
	}
	switch cellRank(s) {
	case 4:
		c.Class = "w"
	case 3:
		c.Class = "r"
	case 1:
		c.Class = "d"
		c.Title += ", " + exact(s.Counts.Differences()) + " differ"
	case 0:
		c.Class = "o"
	}
	return c
}
