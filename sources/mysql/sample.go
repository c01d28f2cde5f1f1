package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"plumbline/sources"
)

// mostHashed is about how many records one statement may read to draw from. From
// more the keys are read in pages, which can wait for the store.
const mostHashed = 2_000_000

// mostExpected is for how many keys of a draw room is made beforehand: more may
// be asked for than there are.
const mostExpected = 10_000

// Sample draws integers between the least and the greatest key, and keeps those
// that are one; where they lie far apart, and of other keys, those with the
// smallest hashes under the seed.
func (s *source) Sample(ctx context.Context, d *sources.Dataset, q sources.SampleRequest) (sources.Draw, error) {
	bare := keysAlone(d)
	p, err := newPlan(ctx, s, bare)
	if err != nil {
		return sources.Draw{}, err
	}
	draw, err := s.sample(ctx, p, q)
	if err != nil {
		return sources.Draw{}, s.failed(p, err)
	}
	return draw, nil
}

// keysAlone is a dataset without its id and fields.
func keysAlone(d *sources.Dataset) *sources.Dataset {
	keys := *d
	keys.ID, keys.Fields, keys.DeletedWhen = nil, nil, ""
	return &keys
}

func (s *source) sample(ctx context.Context, p *plan, q sources.SampleRequest) (draw sources.Draw, err error) {
	if !p.unique {
		return draw, sources.ErrReadAll
	}
	estimate, err := s.count(ctx, p)
	if err != nil {
		return draw, err
	}
	if draw.Keys, err = s.integers(ctx, p, q, estimate); err != nil && !errors.Is(err, sources.ErrReadAll) {
		return draw, err
	}
	draw.Method = "integers drawn between the least and the greatest key, of which those were kept that are one"
	if err != nil {
		if estimate > mostHashed {
			return sources.Draw{}, sources.ErrReadAll
		}
		draw.Method = "the keys with the smallest hashes"
		if draw.Keys, err = s.hashed(ctx, p, q); err != nil {
			return sources.Draw{}, err
		}
	}
	if len(draw.Keys) < q.Keys {
		draw.Population = int64(len(draw.Keys))
	} else if estimate <= mostHashed {
		draw.Population, err = s.population(ctx, p)
	}
	return draw, err
}

// integers draws by rejection where the key is one integer that an index finds;
// elsewhere it answers ErrReadAll.
func (s *source) integers(ctx context.Context, p *plan, q sources.SampleRequest, estimate int64) ([]sources.Key, error) {
	if p.keyIndex == "" || p.scanIndex == "" || len(p.scanBy) != 1 || p.scanBy[0].typ.family != familyInt || !p.scanBy[0].indexed() {
		return nil, sources.ErrReadAll
	}
	least, err := s.extreme(ctx, p, false)
	if err != nil {
		return nil, err
	}
	greatest, err := s.extreme(ctx, p, true)
	switch {
	case err != nil:
		return nil, err
	case least == nil || greatest == nil:
		return nil, nil
	case greatest[0].Kind() != sources.KindInt: // beyond 2^63
		return nil, sources.ErrReadAll
	}
	return sources.SampleIntegers(ctx, s, p.dataset, q, sources.Integers{Least: least[0].AsInt(), Greatest: greatest[0].AsInt(), Estimate: estimate})
}

// inScope are the conditions on the rows that a draw is of.
func (p *plan) inScope(b *builder) []string {
	conditions := p.every(b, true)
	for _, c := range p.scanBy {
		if !c.notNull {
			conditions = append(conditions, c.order()+" IS NOT NULL")
		}
	}
	return conditions
}

// population counts the keys in scope of a table in which no two records share one.
func (s *source) population(ctx context.Context, p *plan) (int64, error) {
	b := &builder{}
	conditions := p.inScope(b)
	if b.err != nil {
		return 0, b.err
	}
	rows, err := s.texts(ctx, "SELECT COUNT(*) FROM "+p.from+where(conditions))
	if err != nil {
		return 0, fmt.Errorf("count the keys of %s: %w", p.title(), err)
	}
	return strconv.ParseInt(rows[0][0], 10, 64)
}

