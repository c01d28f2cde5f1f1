package checks

import (
	"context"
	"errors"
	"io"

	"plumbline/sources"
)

// roll draws the next keys in the order of a scan: those after a position, and
// from the start again once the end was passed, none of them twice. Fewer than
// asked for are all there are.
func roll(ctx context.Context, s *side, from sources.Position, most int) (keys []sources.Key, next Watermark, err error) {
	r := &roller{side: s, most: most, seen: map[string]bool{}}
	at, done, err := r.read(ctx, sources.Span{After: from})
	if err != nil && from != nil && sources.FailureOf(err) == sources.FailureFinal { // the dataset is read in another order by now
		from = nil
		at, done, err = r.read(ctx, sources.Span{})
	}
	if err != nil || !done {
		return r.keys, Watermark{Position: at}, err
	}
	if from == nil || len(r.keys) >= most {
		return r.keys, Watermark{Wrapped: true}, nil
	}
	at, done, err = r.read(ctx, sources.Span{UpTo: from})
	if done {
		at = from
	}
	return r.keys, Watermark{Position: at, Wrapped: true}, err
}

// roller gathers the keys of a rolling draw.
type roller struct {
	side *side
	most int
	keys []sources.Key
	seen map[string]bool
}

// read gathers keys of a span until there are enough; done says that its end was reached.
func (r *roller) read(ctx context.Context, span sources.Span) (at sources.Position, done bool, err error) {
	stream := r.side.reader.Stream(r.side.dataset, sources.ScanRequest{Span: span, KeysOnly: true, InScopeOnly: true})
	at = span.After
	for len(r.keys) < r.most {
		stream.AtMost(r.most - len(r.keys))
		page, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		for i := range page.Records {
			key := page.Records[i].Key
			if encoded := canonicalEncoding(key); key.Whole() && !r.seen[encoded] {
				r.seen[encoded] = true
				r.keys = append(r.keys, key)
			}
		}
		if page.Done {
			return nil, true, nil
		}
		at = page.Next
	}
	return at, false, nil
}
