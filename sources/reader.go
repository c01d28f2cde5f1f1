package sources

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound what a Reader asks of a store.
type Limits struct {
	// Page is how long one page should take; pages size themselves to it. 0 means 500 ms.
	Page time.Duration
	// PageRecords fixes the page size instead; 0 lets pages size themselves.
	PageRecords int
	// RecordsPerSecond bounds reading over all pages; 0 means no bound.
	RecordsPerSecond int
	// MaxLag and MaxActive are the replication lag and the number of others' active
	// statements beyond which reading waits; 0 is off.
	MaxLag    time.Duration
	MaxActive int
	// Statement is the store's own statement timeout; a read is given up a little later. 0 means 30 s.
	Statement time.Duration
	// Attempts is how often a failed read is tried in all; 0 means 6.
	Attempts int
	// Backoff is the wait before the second attempt, doubled for each further one. 0 means 100 ms.
	Backoff time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Page == 0 {
		l.Page = 500 * time.Millisecond
	}
	if l.Statement == 0 {
		l.Statement = 30 * time.Second
	}
	if l.Attempts == 0 {
		l.Attempts = 6
	}
	if l.Backoff == 0 {
		l.Backoff = 100 * time.Millisecond
	}
	return l
}

// Wait is a pause a Reader made, and why.
type Wait struct {
	Source string
	Cause  string // one of the causes below
	Reason string // in words, which may be a store's own
	For    time.Duration
}

// The causes of a Wait.
const (
	WaitRate    = "rate"    // as many records a second as are allowed were read
	WaitRetry   = "retry"   // a read failed and is tried again
	WaitLag     = "lag"     // replication is further behind than Limits.MaxLag
	WaitActive  = "active"  // more statements of others are active than Limits.MaxActive
	WaitCircuit = "circuit" // the source failed so often that it is left alone for a while
)

// Query is one thing that a store was asked, and how it went.
type Query struct {
	Source string
	Op     string // scan | lookup | describe | count | split | sample | recent | gauge | schema | explain | probe | preflight | look | write
	Took   time.Duration
	Err    error
}

// Capabilities say what an adapter offers beyond Lookup.
type Capabilities struct {
	Scan, Split, Count, Describe, Explain, Probe, Write, Sample, Recent, Gauge, Shape bool
}

// Reader stands around an adapter and gives every read what it must have: pages
// sized to the page time, a deadline, retries with back-off, a rate, and errors
// that say which source and what was read. It is safe for many goroutines.
type Reader struct {
	name    string
	source  Source
	limits  Limits
	limiter *rate.Limiter
	onWait  func(Wait)
	onQuery func(Query)
	guard   *guard
	scans   *sizes // shared by copies of the reader
	// patience is how long a read waits for the store's load to fall; 0 is for ever.
	patience time.Duration
}

// NewReader makes a Reader; onWait, which may be nil, hears of every pause.
func NewReader(name string, source Source, limits Limits, onWait func(Wait)) *Reader {
	r := &Reader{name: name, source: source, limits: limits.withDefaults(), onWait: onWait, guard: newGuard(source, limits), scans: &sizes{}}
	if n := limits.RecordsPerSecond; n > 0 {
		r.limiter = rate.NewLimiter(rate.Limit(n), n)
	}
	return r
}

// OnQuery has each thing that the store is asked told to heard, which must not
// block. It is called before the first read.
func (r *Reader) OnQuery(heard func(Query)) { r.onQuery = heard }

func (r *Reader) asked(op string, began time.Time, err error) {
	if r.onQuery != nil {
		r.onQuery(Query{Source: r.name, Op: op, Took: time.Since(began), Err: err})
	}
}

// Heard is the same Reader, whose pauses hear is told of too: those of whoever
// reads through it, among all who share the source.
func (r *Reader) Heard(hear func(Wait)) *Reader {
	own, onWait := *r, r.onWait
	own.onWait = func(w Wait) {
		if onWait != nil {
			onWait(w)
		}
		hear(w)
	}
	return &own
}

