package mysql

import (
	"context"

	"plumbline/sources"
)

// Lookup reads the records of keys in the order of key and id. A page that does
// not begin at the first key goes on with the copies of the key it stopped in,
// then with the greater ones. An index finds what a collation calls equal; what
// differs in its bytes is dropped here.
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
	if after != nil && len(after) == len(p.scanBy) && len(p.scanBy) > p.keys {
		if err := out.read(ctx, s, p.lookup(nil, after, true), ties); err != nil || out.more {
			return err
		}
	}
	return out.read(ctx, s, p.lookup(w.constants, after, false), ties)
}

// wanted are the keys of a look-up that the table could hold, each once.
type wanted struct {
	keys      map[string]bool // canonical
	constants [][]string      // of each key, part by part
}

func (p *plan) want(keys []sources.Key) *wanted {
	w := &wanted{keys: make(map[string]bool, len(keys))}
	for _, k := range keys {
		native := make(sources.Key, len(k))
		constants := make([]string, len(k))
		ok := len(k) == p.keys
		for i := 0; ok && i < len(k); i++ {
			native[i], constants[i], ok = exactly(p.scanBy[i], k[i])
		}
		if !ok {
			continue
		}
		if encoded := canonical(native); !w.keys[encoded] {
			w.keys[encoded] = true
			w.constants = append(w.constants, constants)
		}
	}
	return w
}

// only drops records that the server takes for equal and we do not.
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
