package postgres

import (
	"context"

	"plumbline/sources"
)

// Lookup reads the records of keys in the order of key and id. A page that does
// not begin at the first key goes on with the copies of the key it stopped in,
// then with the greater ones.
func (s *source) Lookup(ctx context.Context, d *sources.Dataset, keys []sources.Key, after sources.Position, limit sources.Limit) (sources.Page, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return sources.Page{}, err
	}
	w := p.want(keys)
	if len(w.keys) == 0 {
		return sources.Page{Done: true}, nil
	}
	out := &gathered{plan: p, decoder: p.decoder(false), limit: atLeastOne(limit)}
	if err := s.lookUp(ctx, p, w, after, out); err != nil {
		return sources.Page{}, s.failed(p, err)
	}
	out.page.Records = w.only(out.page.Records)
	return out.page, nil
}

func (s *source) lookUp(ctx context.Context, p *plan, w *wanted, after sources.Position, out *gathered) error {
	ties := !p.unique || p.nullable()
	request := lookupRequest{params: p.arrays(w.texts), keys: len(w.keys), after: after}
	fetch := func() error {
		left := sources.Limit{Records: max(1, out.limit.Records-out.page.Len()), Bytes: max(1, out.limit.Bytes-out.page.Size)}
		res, more, err := s.fetch(ctx, left, ties, func(records int) (*statement, error) {
			request.records = records
			return p.lookup(request)
		})
		if err != nil {
			return err
		}
		return out.add(res, more)
	}
	if after != nil && len(after) == len(p.scanBy) && len(p.scanBy) > p.keys {
		request.sameKey = true
		if err := fetch(); err != nil || out.more {
			return err
		}
		request.sameKey = false
	}
	return fetch()
}

// wanted are the keys of a look-up that the table could hold, each once.
type wanted struct {
	keys  map[string]bool // canonical
	texts [][]string      // of each key part, as parameters
}

func (p *plan) want(keys []sources.Key) *wanted {
	w := &wanted{keys: make(map[string]bool, len(keys)), texts: make([][]string, p.keys)}
	for _, k := range keys {
		native := make(sources.Key, len(k))
		texts := make([]string, len(k))
		ok := len(k) == p.keys
		for i := 0; ok && i < len(k); i++ {
			native[i], texts[i], ok = exactly(p.scanBy[i].typ, k[i])
		}
		if !ok {
			continue
		}
		if encoded := canonical(native); !w.keys[encoded] {
			w.keys[encoded] = true
			for i, text := range texts {
				w.texts[i] = append(w.texts[i], text)
			}
		}
	}
	return w
}

// only drops records that the store takes for equal and we do not: texts that
// differ in case, spans that are as long.
func (w *wanted) only(records []sources.Record) []sources.Record {
	kept := records[:0]
	for _, r := range records {
		if w.keys[canonical(r.Key)] {
			kept = append(kept, r)
		}
	}
	return kept
}

// canonical encodes a key in the form in which keys are matched.
func canonical(k sources.Key) string {
	var b []byte
	for _, v := range k {
		b = sources.Canonical(v).AppendEncoding(b)
	}
	return string(b)
}
