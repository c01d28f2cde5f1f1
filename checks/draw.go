package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plumbline/sources"
)

// Drawn is what a run compares of a sample.
type Drawn struct {
	// Segments hold the drawn keys, each key of a side once: a key drawn at random
	// and otherwise too is of StratumRandom.
	Segments []Segment
	Seed     uint64
	// Next is where the rolling part of each side goes on next time.
	Next map[Role]Watermark
	// Population is how many distinct keys in scope each side has, where the draw
	// counted them; 0 where it did not.
	Population map[Role]int64
	// Estimate is about how many records each side holds, by the store's own word.
	Estimate map[Role]int64
	// Why says what is otherwise than the sample asks for, and Partial what makes
	// a run of it incomplete.
	Why, Partial []string
}

// Watermark is how far the rolling part of a sample has come through a dataset.
type Watermark struct {
	// Position is the last that was drawn; nil where the next draw begins anew.
	Position sources.Position
	// Wrapped: the end was passed, so every key that was there all the while has
	// been drawn since the watermark was last at the start.
	Wrapped bool
}

// keysPerSegment bounds how many drawn keys are read, retried and resumed together.
const keysPerSegment = 5_000

// Draw draws a sample of both sides: the owner's keys, which are compared in
// full, and, where extra records are looked for, the replica's. What it draws
// follows from seed and from what the stores hold. from is where the rolling part
// of each side goes on.
func (a *Audit) Draw(ctx context.Context, s Sample, from map[Role]sources.Position, seed uint64) (Drawn, error) {
	return a.edge.draw(ctx, s, from, seed)
}

func (e *edge) draw(ctx context.Context, s Sample, from map[Role]sources.Position, seed uint64) (Drawn, error) {
	d := Drawn{Seed: seed, Next: map[Role]Watermark{}, Population: map[Role]int64{},
		Estimate: map[Role]int64{OwnerSide: e.owner.facts.Estimate, ReplicaSide: e.replica.facts.Estimate}}
	for _, pass := range samplePasses(e.comparison, e.owner.facts, e.replica.facts) {
		if err := e.drawSide(ctx, &d, s, pass, from[pass.Drive]); err != nil {
			return Drawn{}, err
		}
	}
	return d, nil
}

// drawSide draws what one pass reads. Keys drawn at random stay so whatever else
// draws them: they are drawn independently, and would be too few of those that
// changed last if those counted elsewhere.
func (e *edge) drawSide(ctx context.Context, d *Drawn, s Sample, pass Pass, from sources.Position) error {
	drive, _ := e.sides(pass.Drive)
	b := e.comparison.budget(s, pass.Drive, drive.facts, e.options.Since)
	recent, err := e.drawRecent(ctx, d, drive, b)
	if errors.Is(err, sources.ErrUnindexed) && e.options.Since == 0 {
		why := fmt.Sprintf("recent: no index of the %s serves %s", pass.Drive, b.recentBy)
		b, recent = b.withoutRecent(s, why), nil
	} else if err != nil {
		return err
	}
	d.Why = append(d.Why, b.why...)
	seen := map[string]bool{}
	if b.random > 0 {
		drawn, err := drive.reader.Sample(ctx, drive.dataset, sources.SampleRequest{Keys: b.random, Seed: seedOf(d.Seed, pass.Drive)})
		if err != nil {
			return err
		}
		d.Population[pass.Drive] = drawn.Population
		d.add(pass, StratumRandom, drawn.Keys, seen)
	}
	d.add(pass, StratumRecent, recent, seen)
	if b.rolling > 0 {
		keys, next, err := roll(ctx, drive, from, b.rolling)
		if err != nil {
			return err
		}
		d.Next[pass.Drive] = next
		d.add(pass, StratumRolling, keys, seen)
	}
	return nil
}

func (e *edge) drawRecent(ctx context.Context, d *Drawn, drive *side, b budget) ([]sources.Key, error) {
	if b.recent == 0 {
		return nil, nil
	}
	request := sources.RecentRequest{By: b.recentBy, Keys: b.recent}
	if e.options.Since > 0 {
		request.Since = e.run.StartedAt.Add(-e.options.Since)
	}
	keys, err := drive.reader.Recent(ctx, drive.dataset, request)
	if err == nil && e.options.Since > 0 && len(keys) >= b.recent {
		d.Partial = append(d.Partial, fmt.Sprintf("at least %s keys of the %s changed in the last %s; the newest alone were compared",
			thousands(b.recent), drive.role, e.options.Since))
	}
	return keys, err
}

// seedOf gives each side a seed of its own, so that equal keys of both are not
// drawn together.
func seedOf(seed uint64, role Role) uint64 {
	if role == ReplicaSide {
		return seed ^ 0x9e3779b97f4a7c15
	}
	return seed
}

// add makes segments of the keys that are not drawn yet.
func (d *Drawn) add(pass Pass, stratum Stratum, keys []sources.Key, seen map[string]bool) {
	fresh := make([]sources.Key, 0, len(keys))
	for _, key := range keys {
		encoded := canonicalEncoding(key)
		if !seen[encoded] {
			seen[encoded] = true
			fresh = append(fresh, key)
		}
	}
	for chunk := range slices.Chunk(fresh, keysPerSegment) {
		d.Segments = append(d.Segments, Segment{Pass: pass, Keys: chunk, Stratum: stratum, Estimate: int64(len(chunk))})
	}
}

// canonicalEncoding identifies a key among those of one side.
func canonicalEncoding(key sources.Key) string {
	var b []byte
	for _, v := range key {
		b = sources.Canonical(v).AppendEncoding(b)
	}
	return string(b)
}

// Sampled is the draw in numbers.
func (d *Drawn) Sampled() *Sampled {
	s := &Sampled{Seed: d.Seed, Drawn: map[Role]int64{}, Random: map[Role]int64{}, Population: d.Population, Estimate: d.Estimate, Why: d.Why}
	for i := range d.Segments {
		seg := &d.Segments[i]
		s.Drawn[seg.Pass.Drive] += int64(len(seg.Keys))
		if seg.Stratum == StratumRandom {
			s.Random[seg.Pass.Drive] += int64(len(seg.Keys))
		}
	}
	return s
}
