package mysql

import (
	"context"
	"fmt"

	"plumbline/sources"
)

const (
	// maxTies bounds how many rows may share one position, in records and bytes.
	maxTies      = 100_000
	maxTiedBytes = 64 << 20

	defaultRecords = 1000
)

// Scan reads one page of a span. Rows with a null in their key or id come last,
// after all others and by themselves. A bound of fewer values than ScanBy stands
// behind all rows that begin with them.
func (s *source) Scan(ctx context.Context, d *sources.Dataset, r sources.ScanRequest) (sources.Page, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return sources.Page{}, err
	}
	page, err := s.scanPage(ctx, p, r)
	if err != nil {
		return sources.Page{}, s.failed(p, err)
	}
	return page, nil
}

// failed makes the next read look at the catalogue again where it may have changed.
func (s *source) failed(p *plan, err error) error {
	if tableChanged(err) {
		s.forget(p.dataset)
	}
	return err
}

func (s *source) scanPage(ctx context.Context, p *plan, r sources.ScanRequest) (sources.Page, error) {
	for _, bound := range []sources.Position{r.After, r.UpTo} {
		if len(bound) > len(p.scanBy) || bound != nil && len(bound) == 0 || !whole(bound) && len(bound) < len(p.scanBy) {
			return sources.Page{}, sources.Final(fmt.Errorf("a position of %d values is none of %s", len(bound), p.title()))
		}
	}
	out := &gathered{plan: p, decoder: p.decoder(r.KeysOnly), raw: r.Raw && p.deliversRaw() && !r.KeysOnly, limit: atLeastOne(r.Limit)}
	out.page.Done = true
	if r.After == nil || whole(r.After) {
		if err := out.read(ctx, s, p.scan(r.Span, r.InScopeOnly, r.KeysOnly), !p.unique); err != nil {
			return sources.Page{}, err
		}
	}
	if p.nullable() && (r.UpTo == nil || !whole(r.UpTo)) && !out.more {
		if err := out.read(ctx, s, p.tail(r.Span, r.InScopeOnly, r.KeysOnly), true); err != nil {
			return sources.Page{}, err
		}
	}
	return out.page, nil
}

func atLeastOne(l sources.Limit) sources.Limit {
	if l.Records <= 0 {
		l.Records = defaultRecords
	}
	if l.Bytes <= 0 {
		l.Bytes = sources.MaxRecordSize
	}
	return l
}

// deliversRaw says whether undecoded rows are of the layout that sources.Raw asks for.
func (p *plan) deliversRaw() bool {
	d := p.dataset
	if d.Where != "" || d.DeletedWhen != "" || len(d.ID) > 0 {
		return false
	}
	for _, f := range p.fields {
		if f.path != "" {
			return false
		}
	}
	for _, c := range p.columns {
		if c.form.raw == "" {
			return false
		}
	}
	return true
}

// gathered is a page being put together from one query or two.
type gathered struct {
	plan    *plan
	decoder *decoder
	raw     bool
	limit   sources.Limit

	page sources.Page
	more bool // the last query had more to give
}

// left is what may still come into the page.
func (g *gathered) left() sources.Limit {
	return sources.Limit{Records: max(1, g.limit.Records-g.page.Len()), Bytes: max(1, g.limit.Bytes-g.page.Size)}
}

// read adds what a query finds, within what is left of the limit.
func (g *gathered) read(ctx context.Context, s *source, q query, ties bool) error {
	q.raw = g.raw
	res, more, err := s.fetch(ctx, g.plan, q, g.left(), ties)
	if err != nil {
		return err
	}
	return g.add(res, more)
}

func (g *gathered) add(res *result, more bool) error {
	g.more, g.page.Done = more, !more
	if len(res.ends) == 0 {
		return nil
	}
	var err error
	if g.page.Next, err = g.decoder.last(res); err != nil && more {
		return err
	}
	g.page.Size += len(res.data)
	if !g.decoder.keysOnly {
		g.plan.rowBytes.Store(int64(len(res.data)/len(res.ends) + 2))
	}
	if g.raw && res.big == nil && !res.odd && g.page.Len() == 0 {
		g.page.Raw = &sources.Raw{Data: res.data, Ends: res.ends, Keys: g.plan.keys, Decode: g.decoder.record}
		return nil
	}
	records, err := g.decoder.records(res)
	if err != nil {
		return err
	}
	return g.append(records)
}

// append adds decoded records to the page, which becomes a decoded one.
func (g *gathered) append(records []sources.Record) error {
	if raw := g.page.Raw; raw != nil {
		before, err := g.decoder.records(&result{data: raw.Data, ends: raw.Ends})
		if err != nil {
			return err
		}
		g.page.Raw, g.page.Records = nil, before
	}
	g.page.Records = append(g.page.Records, records...)
	return nil
}

// fetch runs a query and returns its rows, whole positions only, and whether there
// are more. With ties several rows may share a position: where a page would end
// among them, the server is asked for the position of its last row, and then for
// every row up to that.
func (s *source) fetch(ctx context.Context, p *plan, q query, limit sources.Limit, ties bool) (*result, bool, error) {
	if ties {
		return s.fetchTied(ctx, p, q, limit)
	}
	st, err := p.compose(q, limit.Records)
	if err != nil {
		return nil, false, err
	}
	st.maxBytes = limit.Bytes
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, false, err
	}
	return res, res.stopped || len(res.ends) >= limit.Records, nil
}

func (s *source) fetchTied(ctx context.Context, p *plan, q query, limit sources.Limit) (*result, bool, error) {
	records := limit.Records
	for bytes := limit.Bytes; ; bytes = limit.Bytes + maxTiedBytes {
		last, err := s.positionAt(ctx, p, q, records)
		if err != nil {
			return nil, false, err
		}
		page := q
		if last != nil {
			page = p.notBeyond(q, last)
		}
		st, err := p.compose(page, records+maxTies)
		if err != nil {
			return nil, false, err
		}
		st.expect, st.reserve, st.maxBytes = records, p.reserve(records, q.keysOnly), bytes
		res, err := s.run(ctx, st)
		switch {
		case err != nil:
			return nil, false, err
		case !res.stopped && len(res.ends) < records+maxTies:
			return res, last != nil, nil
		case bytes > limit.Bytes || !res.stopped:
			return nil, false, sources.Final(fmt.Errorf("more than %d records or %d MiB share one position; declare id: with the columns that tell them apart",
				maxTies, maxTiedBytes>>20))
		}
		// Too many bytes for one page: read again only as many rows as fit, and all
		// that share the last one's position.
		records = min(len(res.ends), records)
	}
}

// positionAt is the position of the last of so many rows; nil where there are fewer.
func (s *source) positionAt(ctx context.Context, p *plan, q query, records int) (sources.Position, error) {
	st, err := p.boundary(q, records)
	if err != nil {
		return nil, err
	}
	res, err := s.run(ctx, st)
	if err != nil || len(res.ends) == 0 {
		return nil, err
	}
	return p.decoder(true).last(res)
}
