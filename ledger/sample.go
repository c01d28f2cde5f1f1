package ledger

import (
	"cmp"
	"strings"
	"time"

	"plumbline/checks"
)

// Asked is what somebody asked a run to compare instead of what its check
// declares; the zero Asked is what it declares.
type Asked struct {
	// Sample is how many keys to draw, divided as the check's own sample is, and at
	// random where it has none; 0 leaves it to the check.
	Sample int `json:"sample,omitempty"`
	// Full compares everything, whatever the check draws.
	Full bool `json:"full,omitempty"`
	// Since compares the keys whose records changed within this time before the run
	// began; 0 asks for no such thing.
	Since time.Duration `json:"since,omitempty"`
	// StopAfter ends the run's scan once so many differences were seen; 0 never does.
	StopAfter int64 `json:"stop_after,omitempty"`
}

// mostSince is how many keys are compared at most for having changed of late.
const mostSince = 1_000_000

// Of is the sample that a run of a check draws when asked so.
func (a Asked) Of(c *checks.Check) checks.Sample {
	switch {
	case a.Full:
		return checks.Sample{}
	case a.Since > 0:
		return checks.Sample{Keys: cmp.Or(a.Sample, mostSince), Recent: 1, RecentBy: c.Sample.RecentBy}
	case a.Sample == 0:
		return c.Sample
	case c.Sample.All():
		return checks.Sample{Keys: a.Sample, Random: 1}
	}
	s := c.Sample
	s.Keys = a.Sample
	return s
}

// aside says whether the run was asked to compare less than its check declares:
// it then speaks for what it finds alone, as a run of given keys does.
func (r *Run) aside() bool { return len(r.Keys) > 0 || r.Asked.Sample > 0 || r.Asked.Since > 0 }

// Sampled says whether the run draws keys rather than compare everything.
func (r *Run) Sampled() bool { return !r.Sample.All() }

// Bound is the most that can differ of either side's keys by what the run drew at
// random, at the confidence of its rates: 1 where that tells nothing, 0 for a run
// that compared everything.
func (r *Run) Bound() (share float64) {
	if !r.Sampled() {
		return 0
	}
	run := r.EdgeRun()
	rate, ok := run.DriftRate()
	if !ok {
		return 1
	}
	if extra, ok := run.ExtraRate(); ok {
		return max(rate.High, extra.High)
	}
	return rate.High
}

// ScopeShare is about the share of all records that the run compared; 0 where
// nobody knows.
func (r *Run) ScopeShare() float64 {
	run := r.EdgeRun()
	switch {
	case len(r.Keys) > 0, r.Sampled() && r.Drawn == nil:
		return 0
	case r.Drawn == nil:
		return run.Coverage()
	}
	return run.ScopeShare()
}

// Size is about how many keys the owner has, where the run drew of them; 0 when unknown.
func (r *Run) Size() int64 {
	if r.Drawn == nil {
		return 0
	}
	return cmp.Or(r.Drawn.Population[checks.OwnerSide], r.Drawn.Estimate[checks.OwnerSide])
}

// sampleDocument is checks.Sample as it is kept.
type sampleDocument struct {
	Keys     int     `json:"keys,omitempty"`
	Recent   float64 `json:"recent,omitempty"`
	Rolling  float64 `json:"rolling,omitempty"`
	Random   float64 `json:"random,omitempty"`
	RecentBy string  `json:"recent_by,omitempty"`
}

// draw is what a run draws as it is kept beside it.
type draw struct{ asked, sample, sampled string }

func writeDraw(r *Run) (d draw, err error) {
	if r.Asked != (Asked{}) {
		if d.asked, err = document(r.Asked); err != nil {
			return d, err
		}
	}
	if !r.Sample.All() {
		if d.sample, err = document(sampleDocument(r.Sample)); err != nil {
			return d, err
		}
	}
	if r.Drawn != nil {
		d.sampled, err = document(r.Drawn)
	}
	return d, err
}

func (d draw) read(r *Run) error {
	var sample sampleDocument
	if err := undocument(d.asked, &r.Asked); err != nil {
		return err
	}
	if err := undocument(d.sample, &sample); err != nil {
		return err
	}
	r.Sample = checks.Sample(sample)
	return undocument(d.sampled, &r.Drawn)
}

// randomMarks say by run whose key a suspect is to it, where the run drew that
// key at random.
type randomMarks map[string]checks.Role

func readMarks(s string) randomMarks {
	marks := randomMarks{}
	for _, one := range strings.Fields(s) {
		if run, side, ok := strings.Cut(one, ":"); ok {
			marks[run] = checks.Role(side)
		}
	}
	return marks
}

// write keeps the marks of the runs that still wait, in their order.
func (m randomMarks) write(runs []string) string {
	var list []string
	for _, run := range runs {
		if side := m[run]; side != "" {
			list = append(list, run+":"+string(side))
		}
	}
	return strings.Join(list, " ")
}

// any is the side of some mark; "" where there is none.
func (m randomMarks) any() checks.Role {
	for _, side := range []checks.Role{checks.OwnerSide, checks.ReplicaSide} {
		for _, marked := range m {
			if marked == side {
				return side
			}
		}
	}
	return ""
}
