package checks

import (
	"time"

	"plumbline/sources"
)

// Options say how a run reads. The zero Options are a full run.
type Options struct {
	// Plan forces a plan; "" takes the planner's.
	Plan PlanKind
	// Segments fixes how many segments each pass is cut into; 0 cuts by size.
	Segments int
	// Parallel is how many segments are read side by side; 0 means 2.
	Parallel int
	// Restarts is how often a suspect's clock may start anew because its owner
	// changed, before the record counts as unsettled; 0 means 3, and 255 is the most.
	Restarts int
	// Findings is how many differences are kept; all are counted. 0 means 10,000.
	Findings int
	// Accepted are the shapes that earlier runs of the check compared by: what changed
	// since is told. nil where there are none.
	Accepted *Shapes
	// Seen is what records showed to the last run of the check that read everything,
	// of fields that no store declares; nil where there is none.
	Seen *Seen
	// Planned are the shapes by which this very run was planned, where it is read on;
	// nil where it begins.
	Planned *Shapes
	// Keys compares these keys alone, each as the owner writes it.
	Keys []sources.Key
	// Sample replaces the check's sample where it is set: &Sample{} compares
	// everything. Where it names no shares or no recent_by, the check's count.
	Sample *Sample
	// Seed is what the draw of a sample follows from; 0 chooses one.
	Seed uint64
	// From is where the rolling part of each side goes on.
	From map[Role]sources.Position
	// Since, when set, compares the keys alone that changed so long ago or less, by
	// the check's recent_by.
	Since time.Duration
	// StopAfter ends the run once so many differences were seen; 0 never.
	StopAfter int64
	// Stop, when closed, ends the run after the pages that are being read.
	Stop <-chan struct{}
	// Progress, when set, hears how far the run is, from several goroutines.
	Progress func(Progress)
	// Settle replaces every edge's settle time where it is set.
	Settle *time.Duration
}

func (o Options) withDefaults(c *Check) Options {
	if o.Parallel == 0 {
		o.Parallel = 2
	}
	if o.Restarts == 0 {
		o.Restarts = 3
	}
	o.Restarts = min(o.Restarts, 255)
	if o.Findings == 0 {
		o.Findings = c.Findings
	}
	if o.Findings == 0 {
		o.Findings = 10_000
	}
	return o
}

// Progress is how far a run of one edge is.
type Progress struct {
	Check, Replica string
	Phase          string // plan | scan | settle | confirm | done
	// Read is how many records of the driving sides were read, of about Expected (0 when unknown).
	Read, Expected int64
	// Suspects is how many differences were seen so far, and Judged how many of
	// them were read again.
	Suspects, Judged int64
	// Until is when the next suspects will have settled, in phase settle.
	Until time.Time
}