// hashed reads the keys with the smallest hashes.
func (s *source) hashed(ctx context.Context, p *plan, q sources.SampleRequest) ([]sources.Key, error) {
	b := &builder{}
	parts := []string{hexBytes(strconv.FormatUint(q.Seed, 16))}
	for _, c := range p.scanBy {
		parts = append(parts, "CAST("+ident(c.name)+" AS BINARY)")
	}
	st := &statement{columns: p.scanBy, layout: &p.wire[1], expect: min(q.Keys, mostExpected)}
	var list []string
	for _, c := range p.scanBy {
		list = append(list, c.whole())
	}
	st.text = fmt.Sprintf("SELECT %s FROM %s ORDER BY SHA1(CONCAT_WS(x'00', %s)) LIMIT %d", strings.Join(list, ", "),
		p.from+where(p.inScope(b)), strings.Join(parts, ", "), q.Keys)
	if b.err != nil {
		return nil, b.err
	}
	keys, err := s.keys(ctx, p, st)
	if err != nil {
		return nil, fmt.Errorf("draw keys of %s: %w", p.title(), err)
	}
	return keys, nil
}

// keys runs a statement that selects the key and returns the distinct ones.
func (s *source) keys(ctx context.Context, p *plan, st *statement) ([]sources.Key, error) {
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, err
	}
	var keys []sources.Key
	d, seen, start := p.decoder(true), make(map[string]bool, len(res.ends)), 0
	for _, end := range res.ends {
		position, err := d.position(res.data[start:end])
		start = end
		if err != nil {
			return nil, err
		}
		key := sources.Key(position)
		if encoded := canonical(key); key.Whole() && !seen[encoded] {
			seen[encoded] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Recent reads an index on the field from its end. Without one the server would
// read and sort the whole table, so it is not asked.
func (s *source) Recent(ctx context.Context, d *sources.Dataset, q sources.RecentRequest) ([]sources.Key, error) {
	dated := keysAlone(d)
	dated.Fields = []string{q.By}
	p, err := newPlan(ctx, s, dated)
	if err != nil {
		return nil, err
	}
	by := p.columns[len(p.columns)-1]
	if p.fields[0].path != "" {
		return nil, sources.Final(fmt.Errorf("%s is inside a JSON column: name a column that says when a record changed", q.By))
	}
	ordering, err := s.orderingIndex(ctx, p, by)
	if err != nil {
		return nil, err
	}
	st, err := p.recent(by, ordering, q)
	if err != nil {
		return nil, err
	}
	if ordering == "" {
		steps, err := s.explain(ctx, st.text)
		if err != nil {
			return nil, s.failed(p, fmt.Errorf("explain what changed last in %s: %w", p.title(), err))
		}
		if p.base || len(steps) != 1 || steps[0].sorts() {
			return nil, sources.ErrUnindexed
		}
	}
	keys, err := s.keys(ctx, p, st)
	if err != nil {
		return nil, s.failed(p, fmt.Errorf("find what changed last in %s: %w", p.title(), err))
	}
	return keys, nil
}

// orderingIndex is an index that delivers a table's rows by a column; "" where
// there is none, and for views and queries.
func (s *source) orderingIndex(ctx context.Context, p *plan, by *column) (string, error) {
	if !p.base {
		return "", nil
	}
	indexes, err := indexesOf(ctx, s, p)
	if err != nil {
		return "", err
	}
	for _, x := range indexes {
		if x.orders([]*column{by}, p.scope) {
			return x.name, nil
		}
	}
	return "", nil
}

func (p *plan) recent(by *column, index string, q sources.RecentRequest) (*statement, error) {
	b := &builder{}
	conditions := append(p.inScope(b), by.order()+" IS NOT NULL")
	if !q.Since.IsZero() {
		since := sources.Time(q.Since, 6)
		switch by.typ.family {
		case familyInstant:
		case familyDatetime:
			since = sources.NaiveTime(q.Since.UTC(), 6)
		default:
			return nil, sources.Final(fmt.Errorf("%s is %s, and says nothing of when a record changed: since needs a timestamp or datetime", by.name, by.declared))
		}
		conditions = append(conditions, by.order()+" >= "+b.bound(by, since))
	}
	st := &statement{columns: p.scanBy, layout: &p.wire[1], expect: min(q.Keys, mostExpected)}
	var list []string
	for _, c := range p.scanBy {
		list = append(list, c.whole())
	}
	st.text = fmt.Sprintf("SELECT %s FROM %s ORDER BY %s DESC LIMIT %d", strings.Join(list, ", "),
		p.source(query{conditions: conditions, index: index}), by.order(), max(1, q.Keys))
	return st, b.err
}
