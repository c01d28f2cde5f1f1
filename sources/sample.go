package sources

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Sample draws keys at random. Without a Sampler every key is read, and those
// whose hashes under the seed are the smallest are kept, which is uniform and
// without replacement whatever the keys are.
func (r *Reader) Sample(ctx context.Context, d *Dataset, q SampleRequest) (draw Draw, err error) {
	sampler, ok := r.source.(Sampler)
	if !ok || q.Keys <= 0 {
		return r.sampleAll(ctx, d, q)
	}
	readAll := false
	err = r.try(ctx, "sample", "sample "+d.Title(), func(ctx context.Context) error {
		draw, err = sampler.Sample(ctx, d, q)
		if readAll = errors.Is(err, ErrReadAll); readAll {
			return nil
		}
		return err
	})
	if err != nil {
		return Draw{}, err
	}
	if readAll {
		return r.sampleAll(ctx, d, q)
	}
	return draw, r.pace(ctx, len(draw.Keys))
}

// Recent returns the keys that changed last, the newest first; without a
// Recenter that is a final error.
func (r *Reader) Recent(ctx context.Context, d *Dataset, q RecentRequest) (keys []Key, err error) {
	recenter, ok := r.source.(Recenter)
	if !ok {
		return nil, Final(fmt.Errorf("source %s: find what changed last in %s: this kind of source cannot say", r.name, d.Title()))
	}
	err = r.try(ctx, "recent", "find what changed last in "+d.Title(), func(ctx context.Context) error {
		keys, err = recenter.Recent(ctx, d, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, r.pace(ctx, len(keys))
}

// sampleAll draws by reading every key.
func (r *Reader) sampleAll(ctx context.Context, d *Dataset, q SampleRequest) (Draw, error) {
	desc, err := r.Describe(ctx, d)
	if err != nil {
		return Draw{}, err
	}
	stream := r.Stream(d, ScanRequest{KeysOnly: true, InScopeOnly: true})
	kept := NewBottom(q.Keys, q.Seed)
	read := int64(0)
	for {
		page, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Draw{}, err
		}
		for i := range page.Records {
			if key := page.Records[i].Key; key.Whole() {
				read++
				if err := kept.Offer(key); err != nil {
					return Draw{}, Final(fmt.Errorf("source %s: sample %s: %w", r.name, d.Title(), err))
				}
			}
		}
	}
	draw := Draw{Keys: kept.Keys(), Method: "every key was read, and those with the smallest hashes kept"}
	switch {
	case !kept.overflowed:
		draw.Population = int64(len(draw.Keys))
	case desc.Unique && len(d.ID) == 0:
		draw.Population = read
	}
	return draw, nil
}

// Bottom keeps, of the keys it is offered, those with the smallest hashes under
// a seed: a draw without replacement in which each key, however often it is
// offered, is as likely as any other. Keys are told apart in canonical form.
type Bottom struct {
	seed       uint64
	most       int
	overflowed bool
	heap       hashedKeys
	held       map[uint64]bool
}

// NewBottom keeps at most so many keys.
func NewBottom(most int, seed uint64) *Bottom {
	return &Bottom{seed: seed, most: max(0, most), held: map[uint64]bool{}}
}

// Offer takes a whole key, which it copies if it keeps it.
func (b *Bottom) Offer(key Key) error {
	hash := hashOf(key, b.seed)
	full := len(b.heap) >= b.most
	if b.most == 0 || b.held[hash] || full && hash >= b.heap[0].hash {
		b.overflowed = b.overflowed || !b.held[hash]
		return nil
	}
	own, _, err := DecodeKey([]byte(key.Encode()), len(key)) // the key may lie in the memory of its whole page
	if err != nil {
		return fmt.Errorf("keep key %s: %w", key, err)
	}
	if full {
		b.overflowed = true
		delete(b.held, heap.Pop(&b.heap).(hashedKey).hash)
	}
	heap.Push(&b.heap, hashedKey{hash, own})
	b.held[hash] = true
	return nil
}

// Keys are the keys kept, in the order of their hashes.
func (b *Bottom) Keys() []Key {
	kept := slices.SortedFunc(slices.Values(b.heap), func(x, y hashedKey) int { return cmp.Compare(x.hash, y.hash) })
	keys := make([]Key, len(kept))
	for i := range kept {
		keys[i] = kept[i].key
	}
	return keys
}

// hashOf is a hash of a key's canonical form that nobody can foresee who does
// not know the seed.
func hashOf(key Key, seed uint64) uint64 {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 64), seed)
	for _, v := range key {
		b = Canonical(v).AppendEncoding(b)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

type hashedKey struct {
	hash uint64
	key  Key
}

// hashedKeys is a heap with the greatest hash first.
type hashedKeys []hashedKey

func (h hashedKeys) Len() int           { return len(h) }
func (h hashedKeys) Less(i, j int) bool { return h[i].hash > h[j].hash }
func (h hashedKeys) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hashedKeys) Push(x any)        { *h = append(*h, x.(hashedKey)) }
func (h *hashedKeys) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// AtMost bounds the pages that follow to so many records, unless more share a position.
func (s *Stream) AtMost(records int) {
	s.size.records = max(1, min(s.size.records, records))
	s.size.most = max(1, min(s.size.most, records))
}
