package checks

import (
	"context"
	"fmt"
	"slices"

	"plumbline/sources"
)

// side is one side of an edge, ready to be read.
type side struct {
	role    Role
	reader  *sources.Reader
	dataset *sources.Dataset
	mine    []KeyForm
	other   []KeyForm
	types   []sources.FieldType // what the store declares of each key part
	facts   SideFacts
	shape   Shape
}

func newSide(role Role, reader *sources.Reader, d *sources.Dataset, mine, other []KeyForm) *side {
	return &side{role: role, reader: reader, dataset: d, mine: mine, other: other}
}

// learn asks the store what it declares and about how much it holds.
func (s *side) learn(ctx context.Context) error {
	s.facts.Capabilities = s.reader.Capabilities()
	if err := s.learnShape(ctx); err != nil {
		return err
	}
	desc, err := s.reader.Describe(ctx, s.dataset)
	if err != nil {
		return err
	}
	s.facts.Description = desc
	s.learnKinds()
	s.types = make([]sources.FieldType, len(s.dataset.Key))
	for i, name := range s.dataset.Key {
		s.types[i] = desc.Types[name]
	}
	s.facts.Estimate, _, err = s.reader.Count(ctx, s.dataset)
	return err
}

// canonical returns a record's key in canonical form. An error says why the
// record cannot be one of this check's, or could never be looked up again: its
// key is spelled otherwise than this side would be asked for it.
func (s *side) canonical(r *sources.Record) (sources.Key, error) {
	canonical, err := canonicalKey(r.Key, s.mine, s.other)
	if err != nil || !slices.ContainsFunc(s.mine, func(f KeyForm) bool { return f.As != sources.KindAbsent }) {
		return canonical, err
	}
	for _, asked := range nativeKeys(canonical, s.mine, s.other, s.types) {
		if sameKey(asked, r.Key) {
			return canonical, nil
		}
	}
	return nil, fmt.Errorf("key %s is spelled otherwise than %s, as it would be looked up", r.Key, canonical)
}

func sameKey(a, b sources.Key) bool {
	return slices.EqualFunc(a, b, func(v, w sources.Value) bool { return sources.Canonical(v).Equal(sources.Canonical(w)) })
}

// scattered says whether records that share a key may lie apart in the order of a scan.
func (s *side) scattered() bool {
	desc, n := s.facts.Description, len(s.dataset.Key)
	if desc.Unique || len(s.dataset.ID) > 0 {
		return false
	}
	return len(desc.ScanBy) < n || !slices.Equal(desc.ScanBy[:n], s.dataset.Key)
}

// lookup reads what this side holds for canonical keys and hands each record
// on with its canonical key. Records whose key turns out to be none of keys are dropped.
func (s *side) lookup(ctx context.Context, keys []sources.Key, each func(canonical string, r *sources.Record)) error {
	wanted := make(map[string]bool, len(keys))
	native := make([]sources.Key, 0, len(keys))
	for _, k := range keys {
		encoded := k.Encode()
		if wanted[encoded] {
			continue
		}
		wanted[encoded] = true
		native = append(native, nativeKeys(k, s.mine, s.other, s.types)...)
	}
	return s.reader.Lookup(ctx, s.dataset, native, func(p *sources.Page) error {
		for i := range p.Records {
			r := &p.Records[i]
			k, err := s.canonical(r)
			if err != nil {
				continue // not one of the keys asked for, whatever it is
			}
			if encoded := k.Encode(); wanted[encoded] {
				each(encoded, r)
			}
		}
		return nil
	})
}
