package http

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// getMany asks for keys by batch. What the answer leaves out is asked for again
// together with a witness, a key that the API has: only where the answer holds the
// witness and none of the others are they taken to be not there. So an API that gives
// at most so many records at once, or looks at no more than so many keys, or finds
// nothing now and then, leaves none out that it has. Without a witness believe
// decides.
func (s *source) getMany(ctx context.Context, p *dataset, keys []asked) (*found, error) {
	out, err := s.getBatch(ctx, p, keys)
	if err != nil {
		return nil, err
	}
	left := out.absent
	out.absent = nil
	for n := p.batch.size - 1; len(left) > 0; {
		witness, ok := p.witness(left)
		if known, found := p.witness(nil); found && !ok { // what the answer leaves out was there
			one, err := s.ask(ctx, p, known)
			if err != nil {
				return nil, err
			}
			if len(one.absent) == 0 {
				out.records, out.alive = append(out.records, one.records...), true
				left = without(left, known)
				continue
			}
		}
		if n < 1 || !ok {
			out.absent, out.unwitnessed = append(out.absent, left...), true
			return out, nil
		}
		n = min(n, len(left))
		one, err := s.getBatch(ctx, p, append(left[:n:n], witness))
		if err != nil {
			return nil, err
		}
		absent := without(one.absent, witness)
		for i := range one.records {
			if canonical(one.records[i].Key) != witness.id {
				out.records = append(out.records, one.records[i])
			}
		}
		testified := one.alive && !one.divided && len(absent) == len(one.absent)
		switch {
		case len(absent) < n: // what was left out may have had no room
			left = append(absent, left[n:]...)
			out.alive = out.alive || one.alive
		case testified:
			out.absent, left = append(out.absent, absent...), left[n:]
			out.alive, n = true, min(2*n, p.batch.size-1)
		case n > 1:
			n /= 2
		default:
			if err := s.recall(ctx, p, witness); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func without(keys []asked, one asked) (left []asked) {
	for _, a := range keys {
		if a.id != one.id {
			left = append(left, a)
		}
	}
	return left
}

// recall forgets a witness that an answer left out, unless the API has it still.
func (s *source) recall(ctx context.Context, p *dataset, witness asked) error {
	there, err := s.has(ctx, p, witness)
	if there {
		return fmt.Errorf("%s: the answer leaves out a record that the API has: ask for fewer at once (batch.size)", p.batch.what)
	}
	p.forget(witness)
	return err
}

// getBatch sends one request, or several where the service refuses one for a key
// that it cannot read.
func (s *source) getBatch(ctx context.Context, p *dataset, keys []asked) (*found, error) {
	got, err := s.get(ctx, p.batch.what, s.batchAddress(p.batch, keys))
	if status := refusesKey(err); status != 0 {
		if len(keys) == 1 {
			return &found{records: skipped(keys, fmt.Sprintf("the service answers %d to this key", status)), alive: true}, nil
		}
		return s.halves(ctx, p, keys)
	}
	if err != nil {
		return nil, gone(err, p.batch.Path)
	}
	raw, err := find(got.body, p.batch.items)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.batch.what, err)
	}
	items, err := itemsOf(raw, p.batch.what, p.batch.items)
	if err != nil {
		return nil, err
	}
	return p.sorted(items, keys)
}

// sorted sorts what an answer holds by the keys that were asked for.
func (p *dataset) sorted(items [][]byte, keys []asked) (*found, error) {
	out := &found{}
	wanted, there, texts := map[string]asked{}, map[string]bool{}, map[string]bool{}
	for _, a := range keys {
		wanted[a.id], texts[a.texts[0]] = a, true
	}
	doubt := ""
	for i, item := range items {
		records, err := p.records(item, p.batch.what, fmt.Sprintf("%s[%d]", spelled(p.batch.items), i))
		if err != nil {
			return nil, err
		}
		if why, err := p.doubtOf(item, keys); err != nil {
			return nil, err
		} else if why != "" {
			doubt = why
		}
		for _, r := range records {
			id := canonical(r.Key)
			a, ours := wanted[id]
			switch {
			case ours:
				out.records = append(out.records, r)
				if there[id] = true; r.Unreadable == "" {
					p.remember(a)
				}
			case !r.Key.Whole():
				doubt = "the answer holds a record whose key cannot be read"
			default:
				if text, ok := textOf(r.Key[0]); p.Unwind == "" && !(ok && texts[text]) {
					doubt = "the answer holds records that were not asked for"
				}
			}
		}
	}
	out.alive = len(out.records) > 0
	for _, a := range keys {
		if !there[a.id] {
			out.absent = append(out.absent, a)
		}
	}
	if doubt != "" {
		out.records = append(out.records, skipped(out.absent, doubt)...)
		out.absent, out.alive = nil, true
	}
	return out, nil
}

func (s *source) halves(ctx context.Context, p *dataset, keys []asked) (*found, error) {
	out := &found{divided: true}
	for _, half := range [][]asked{keys[:len(keys)/2], keys[len(keys)/2:]} {
		one, err := s.getBatch(ctx, p, half)
		if err != nil {
			return nil, err
		}
		out.records, out.absent = append(out.records, one.records...), append(out.absent, one.absent...)
		out.alive = out.alive || one.alive
	}
	return out, nil
}

func (s *source) batchAddress(b *batching, keys []asked) *url.URL {
	texts := make([]string, len(keys))
	for i, a := range keys {
		texts[i] = a.texts[0]
	}
	query := url.Values{}
	for name, value := range b.Query {
		query.Set(name, strings.ReplaceAll(value, b.ids, strings.Join(texts, ",")))
	}
	return s.address(b.Path, (&url.URL{Path: b.Path}).EscapedPath(), query)
}
