package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"

	"plumbline/sources"
)

// Count returns the planner's estimate, which scales the last count of rows by
// how much the table has grown since.
func (s *source) Count(ctx context.Context, d *sources.Dataset) (int64, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return 0, err
	}
	b := &builder{}
	text := "SELECT 1 FROM " + p.from
	for i, c := range b.scopeConditions(p.scope) {
		word := " AND "
		if i == 0 {
			word = " WHERE "
		}
		text += word + c
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := s.explain(ctx, &statement{text: text, params: b.params}, "")
	if err != nil {
		return 0, s.failed(p, err)
	}
	return int64(n.Rows), nil
}

// Split proposes cuts from the histogram that ANALYZE kept of the key's first
// part, or between the least and the greatest key, or of all uuids. It proposes
// none where no index serves a scan.
func (s *source) Split(ctx context.Context, d *sources.Dataset, parts int) ([]sources.Position, error) {
	p, err := s.planFor(ctx, d)
	if err != nil || parts < 2 || p.scanIndex == "" {
		return nil, err
	}
	cuts, err := s.cuts(ctx, p, parts)
	if err != nil {
		return nil, s.failed(p, err)
	}
	return cuts, nil
}

func (s *source) cuts(ctx context.Context, p *plan, parts int) ([]sources.Position, error) {
	known, err := s.statistics(ctx, p)
	if err != nil {
		return nil, err
	}
	first := spread(known, parts)
	t := p.scanBy[0].typ
	switch {
	case len(known) > parts:
	case t.oid == oidInt2 || t.oid == oidInt4 || t.oid == oidInt8:
		least, greatest, ok, err := s.extremes(ctx, p)
		if err != nil || !ok {
			return nil, err
		}
		first = between(least, greatest, parts)
	case t.oid == oidUUID:
		first = uuids(parts)
	}
	if len(p.scanBy) == 1 {
		cuts := make([]sources.Position, len(first))
		for i, v := range first {
			cuts[i] = sources.Position{v}
		}
		return cuts, nil
	}
	return s.complete(ctx, p, first)
}

// weighted is a value of the first part, and about which share of the rows lies
// between the one before and it.
type weighted struct {
	value sources.Value
	share float64
}

// statistics reads what ANALYZE kept of the first part's distribution, in its
// order; nothing where it kept nothing or our role may not see it.
func (s *source) statistics(ctx context.Context, p *plan) ([]weighted, error) {
	c := p.scanBy[0]
	if p.table == nil || c.typ.array == 0 || c.form.format != formatBinary {
		return nil, nil
	}
	names, err := s.texts(ctx, "SELECT format_type($1::oid, -1)", fmt.Sprint(c.typ.array))
	if err != nil {
		return nil, fmt.Errorf("name the type of %s: %w", c.name, err)
	}
	cast := "::text::" + names[0][0]
	order := "v"
	if c.collation.name != "" {
		order += " COLLATE " + c.collation.quoted
	}
	res, err := s.run(ctx, &statement{formats: []int16{formatBinary}, params: []param{{text: p.table.schema}, {text: p.table.name}, {text: c.name}},
		text: `WITH s AS (SELECT * FROM pg_stats WHERE schemaname = $1 AND tablename = $2 AND attname = $3 ORDER BY inherited DESC LIMIT 1)
			SELECT v, share FROM (
				SELECT unnest(most_common_vals` + cast + `) AS v, unnest(most_common_freqs)::float8 AS share FROM s
				UNION ALL SELECT h.v, greatest(0, 1 - null_frac - coalesce((SELECT sum(f) FROM unnest(most_common_freqs) AS f), 0))
					/ greatest(1, cardinality(histogram_bounds` + cast + `) - 1)
				FROM s, unnest(histogram_bounds` + cast + `) AS h(v)) AS x
			ORDER BY ` + order})
	if err != nil {
		return nil, fmt.Errorf("read the statistics of %s: %w", c.name, err)
	}
	known := make([]weighted, len(res.ends))
	start := 0
	for i, end := range res.ends {
		raw, rest, _ := cutColumn(res.data[start:end])
		share, _, _ := cutColumn(rest)
		start = end
		if known[i].value, err = c.form.decode(raw); err != nil {
			return nil, fmt.Errorf("read the statistics of %s: %w", c.name, err)
		}
		known[i].share = math.Float64frombits(binary.BigEndian.Uint64(share))
	}
	return known, nil
}

