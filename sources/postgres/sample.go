package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"plumbline/sources"
)

// mostHashed is how many records one statement may read to draw from. From more
// the keys are read in pages, which can wait for the store.
const mostHashed = 5_000_000

// mostExpected is for how many keys of a draw room is made beforehand: more may
// be asked for than there are.
const mostExpected = 10_000

// Sample draws integers between the least and the greatest key, and keeps those
// that are one; where they lie far apart, and of other keys, those with the
// smallest hashes under the seed.
func (s *source) Sample(ctx context.Context, d *sources.Dataset, q sources.SampleRequest) (sources.Draw, error) {
	p, err := s.keysAlone(ctx, d)
	if err != nil {
		return sources.Draw{}, err
	}
	draw, err := s.sample(ctx, p, q)
	if err != nil {
		return sources.Draw{}, s.failed(p, err)
	}
	return draw, nil
}

// keysAlone is the plan of a dataset's keys without its id and fields.
func (s *source) keysAlone(ctx context.Context, d *sources.Dataset) (*plan, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return nil, err
	}
	keys := p.bare.Load()
	if keys == nil {
		keys = bare(d)
		p.bare.Store(keys)
	}
	return s.planFor(ctx, keys)
}

func bare(d *sources.Dataset) *sources.Dataset {
	keys := *d
	keys.ID, keys.Fields, keys.DeletedWhen = nil, nil, ""
	return &keys
}

func (s *source) sample(ctx context.Context, p *plan, q sources.SampleRequest) (draw sources.Draw, err error) {
	estimate, err := s.Count(ctx, p.dataset)
	if err != nil {
		return draw, err
	}
	if p.unique && p.keyIndex != "" && p.keys == 1 && p.boundsStatement() != nil {
		in := sources.Integers{Estimate: estimate}
		some := false
		if in.Least, in.Greatest, some, err = s.extremes(ctx, p); err != nil {
			return draw, err
		}
		if some {
			draw.Keys, err = sources.SampleIntegers(ctx, s, p.dataset, q, in)
			draw.Method = "integers drawn between the least and the greatest key, of which those were kept that are one"
		}
		if err != nil && !errors.Is(err, sources.ErrReadAll) {
			return draw, err
		}
	}
	if draw.Keys == nil {
		if estimate > mostHashed {
			return draw, sources.ErrReadAll
		}
		draw.Keys, err = s.hashed(ctx, p, q, estimate)
		draw.Method = "the keys with the smallest hashes"
	}
	switch {
	case err != nil:
		return draw, err
	case len(draw.Keys) < q.Keys:
		draw.Population = int64(len(draw.Keys))
	case p.unique && estimate <= mostHashed:
		draw.Population, err = s.population(ctx, p)
	}
	return draw, err
}

// inScope writes the conditions on rows that a draw is of.
func (p *plan) inScope(b *builder) string {
	conditions := p.every(b, true)
	for _, c := range p.scanBy {
		if !c.notNull {
			conditions = append(conditions, ident(c.name)+" IS NOT NULL")
		}
	}
	if len(conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conditions, " AND ")
}

// population counts the keys in scope of a table in which no two records share one.
func (s *source) population(ctx context.Context, p *plan) (int64, error) {
	b := &builder{}
	text := "SELECT count(*) FROM " + p.from + p.inScope(b)
	if b.err != nil {
		return 0, b.err
	}
	res, err := s.run(ctx, &statement{text: text, params: b.params, formats: []int16{formatBinary}})
	if err != nil {
		return 0, fmt.Errorf("count the keys of %s: %w", p.title(), err)
	}
	n, _, _ := cutColumn(res.data)
	return int64(binary.BigEndian.Uint64(n)), nil
}

// hashed reads the keys with the smallest hashes. Where records may share a key,
// only those of a share of all hashes are told apart, and of a larger share where
// that had too few keys.
func (s *source) hashed(ctx context.Context, p *plan, q sources.SampleRequest, estimate int64) (keys []sources.Key, err error) {
	share := 1.0
	if !p.unique {
		share = min(1, 4*float64(q.Keys)/float64(max(estimate, 1)))
	}
	for {
		st, err := p.hashStatement(q, share)
		if err != nil {
			return nil, err
		}
		if keys, err = s.keys(ctx, p, st); err != nil {
			return nil, fmt.Errorf("draw keys of %s: %w", p.title(), err)
		}
		if share == 1 || len(keys) >= q.Keys {
			return keys, nil
		}
		share = min(1, share*max(2, 2*float64(q.Keys)/float64(len(keys)+1)))
	}
}

// hashName is the name of a key's hash, which is no column's.
const hashName = `"plumbline: hash of the key"`