// Name is the source's name in the configuration.
func (r *Reader) Name() string { return r.name }

// Close closes the source.
func (r *Reader) Close() error { return r.source.Close() }

// Capabilities says what the adapter offers.
func (r *Reader) Capabilities() (c Capabilities) {
	_, c.Scan = r.source.(Scanner)
	_, c.Split = r.source.(Splitter)
	_, c.Count = r.source.(Counter)
	_, c.Describe = r.source.(Describer)
	_, c.Explain = r.source.(Explainer)
	_, c.Probe = r.source.(Prober)
	_, c.Write = r.source.(Writer)
	_, c.Sample = r.source.(Sampler)
	_, c.Recent = r.source.(Recenter)
	_, c.Gauge = r.source.(Gauger)
	_, c.Shape = r.source.(Shaper)
	return c
}

// Describe returns what the store declares; without a Describer, that nothing is known.
func (r *Reader) Describe(ctx context.Context, d *Dataset) (desc Description, err error) {
	describer, ok := r.source.(Describer)
	if !ok {
		return Description{ScanBy: d.Key}, nil
	}
	err = r.try(ctx, "describe", "describe "+d.Title(), func(ctx context.Context) error {
		desc, err = describer.Describe(ctx, d)
		return err
	})
	return desc, err
}

// Count returns the store's estimate of a dataset's records; ok is false where it has none.
func (r *Reader) Count(ctx context.Context, d *Dataset) (n int64, ok bool, err error) {
	counter, ok := r.source.(Counter)
	if !ok {
		return 0, false, nil
	}
	err = r.try(ctx, "count", "count "+d.Title(), func(ctx context.Context) error {
		n, err = counter.Count(ctx, d)
		return err
	})
	return n, err == nil && n > 0, err
}

// Split returns cut points for about parts spans; none where the adapter has no way.
func (r *Reader) Split(ctx context.Context, d *Dataset, parts int) (cuts []Position, err error) {
	splitter, ok := r.source.(Splitter)
	if !ok || parts < 2 {
		return nil, nil
	}
	err = r.try(ctx, "split", "split "+d.Title(), func(ctx context.Context) error {
		cuts, err = splitter.Split(ctx, d, parts)
		return err
	})
	return cuts, err
}

// Explain returns the statements a run would send; none where the adapter cannot say.
func (r *Reader) Explain(ctx context.Context, d *Dataset) (statements []Statement, err error) {
	explainer, ok := r.source.(Explainer)
	if !ok {
		return nil, nil
	}
	err = r.try(ctx, "explain", "explain "+d.Title(), func(ctx context.Context) error {
		statements, err = explainer.Explain(ctx, d)
		return err
	})
	return statements, err
}

// Probe reaches the server once, without retries, and returns what it says of
// itself and how long it took.
func (r *Reader) Probe(ctx context.Context) (facts Facts, took time.Duration, err error) {
	prober, ok := r.source.(Prober)
	if !ok {
		return Facts{}, 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.limits.Statement)
	defer cancel()
	began := time.Now()
	err = contained(ctx, func(ctx context.Context) (err error) {
		facts, err = prober.Probe(ctx)
		return err
	})
	r.asked("probe", began, err)
	if err != nil {
		err = fmt.Errorf("source %s: probe: %w", r.name, err)
	}
	return facts, time.Since(began), err
}