// spread picks the values behind each part of the rows.
func spread(known []weighted, parts int) (picked []sources.Value) {
	sum := 0.0
	for _, w := range known {
		sum += w.share
	}
	below := 0.0
	for i, w := range known {
		below += w.share
		if i < len(known)-1 && len(picked) < parts-1 && below*float64(parts) >= sum*float64(len(picked)+1) {
			picked = append(picked, w.value)
		}
	}
	return slices.CompactFunc(picked, sources.Value.Equal)
}

// boundsStatement asks an index for the least and greatest key; nil where the
// first part is no integer.
func (p *plan) boundsStatement() *statement {
	switch p.scanBy[0].typ.oid {
	case oidInt2, oidInt4, oidInt8:
	default:
		return nil
	}
	if p.scanIndex == "" {
		return nil
	}
	b := &builder{}
	c := ident(p.scanBy[0].name)
	text := fmt.Sprintf("SELECT min(%s)::int8, max(%s)::int8 FROM %s", c, c, p.from)
	for i, condition := range b.scopeConditions(p.scope) {
		word := " AND "
		if i == 0 {
			word = " WHERE "
		}
		text += word + condition
	}
	return &statement{text: text, params: b.params, formats: []int16{formatBinary}}
}

func (s *source) extremes(ctx context.Context, p *plan) (least, greatest int64, ok bool, err error) {
	res, err := s.run(ctx, p.boundsStatement())
	if err != nil {
		return 0, 0, false, fmt.Errorf("read the least and greatest %s: %w", p.scanBy[0].name, err)
	}
	low, rest, none := cutColumn(res.data)
	high, _, _ := cutColumn(rest)
	if none {
		return 0, 0, false, nil
	}
	return int64(binary.BigEndian.Uint64(low)), int64(binary.BigEndian.Uint64(high)), true, nil
}

// between cuts a range of integers into parts of equal width.
func between(least, greatest int64, parts int) []sources.Value {
	width := new(big.Int).Sub(big.NewInt(greatest), big.NewInt(least))
	var cuts []sources.Value
	for i := 1; i < parts; i++ {
		at := new(big.Int).Mul(width, big.NewInt(int64(i)))
		at.Add(at.Div(at, big.NewInt(int64(parts))), big.NewInt(least))
		cuts = append(cuts, sources.Int(at.Int64()))
	}
	return slices.CompactFunc(cuts, sources.Value.Equal)
}

// uuids cuts all uuids into parts of equal width.
func uuids(parts int) []sources.Value {
	all := new(big.Int).Lsh(big.NewInt(1), 128)
	cuts := make([]sources.Value, parts-1)
	for i := range cuts {
		at := new(big.Int).Mul(all, big.NewInt(int64(i+1)))
		var u [16]byte
		at.Div(at, big.NewInt(int64(parts))).FillBytes(u[:])
		cuts[i] = sources.UUID(u)
	}
	return cuts
}

// complete makes whole positions of their first parts: those of the first
// record at or after each, found by the index.
func (s *source) complete(ctx context.Context, p *plan, first []sources.Value) ([]sources.Position, error) {
	d := p.decoder(true)
	var cuts []sources.Position
	for _, v := range first {
		st, err := p.scan(scanRequest{Span: sources.Span{After: sources.Position{v}}, records: 1, keysOnly: true})
		if err != nil {
			return nil, err
		}
		res, err := s.run(ctx, st)
		if err != nil {
			return nil, fmt.Errorf("read the position after %s: %w", v, err)
		}
		if len(res.ends) == 0 {
			break
		}
		cut, err := d.last(&result{data: res.data, ends: res.ends[:1]})
		if err != nil {
			return nil, err
		}
		if n := len(cuts); n == 0 || !sources.Key(cuts[n-1]).Equal(sources.Key(cut)) {
			cuts = append(cuts, cut)
		}
	}
	return cuts, nil
}
