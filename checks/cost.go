package checks

// Cost is about how much a whole run reads, as far as the stores know before.
type Cost struct {
	// Known: both sides have an estimate of their records.
	Known bool
	// Scanned and LookedUp are about how many records each way reads, over both sides.
	Scanned, LookedUp int64
	// Segments is how many parts the passes are cut into.
	Segments int64
}

// Cost estimates what a full run by the plan reads. Looked-up records are
// taken to be as many as those that drive the look-up.
func (p Plan) Cost(owner, replica SideFacts) Cost {
	if p.Sampled != "" { // each drawn key is looked up on both sides
		return Cost{Known: true, LookedUp: 2 * p.SampleKeys, Segments: p.SampleKeys/keysPerSegment + int64(len(p.Passes))}
	}
	estimate := map[Role]int64{OwnerSide: owner.Estimate, ReplicaSide: replica.Estimate}
	c := Cost{Known: owner.Estimate > 0 && replica.Estimate > 0}
	for _, pass := range p.Passes {
		c.Scanned += estimate[pass.Drive]
		if p.Kind == PlanRanges {
			c.Scanned += estimate[pass.Drive.other()]
		} else {
			c.LookedUp += estimate[pass.Drive]
		}
		c.Segments += segmentsOf(estimate[pass.Drive])
	}
	return c
}

// Scans says whether the plan reads a side from end to end.
func (p Plan) Scans(role Role) bool {
	for _, pass := range p.Passes {
		if p.Sampled == "" && (p.Kind == PlanRanges || pass.Drive == role) {
			return true
		}
	}
	return false
}