func (p *plan) hashStatement(q sources.SampleRequest, share float64) (*statement, error) {
	b := &builder{}
	st := &statement{expect: min(q.Keys, mostExpected)}
	list := p.keyList(st)
	hash := b.arg(param{text: strconv.FormatInt(int64(q.Seed), 10), typ: oidInt8})
	for _, c := range p.scanBy {
		switch {
		case c.typ.oid == oidUUID:
			hash = fmt.Sprintf("uuid_hash_extended(%s, %s)", ident(c.name), hash)
		case !known(c.typ):
			hash = fmt.Sprintf(`hashtextextended(%s COLLATE "C", %s)`, outputOf(ident(c.name)), hash)
		default:
			hash = fmt.Sprintf(`hashtextextended(%s::text COLLATE "C", %s)`, ident(c.name), hash)
		}
	}
	from := p.from + p.inScope(b)
	if !p.unique {
		within := ""
		if share < 1 {
			most := math.MinInt64 + int64(uint64(share*(1<<63))<<1)
			within = " WHERE " + hashName + " < " + b.arg(param{text: strconv.FormatInt(most, 10), typ: oidInt8})
		}
		from = fmt.Sprintf("(SELECT DISTINCT %s, %s FROM (SELECT %s, %s AS %s FROM %s OFFSET 0) AS hashed%s) AS keys",
			list, hashName, list, hash, hashName, from, within)
		hash = hashName
	}
	st.text, st.params = fmt.Sprintf("SELECT %s FROM %s ORDER BY %s LIMIT %d", list, from, hash, q.Keys), b.params
	return st, b.err
}

// keyList writes the columns of the key, and what they are on the wire.
func (p *plan) keyList(st *statement) string {
	var out []string
	for _, c := range p.scanBy[:p.keys] {
		out = append(out, ident(c.name))
		st.formats, st.types = append(st.formats, c.form.format), append(st.types, c.form.oid)
	}
	st.keep = p.keys
	return strings.Join(out, ", ")
}

// keys runs a statement that selects keyList and returns the distinct keys.
func (s *source) keys(ctx context.Context, p *plan, st *statement) ([]sources.Key, error) {
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, err
	}
	var keys []sources.Key
	seen := make(map[string]bool, len(res.ends))
	start := 0
	for _, end := range res.ends {
		row := res.data[start:end]
		start = end
		key := make(sources.Key, p.keys)
		for i := range key {
			var raw []byte
			var null bool
			if raw, row, null = cutColumn(row); null {
				return nil, fmt.Errorf("part %s of a key is null", p.scanBy[i].name)
			}
			if key[i], err = p.scanBy[i].form.decode(raw); err != nil {
				return nil, fmt.Errorf("read %s: %w", p.scanBy[i].name, err)
			}
		}
		if encoded := canonical(key); !seen[encoded] {
			seen[encoded] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Recent reads an index on the field from its end. Without one the server would
// read and sort the whole table, so it is not asked.
func (s *source) Recent(ctx context.Context, d *sources.Dataset, q sources.RecentRequest) ([]sources.Key, error) {
	dated := bare(d)
	dated.Fields = []string{q.By}
	p, err := newPlan(ctx, s, dated)
	if err != nil {
		return nil, err
	}
	by := p.columns[len(p.columns)-1]
	if p.fields[0].path != "" {
		return nil, sources.Final(fmt.Errorf("%s is inside a JSON column: name a column that says when a record changed", q.By))
	}
	st, err := p.recentStatement(by, q)
	if err != nil {
		return nil, err
	}
	served, err := s.serves(ctx, p, by, st)
	if err == nil && !served {
		err = sources.ErrUnindexed
	}
	if err != nil {
		return nil, err
	}
	keys, err := s.keys(ctx, p, st)
	if err != nil {
		return nil, s.failed(p, fmt.Errorf("find what changed last in %s: %w", p.title(), err))
	}
	return keys, nil
}

func (p *plan) recentStatement(by *column, q sources.RecentRequest) (*statement, error) {
	b := &builder{}
	st := &statement{expect: min(q.Keys, mostExpected)}
	list := p.keyList(st)
	where, name := p.inScope(b), ident(by.name)
	word := " AND "
	if where == "" {
		word = " WHERE "
	}
	where += word + name + " IS NOT NULL"
	if !q.Since.IsZero() {
		since, ok := sources.Time(q.Since, 6), by.typ.oid == oidTimestamptz
		if by.typ.oid == oidTimestamp {
			since, ok = sources.NaiveTime(q.Since.UTC(), 6), true
		}
		if !ok {
			return nil, sources.Final(fmt.Errorf("%s is %s, and says nothing of when a record changed: since needs a timestamp", by.name, by.declared))
		}
		where += " AND " + name + " >= " + b.bound(by, since)
	}
	st.text = fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s DESC LIMIT %d", list, p.from, where, name, max(1, q.Keys))
	st.params = b.params
	return st, b.err
}

// serves says whether an index delivers the records by a column.
func (s *source) serves(ctx context.Context, p *plan, by *column, st *statement) (bool, error) {
	if p.table == nil || p.table.kind == "v" || p.table.inherited && p.table.kind != "p" {
		node, err := s.explain(ctx, st, "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
		if err != nil {
			return false, fmt.Errorf("explain what changed last in %s: %w", p.title(), err)
		}
		return !node.sorts(0), nil
	}
	indexes, err := indexesOf(ctx, s, p.table)
	if err != nil {
		return false, err
	}
	for _, x := range indexes {
		if x.orders([]*column{by}, p.scope) {
			return true, nil
		}
	}
	return false, nil
}
