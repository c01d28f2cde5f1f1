package configs

import "plumbline/checks"

// sample becomes a checks.Sample.
func sample() shape {
	return either{words: "all, or a mapping such as {keys: 10000}", of: []shape{word([]string{"all"}), sampled()}}
}

func sampled() *record {
	return &record{name: "sample", words: "a mapping with keys", doc: "A run's budget of keys. The shares of its parts add up to 100%.", keys: []key{
		{name: "keys", doc: "How many keys a run draws in all.", value: integer(1, maxSample), required: true, example: "how many keys a run draws, such as keys: 10000"},
		{name: "recent", doc: "The share of the keys that changed last. Default 50%, or what the other shares leave; none without recent_by.", value: percent()},
		{name: "rolling", doc: "The share of the keys that were compared longest ago, so that every key has its turn. Default 30%, or what the other shares leave.", value: percent()},
		{name: "random", doc: "The share of the keys drawn at random, which alone say how much of the whole has drifted. Default 20%, or what the other shares leave.", value: percent()},
		{name: "recent_by", doc: "The owner's field that says when a record changed; an index should serve it.", value: field("the name of a field")},
	}}
}

const (
	// maxSample bounds a sample: each of its keys is kept with the run and looked up
	// by itself on both sides, and reading everything in order costs less than that.
	maxSample = 1_000_000
	// maxRandom bounds the random part. Ten times as many keys would make its
	// interval only three times narrower, and at 100,000 it is ±0.3 % at its widest.
	maxRandom = 100_000
)

// standardShares are the parts of a sample that says nothing of them, in hundredths.
func standardShares() (names []string, hundredths []int64) {
	return []string{"recent", "rolling", "random"}, []int64{50, 30, 20}
}

// shares are where a sample keeps its parts, in the order of standardShares.
func shares(s *checks.Sample) []*float64 { return []*float64{&s.Recent, &s.Rolling, &s.Random} }
