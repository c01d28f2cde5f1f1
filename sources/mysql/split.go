package mysql

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"plumbline/sources"
)

// Count returns the optimizer's estimate.
func (s *source) Count(ctx context.Context, d *sources.Dataset) (int64, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return 0, err
	}
	n, err := s.count(ctx, p)
	if err != nil {
		return 0, s.failed(p, err)
	}
	return n, nil
}

func (s *source) count(ctx context.Context, p *plan) (int64, error) {
	b := &builder{}
	conditions := p.every(b, false)
	if b.err != nil {
		return 0, b.err
	}
	steps, err := s.explain(ctx, "SELECT 1 FROM "+p.from+where(conditions))
	if err != nil {
		return 0, err
	}
	most := int64(0)
	for _, step := range steps {
		most = max(most, step.rows)
	}
	return most, nil
}

// Split proposes cuts of equal width between the least and the greatest key, where
// its first part is an integer, a time or a byte string and an index keeps its
// order. The server has no statistics of others that would come for nothing.
func (s *source) Split(ctx context.Context, d *sources.Dataset, parts int) ([]sources.Position, error) {
	p, err := s.planFor(ctx, d)
	if err != nil || parts < 2 || !p.cuttable() {
		return nil, err
	}
	cuts, err := s.cuts(ctx, p, parts)
	if err != nil {
		return nil, s.failed(p, err)
	}
	return cuts, nil
}

// cuttable says whether the first part's values have an arithmetic middle.
func (p *plan) cuttable() bool {
	if p.scanIndex == "" {
		return false
	}
	switch c := p.scanBy[0]; c.typ.family {
	case familyInt, familyBytes, familyDatetime, familyInstant:
		return c.indexed()
	}
	return false
}

func (s *source) cuts(ctx context.Context, p *plan, parts int) ([]sources.Position, error) {
	least, err := s.extreme(ctx, p, false)
	if err != nil || least == nil {
		return nil, err
	}
	greatest, err := s.extreme(ctx, p, true)
	if err != nil || greatest == nil {
		return nil, err
	}
	first := between(p.scanBy[0], least[0], greatest[0], parts)
	if len(p.scanBy) == 1 {
		cuts := make([]sources.Position, len(first))
		for i, v := range first {
			cuts[i] = sources.Position{v}
		}
		return cuts, nil
	}
	return s.complete(ctx, p, first)
}

// extreme asks an index for the least or greatest first part of a key.
func (p *plan) extreme(greatest bool) (*statement, error) {
	b := &builder{}
	c := p.scanBy[0]
	q := query{conditions: append(p.every(b, false), c.order()+" IS NOT NULL"), err: b.err, index: p.scanIndex}
	if q.err != nil {
		return nil, q.err
	}
	direction := ""
	if greatest {
		direction = " DESC"
	}
	return &statement{columns: p.scanBy[:1], text: fmt.Sprintf("SELECT %s FROM %s ORDER BY %s%s LIMIT 1", c.whole(), p.source(q), c.order(), direction)}, nil
}

// extreme is the least or greatest first part of a key; nil where there is none,
// or where it has no canonical form.
func (s *source) extreme(ctx context.Context, p *plan, greatest bool) (sources.Position, error) {
	st, err := p.extreme(greatest)
	if err != nil {
		return nil, err
	}
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, fmt.Errorf("read the least and the greatest %s: %w", p.scanBy[0].name, err)
	}
	if len(res.ends) == 0 || res.odd {
		return nil, nil
	}
	raw, _, _ := cutColumn(res.data)
	v, err := p.scanBy[0].form.decode(raw)
	if err != nil {
		return nil, fmt.Errorf("read the least and the greatest %s: %w", p.scanBy[0].name, err)
	}
	return sources.Position{v}, nil
}

// cutBytes is how many bytes of a byte string a cut is made of.
const cutBytes = 16

// between cuts what lies between two values of a column into parts of equal width.
func between(c *column, least, greatest sources.Value, parts int) (cuts []sources.Value) {
	low, high := measure(c, least), measure(c, greatest)
	width := new(big.Int).Sub(high, low)
	for i := 1; i < parts; i++ {
		at := new(big.Int).Mul(width, big.NewInt(int64(i)))
		at.Add(at.Div(at, big.NewInt(int64(parts))), low)
		if v, ok := valueAt(c, at); ok && at.Cmp(high) < 0 {
			cuts = append(cuts, v)
		}
	}
	return slices.CompactFunc(cuts, sources.Value.Equal)
}

// measure is where a value stands among those of its column.
func measure(c *column, v sources.Value) *big.Int {
	switch c.typ.family {
	case familyBytes:
		padded := make([]byte, cutBytes)
		copy(padded, v.AsText())
		return new(big.Int).SetBytes(padded)
	case familyDatetime, familyInstant:
		return big.NewInt(v.AsTime().UnixMicro())
	}
	n, ok := new(big.Int).SetString(v.String(), 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

// valueAt is the value that stands there; ok is false where other stores could
// not take it for a bound.
func valueAt(c *column, at *big.Int) (sources.Value, bool) {
	switch c.typ.family {
	case familyBytes:
		return sources.Bytes(at.FillBytes(make([]byte, cutBytes))), true
	case familyDatetime:
		return sources.NaiveTime(time.UnixMicro(at.Int64()).UTC(), 6), true
	case familyInstant:
		return sources.Time(time.UnixMicro(at.Int64()), 6), true
	}
	return sources.Int(at.Int64()), at.IsInt64()
}

// complete makes whole positions of their first parts: those of the first record
// after each, found by the index.
func (s *source) complete(ctx context.Context, p *plan, first []sources.Value) ([]sources.Position, error) {
	d := p.decoder(true)
	var cuts []sources.Position
	for _, v := range first {
		st, err := p.compose(p.scan(sources.Span{After: sources.Position{v}}, false, true), 1)
		if err != nil {
			return nil, err
		}
		res, err := s.run(ctx, st)
		if err != nil {
			return nil, fmt.Errorf("read the position after a cut of %s: %w", p.title(), err)
		}
		if len(res.ends) == 0 {
			break
		}
		cut, err := d.last(res)
		if err != nil {
			return nil, err
		}
		if n := len(cuts); n == 0 || !sources.Key(cuts[n-1]).Equal(sources.Key(cut)) {
			cuts = append(cuts, cut)
		}
	}
	return cuts, nil
}
