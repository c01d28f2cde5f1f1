package checks

// Sampled is what a run that compares a sample drew.
type Sampled struct {
	Seed uint64 `json:"seed"`
	// Drawn is how many keys were drawn of each side, each once, and Random how
	// many of them at random.
	Drawn  map[Role]int64 `json:"drawn,omitempty"`
	Random map[Role]int64 `json:"random,omitempty"`
	// Population is how many distinct keys in scope each side had when they were
	// counted for the draw; 0 where they were not. Estimate is the store's own
	// estimate of its records.
	Population map[Role]int64 `json:"population,omitempty"`
	Estimate   map[Role]int64 `json:"estimate,omitempty"`
	// Why says which parts could not be drawn as they were asked for, and what was
	// drawn instead.
	Why []string `json:"why,omitempty"`
}

// DriftRate is a share of records, copies or keys that differ, and between which
// bounds it lies. A full run knows it exactly (Confidence is 1); one that left
// records out bounds it by taking them as all equal, and as all different.
//
// A sample's share is told by its random part alone, with Confidence 0.95: by
// the hypergeometric interval where the keys were counted, and by the binomial
// one, which is wider, where they were not. Keys drawn at random that could not
// be judged are taken as all equal for Low, and as all different for High.
type DriftRate struct {
	Estimate, Low, High, Confidence float64
	Of                              string // records | copies | owner keys | replica keys
	// Of a sample: how many keys the share was told from, and of how many; 0
	// where the keys were not counted.
	Keys, Population int64
}

// sampleConfidence is the confidence of a sample's intervals.
const sampleConfidence = 0.95

// DriftRate returns the share that differs: of a full run's records or copies,
// of a sample's owner keys. ok is false where nothing was compared, and where a
// sample has no random part to tell it from.
func (r *EdgeRun) DriftRate() (rate DriftRate, ok bool) {
	if r.Sampled != nil {
		return r.sampledRate(OwnerSide, r.Counts.RandomKeys, r.Counts.RandomDrift, r.Counts.RandomGone)
	}
	compared, differ, left := float64(r.Counts.Compared()), float64(r.Counts.Differences()), float64(r.left())
	if compared == 0 {
		return DriftRate{}, false
	}
	rate = DriftRate{Estimate: differ / compared, Low: differ / (compared + left), High: (differ + left) / (compared + left),
		Confidence: 1, Of: "records"}
	if r.Copies {
		rate.Of = "copies"
	}
	return rate, true
}

// ExtraRate returns the share of the replica's keys that the owner lacks; ok is
// false for a full run, and where no key of the replica was drawn at random.
func (r *EdgeRun) ExtraRate() (rate DriftRate, ok bool) {
	if r.Sampled == nil {
		return DriftRate{}, false
	}
	return r.sampledRate(ReplicaSide, r.Counts.RandomReplicaKeys, r.Counts.RandomExtras, r.Counts.RandomReplicaGone)
}

func (r *EdgeRun) sampledRate(role Role, judged, differ, gone int64) (rate DriftRate, ok bool) {
	if judged == 0 {
		return DriftRate{}, false
	}
	unknown := max(0, r.Sampled.Random[role]-judged-gone)
	drawn := judged + unknown
	rate = DriftRate{Estimate: float64(differ) / float64(judged), Confidence: sampleConfidence, Of: string(role) + " keys", Keys: judged}
	if n := r.Sampled.Population[role]; n > 0 {
		rate.Population = max(n-gone, drawn)
	}
	rate.Low, _ = interval(differ, drawn, rate.Population)
	_, rate.High = interval(differ+unknown, drawn, rate.Population)
	return rate, true
}

// ScopeShare is the share of the owner's keys that the run compared: 1 for a full
// run that compared everything; of a sample about how many of the owner's keys
// were drawn and compared, of all; 0 where nobody knows how many there are.
func (r *EdgeRun) ScopeShare() float64 {
	if r.Sampled == nil {
		return 1
	}
	all := r.Sampled.Population[OwnerSide]
	if all == 0 {
		all = r.Sampled.Estimate[OwnerSide]
	}
	if all == 0 {
		return 0
	}
	return min(1, float64(r.Sampled.Drawn[OwnerSide])*r.Coverage()/float64(all))
}

// addRandom adds what another part's random keys came to.
func (c *Counts) addRandom(d Counts) {
	c.RandomKeys += d.RandomKeys
	c.RandomDrift += d.RandomDrift
	c.RandomGone += d.RandomGone
	c.RandomReplicaKeys += d.RandomReplicaKeys
	c.RandomExtras += d.RandomExtras
	c.RandomReplicaGone += d.RandomReplicaGone
}

// RandomOnly is what the keys drawn at random came to, and nothing else: it counts
// even where the difference itself was counted before.
func (c Counts) RandomOnly() (random Counts) {
	random.addRandom(c)
	return random
}
