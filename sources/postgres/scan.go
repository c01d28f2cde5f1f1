package postgres

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
	if p.table != nil && code(err) == "42501" {
		return fmt.Errorf("%w (reading %s)", err, p.table.title())
	}
	return err
}

func (s *source) scanPage(ctx context.Context, p *plan, r sources.ScanRequest) (sources.Page, error) {
	for _, bound := range []sources.Position{r.After, r.UpTo} {
		if len(bound) > len(p.scanBy) || bound != nil && len(bound) == 0 || !whole(bound) && len(bound) < len(p.scanBy) {
			return sources.Page{}, sources.Final(fmt.Errorf("position %s is none of %s", sources.Key(bound), p.title()))
		}
	}
	request := scanRequest{Span: r.Span, inScopeOnly: r.InScopeOnly, keysOnly: r.KeysOnly}
	limit := atLeastOne(r.Limit)
	out := &gathered{plan: p, decoder: p.decoder(r.KeysOnly), raw: r.Raw && p.deliversRaw() && !r.KeysOnly, limit: limit}
	out.page.Done = true
	if r.After == nil || whole(r.After) {
		if err := out.read(ctx, s, request, p.scan, !p.unique); err != nil {
			return sources.Page{}, err
		}
	}
	if p.nullable() && (r.UpTo == nil || !whole(r.UpTo)) && !out.more {
		if err := out.read(ctx, s, request, p.tail, true); err != nil {
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

// gathered is a page being put together from one statement or two.
type gathered struct {
	plan    *plan
	decoder *decoder
	raw     bool
	limit   sources.Limit

	page sources.Page
	more bool // the last statement had more to give
}

// read adds what a statement finds, within what is left of the limit.
func (g *gathered) read(ctx context.Context, s *source, r scanRequest, compose func(scanRequest) (*statement, error), ties bool) error {
	left := sources.Limit{Records: max(1, g.limit.Records-g.page.Len()), Bytes: max(1, g.limit.Bytes-g.page.Size)}
	res, more, err := s.fetch(ctx, left, ties, func(records int) (*statement, error) {
		r.records = records
		return compose(r)
	})
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
	if g.raw && res.big == nil && g.page.Len() == 0 {
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

// fetch runs the statement that compose writes for a number of records and
// returns its rows, whole positions only, and whether there are more. With ties
// the statement returns every row of its last position.
func (s *source) fetch(ctx context.Context, limit sources.Limit, ties bool, compose func(records int) (*statement, error)) (*result, bool, error) {
	st, err := compose(limit.Records)
	if err != nil {
		return nil, false, err
	}
	st.maxBytes = limit.Bytes
	if ties {
		st.maxRows = limit.Records + maxTies
	}
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, false, err
	}
	n := len(res.ends)
	if !ties || !res.stopped {
		return res, res.stopped || n >= limit.Records, nil
	}
	if n <= st.maxRows {
		// Too many bytes for one page: read again only as many rows as fit, and
		// all that share the last one's position.
		if st, err = compose(min(n, limit.Records)); err != nil {
			return nil, false, err
		}
		st.maxRows, st.maxKept = n+maxTies, limit.Bytes+maxTiedBytes
		if res, err = s.run(ctx, st); err != nil || !res.stopped {
			return res, true, err
		}
	}
	return nil, false, sources.Final(fmt.Errorf("more than %d records or %d MiB share one position; declare id: with the columns that tell them apart",
		maxTies, maxTiedBytes>>20))
}
