package http

import (
	"context"
	"errors"
	"net/http"

	"plumbline/sources"
)

const (
	// mostEmpty is how many pages in a row may hold nothing and name a next one.
	mostEmpty = 100
	// mostFetched is how many pages of the list make one page at most, however few of
	// their records exist for the dataset: reading goes on in time.
	mostFetched = 20
)

// errPosition is final: no later read will understand it.
var errPosition = errors.New("a position that this source did not make")

// listPlace is a position of a list: so many records into the page that a token
// leads to. Tour and print find the page again as it was: where neither does, it
// is read from its beginning, since a record that comes twice does less harm than
// one that never comes.
type listPlace struct {
	token  string
	offset int
	tour   int64
	print  int64
}

func (at listPlace) position() sources.Position {
	return sources.Position{sources.Text(at.token), sources.Int(int64(at.offset)), sources.Int(at.tour), sources.Int(at.print)}
}

func listPlaceOf(p sources.Position) (listPlace, error) {
	if len(p) == 0 {
		return listPlace{}, nil
	}
	if len(p) != 4 || p[0].Kind() != sources.KindText || p[1].AsInt() < 0 {
		return listPlace{}, sources.Final(errPosition)
	}
	return listPlace{p[0].AsText(), int(p[1].AsInt()), p[2].AsInt(), p[3].AsInt()}, nil
}

// Scan reads the list in its own order: the rest of one of its pages, as far as
// the limit goes.
func (s *source) Scan(ctx context.Context, d *sources.Dataset, r sources.ScanRequest) (sources.Page, error) {
	p, err := s.ready(d)
	if err != nil {
		return sources.Page{}, err
	}
	if p.list == nil {
		return sources.Page{}, sources.Final(errNoList)
	}
	at, err := listPlaceOf(r.After)
	if err != nil {
		return sources.Page{}, err
	}
	upTo, err := listPlaceOf(r.UpTo)
	if err != nil {
		return sources.Page{}, err
	}
	way, ok := s.tours.find(at.tour)
	if !ok || way.of != p {
		way = &tourOf{tour: newTour(), of: p, turn: make(chan struct{}, 1)}
		at.tour = s.tours.keep(way)
	}
	if err := way.enter(ctx); err != nil {
		return sources.Page{}, err
	}
	defer way.leave()
	if owed := way.owed; owed != nil {
		way.owed = nil
		return sources.Page{}, owed
	}
	page, err := s.scan(ctx, way, r, at, upTo)
	if err == nil && page.Done {
		s.tours.drop(at.tour)
	}
	return page, err
}

// scan fills a page from as many of the list's as it takes.
func (s *source) scan(ctx context.Context, way *tourOf, r sources.ScanRequest, at, upTo listPlace) (sources.Page, error) {
	p, page := way.of, sources.Page{}
	var told *readings
	if p.get == nil && p.batch == nil {
		told = s.readingsOf(p)
	}
	for taken, fetched := 0, 0; ; fetched++ {
		if r.UpTo != nil && at.token == upTo.token && at.offset == upTo.offset {
			page.Done = true
			return page, nil
		}
		if taken >= r.Records || taken > 0 && page.Size >= r.Bytes || fetched == mostFetched {
			page.Next = at.position()
			return page, nil
		}
		from, err := s.pageAt(ctx, p, way.tour, &at)
		if fetched > 0 && tooBusy(err) { // an API that allows so many requests at a time would else never let a page be filled
			way.owed, page.Next = err, at.position()
			return page, nil
		}
		if err != nil {
			return sources.Page{}, err
		}
		end := len(from.records)
		if r.UpTo != nil && upTo.token == at.token && upTo.offset >= at.offset && upTo.offset <= end {
			end = upTo.offset
		}
		for ; at.offset < end; at.offset++ {
			size := from.sizes[at.offset]
			if taken >= r.Records || taken > 0 && page.Size+size > r.Bytes {
				at.print = from.print
				page.Next = at.position()
				return page, nil
			}
			taken++
			page.Size += size
			if told != nil {
				told.note(canonical(from.records[at.offset].Key))
			}
			take(&page, from.records[at.offset], r)
		}
		if from.next == "" && end == len(from.records) {
			if err := s.ended(ctx, p, way.tour); err != nil {
				return sources.Page{}, err
			}
		}
		if end < len(from.records) || from.next == "" {
			page.Done = true
			return page, nil
		}
		at.token, at.offset, at.print = from.next, 0, 0
	}
}

// tooBusy says whether the service asks to be left alone for a while.
func tooBusy(err error) bool {
	var status *statusError
	return errors.As(err, &status) && (status.status == http.StatusTooManyRequests || status.status == http.StatusServiceUnavailable)
}

// take adds a record as far as it is asked for.
func take(page *sources.Page, record sources.Record, r sources.ScanRequest) {
	if r.InScopeOnly && record.OutOfScope {
		return
	}
	if r.KeysOnly {
		record.Fields = nil
	}
	page.Records = append(page.Records, record)
}

var errNoList = errors.New("the dataset declares no list: its records can only be looked up")

// tourOf is a tour that one reader at a time goes on.
type tourOf struct {
	*tour
	of   *dataset
	turn chan struct{}
	owed error // the service was too busy for the page that the next read begins with: read again when it says
}

func (t *tourOf) enter(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *tourOf) leave() { <-t.turn }

// pageAt is the page that a place is on: as the tour keeps it, else as it is now.
func (s *source) pageAt(ctx context.Context, p *dataset, t *tour, at *listPlace) (*listPage, error) {
	if t.latest != nil && t.latest.token == at.token && t.latest.print == at.print && at.offset > 0 {
		return t.latest, nil
	}
	page, err := s.tourPage(ctx, p, at.token)
	if err != nil {
		return nil, err
	}
	if err := t.visit(page, p.list); err != nil {
		return nil, err
	}
	if page.print != at.print {
		at.offset = 0
	}
	return page, nil
}
