package web

import (
	"strconv"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
)

// SampleBody is what a run draws.
type SampleBody struct {
	Keys     int     `json:"keys" doc:"How many of the owner's keys are compared at most, and how many of the replica's are looked at for extra ones."`
	Recent   float64 `json:"recent" doc:"The share of them that changed last."`
	Rolling  float64 `json:"rolling" doc:"The share of them that goes on where the run before ended."`
	Random   float64 `json:"random" doc:"The share of them that is drawn at random: drift_rate and extra_rate are told by it alone."`
	RecentBy string  `json:"recent_by"`
	Seed     string  `json:"seed" doc:"What the draws at random follow from."`
	// Sides are absent until the keys are drawn.
	Sides []SampleSideBody `json:"sides" nullable:"false" doc:"What was drawn of each side; empty until then."`
	Why   []string         `json:"why" nullable:"false" doc:"Which parts could not be drawn as they were asked for, and what was drawn instead."`
}

// SampleSideBody is what was drawn of one side.
type SampleSideBody struct {
	Side       string `json:"side" enum:"owner,replica"`
	Drawn      int64  `json:"drawn" doc:"Keys, each once."`
	Random     int64  `json:"random" doc:"Those of them that were drawn at random."`
	Population int64  `json:"population" doc:"How many keys there were; 0 where they were not counted."`
	Estimate   int64  `json:"estimate" doc:"About how many records there are, by the store's own word; 0 when unknown."`
}

func sampleBody(r *ledger.Run) *SampleBody {
	if !r.Sampled() {
		return nil
	}
	s := r.Sample
	body := &SampleBody{Keys: s.Keys, Recent: s.Recent, Rolling: s.Rolling, Random: s.Random, RecentBy: s.RecentBy,
		Seed: strconv.FormatUint(r.Seed, 10), Sides: []SampleSideBody{}, Why: []string{}}
	if r.Drawn == nil {
		return body
	}
	body.Why = append(body.Why, r.Drawn.Why...)
	for _, side := range []checks.Role{checks.OwnerSide, checks.ReplicaSide} {
		if d := r.Drawn; d.Drawn[side] > 0 {
			body.Sides = append(body.Sides, SampleSideBody{string(side), d.Drawn[side], d.Random[side], d.Population[side], d.Estimate[side]})
		}
	}
	return body
}

// rateBody is a share that is told of a run; nil where none is.
func rateBody(rate checks.DriftRate, ok bool) *DriftRateBody {
	if !ok {
		return nil
	}
	return &DriftRateBody{Estimate: rate.Estimate, Low: rate.Low, High: rate.High, Confidence: rate.Confidence, Of: rate.Of, Keys: rate.Keys, Population: rate.Population}
}

// unlessZero is a share that is null where nobody knows it.
func unlessZero(share float64) *float64 {
	if share == 0 {
		return nil
	}
	return &share
}

// RollingBody is how far the rolling part of an edge's samples has come through
// one side's keys.
type RollingBody struct {
	Replica      string   `json:"replica"`
	Side         string   `json:"side" enum:"owner,replica"`
	Cycle        int64    `json:"cycle" doc:"Which time through all keys this is, from 1."`
	CycleBeganAt Instant  `json:"cycle_began_at"`
	Visited      int64    `json:"visited" doc:"How many keys this cycle has drawn so far, at least."`
	Size         int64    `json:"size" doc:"About how many there are; 0 when unknown."`
	Share        *float64 `json:"share" nullable:"true" doc:"The part of this cycle that is done; null where the size is unknown."`
	CompleteAt   Instant  `json:"complete_at" doc:"When this cycle will be complete at the pace it has had so far; null where that cannot be told."`
	// SeenSince is told once a cycle is complete.
	SeenSince     Instant `json:"every_key_since" doc:"Every key that was there all the time since was compared since, but for those skipped; null while no cycle is complete."`
	WithinSeconds float64 `json:"every_key_within_seconds" doc:"How long ago that is; 0 while no cycle is complete."`
	LastEndedAt   Instant `json:"last_cycle_ended_at"`
	Skipped       int64   `json:"skipped" doc:"Keys of this cycle and the one before that were drawn and could not be compared."`
	MovedAt       Instant `json:"moved_at"`
}

func rollingBody(r *ledger.Rolling, now time.Time) RollingBody {
	body := RollingBody{Replica: r.Replica, Side: string(r.Side), Cycle: r.Cycle, CycleBeganAt: Instant(r.Began), Visited: r.Visited, Size: r.Size,
		CompleteAt: Instant(r.CompleteAt()), SeenSince: Instant(r.Since()), LastEndedAt: Instant(r.LastEnded), Skipped: r.Skipped + r.LastSkipped,
		MovedAt: Instant(r.MovedAt)}
	if share, ok := r.Share(); ok {
		body.Share = &share
	}
	if since := r.Since(); !since.IsZero() {
		body.WithinSeconds = seconds(now.Sub(since))
	}
	return body
}

// scopeShare is an edge's, null before its first run and where nobody knows it.
func scopeShare(e *ledger.Edge) *float64 {
	if e.LastRun == "" {
		return nil
	}
	return unlessZero(e.ScopeShare)
}