// Lookup reads every record of keys and hands it on page by page, each page
// once. It returns the first error of a read or of each.
func (r *Reader) Lookup(ctx context.Context, d *Dataset, keys []Key, each func(*Page) error) error {
	size := newSizer(r.limits, 1000)
	for len(keys) > 0 {
		batch := keys[:min(len(keys), size.records)]
		var after Position
		for done := false; !done; {
			var page Page
			records := max(size.records, len(batch)) // one key may have many copies
			err := r.read(ctx, "lookup", "look up "+d.Title(), size, &page, func(ctx context.Context) (err error) {
				page, err = r.source.Lookup(ctx, d, batch, after, Limit{Records: 2 * records, Bytes: pageBytes})
				return err
			})
			if err != nil {
				return err
			}
			if err := each(&page); err != nil {
				return err
			}
			after, done = page.Next, page.Done
		}
		keys = keys[len(batch):]
	}
	return nil
}

// Stream reads a span page by page.
type Stream struct {
	reader  *Reader
	dataset *Dataset
	request ScanRequest
	size    *sizer
	done    bool
}

// Stream starts reading the span of request; its Limit is the stream's own
// business. Without a Scanner the first Next is a final error.
func (r *Reader) Stream(d *Dataset, request ScanRequest) *Stream {
	return &Stream{reader: r, dataset: d, request: request, size: r.scans.recall(d, newSizer(r.limits, maxPageRecords))}
}

// Probe makes the next page a single record: enough to see whether there is any.
func (s *Stream) Probe() { s.size = &sizer{records: 1, most: 1, fixed: true} }

// Expect says that the span likely holds n records: where a page holds as many, it
// may hold a few more, so that the store can tell that the span ends with it.
func (s *Stream) Expect(n int) {
	if !s.size.fixed && n <= s.size.records {
		s.size.records = max(s.size.records, n+n/50+1)
	}
}

// Next returns the next page, which may be empty, or io.EOF after the last.
// After an error of the store Next may be called again and reads on where it stood.
func (s *Stream) Next(ctx context.Context) (page *Page, err error) {
	if s.done {
		return nil, io.EOF
	}
	scanner, ok := s.reader.source.(Scanner)
	if !ok {
		return nil, Final(fmt.Errorf("source %s: scan %s: this kind of source can only look keys up", s.reader.name, s.dataset.Title()))
	}
	page = &Page{}
	err = s.reader.read(ctx, "scan", "scan "+s.dataset.Title(), s.size, page, func(ctx context.Context) (err error) {
		s.request.Limit = Limit{Records: s.size.records, Bytes: pageBytes}
		*page, err = scanner.Scan(ctx, s.dataset, s.request)
		return err
	})
	s.reader.scans.note(s.dataset, s.size)
	if err != nil {
		return nil, err
	}
	s.done = page.Done
	s.request.After = page.Next
	return page, nil
}

// read does one page: paced, retried, timed, and learned from.
func (r *Reader) read(ctx context.Context, op, what string, size *sizer, page *Page, do func(context.Context) error) error {
	err := r.try(ctx, op, what, func(ctx context.Context) error {
		began := time.Now()
		err := do(ctx)
		if err == nil {
			page.Began, page.Ended = began, time.Now()
			size.learn(page.Ended.Sub(began), page.Len(), page.Size)
		} else if FailureOf(err) == FailureTimeout {
			size.shrink()
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := r.wait(ctx, WaitActive, r.guard.rest(op, page.Ended.Sub(page.Began)), "giving way to statements of others"); err != nil {
		return err
	}
	return r.pace(ctx, page.Len())
}

// pace waits until n more records are within the rate.
func (r *Reader) pace(ctx context.Context, n int) error {
	if r.limiter == nil || n == 0 {
		return nil
	}
	for ; n > 0; n -= r.limiter.Burst() {
		reservation := r.limiter.ReserveN(time.Now(), min(n, r.limiter.Burst()))
		if err := r.wait(ctx, WaitRate, reservation.Delay(), fmt.Sprintf("%d records/s allowed", r.limits.RecordsPerSecond)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) wait(ctx context.Context, cause string, d time.Duration, reason string) error {
	if d <= 0 {
		return nil
	}
	if r.onWait != nil {
		r.onWait(Wait{Source: r.name, Cause: cause, Reason: reason, For: d})
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
