package http

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// getMany asks for keys by batch. Those that an answer leaves out are asked for
// again by themselves, until an answer has none of them: an API that gives at most
// so many records at once leaves none out that it has.
func (s *source) getMany(ctx context.Context, p *dataset, keys []asked) (*found, error) {
	out := &found{}
	for left := keys; len(left) > 0; {
		one, err := s.getBatch(ctx, p, left)
		if err != nil {
			return nil, err
		}
		out.records = append(out.records, one.records...)
		out.alive = out.alive || one.alive
		if len(one.absent) == len(left) || len(one.absent) == 0 {
			out.absent = one.absent
			break
		}
		left = one.absent
	}
	return out, nil
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
	out := &found{}
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
