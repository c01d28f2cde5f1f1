package sources

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// Integers is where the integer keys of a dataset lie: one field is its key, a
// constraint keeps two records from sharing it, and an index serves its look-up.
type Integers struct {
	Least, Greatest int64
	// Estimate is about how many there are.
	Estimate int64
}

// rejectionTries is how many keys are tried at most for each that is wanted.
const rejectionTries = 32

// SampleIntegers draws by rejection: it tries integers between the bounds, each
// as likely as any other and none twice, and keeps those that are a key in scope.
// What lies beside a gap is no likelier for it, as the next key at or after a
// random one would be. It answers ErrReadAll where the keys are too sparse, or
// too few for what is asked. Of d it needs the keys alone: an adapter leaves id
// and fields out.
func SampleIntegers(ctx context.Context, s Source, d *Dataset, q SampleRequest, in Integers) ([]Key, error) {
	width := uint64(in.Greatest) - uint64(in.Least) // one less than the number of them
	if in.Greatest < in.Least || in.Estimate <= 0 || width/8 > uint64(in.Estimate) || width/4 < uint64(q.Keys) {
		return nil, ErrReadAll
	}
	random := rand.New(rand.NewPCG(q.Seed, 0x9e3779b97f4a7c15))
	tried := map[int64]bool{}
	var drawn []Key
	for len(drawn) < q.Keys {
		if len(tried) > rejectionTries*q.Keys+1000 || uint64(len(tried)) > width/2 {
			return nil, ErrReadAll
		}
		share := max(1.0/rejectionTries, float64(in.Estimate)/(float64(width)+1))
		if len(tried) > 0 { // what the tries have shown
			share = max(1.0/rejectionTries, float64(len(drawn))/float64(len(tried)))
		}
		batch := make([]int64, 0, min(2000, 10+int(1.1*float64(q.Keys-len(drawn))/share)))
		for len(batch) < cap(batch) {
			n := in.Least
			if width+1 == 0 {
				n = int64(random.Uint64())
			} else {
				n += int64(random.Uint64N(width + 1))
			}
			if !tried[n] {
				tried[n] = true
				batch = append(batch, n)
			}
		}
		found, err := existing(ctx, s, d, batch)
		if err != nil {
			return nil, err
		}
		for _, n := range batch {
			if key := found[n]; key != nil && len(drawn) < q.Keys {
				drawn = append(drawn, key)
			}
		}
	}
	return drawn, nil
}

// existing looks integers up, and returns those that are a key in scope, as the
// store writes them.
func existing(ctx context.Context, s Source, d *Dataset, integers []int64) (map[int64]Key, error) {
	keys := make([]Key, len(integers))
	for i, n := range integers {
		keys[i] = Key{Int(n)}
	}
	found := make(map[int64]Key, len(integers))
	var after Position
	for done := false; !done; {
		page, err := s.Lookup(ctx, d, keys, after, Limit{Records: 2 * len(keys), Bytes: pageBytes})
		if err != nil {
			return nil, fmt.Errorf("look for integer keys: %w", err)
		}
		for i := range page.Records {
			r := &page.Records[i]
			if len(r.Key) != 1 || r.OutOfScope {
				continue
			}
			if n, ok := r.Key[0].Integer(); ok {
				found[n] = r.Key
			}
		}
		after, done = page.Next, page.Done
	}
	return found, nil
}
