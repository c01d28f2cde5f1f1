package sources

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// gaugeEvery is how old a store's word on its load may be when a page is read,
	// gaugeAnew when reading waits for the load to fall.
	gaugeEvery = 500 * time.Millisecond
	gaugeAnew  = 250 * time.Millisecond
	// gaugeWithin bounds a gauge; one that failed is not repeated for gaugeFailed.
	gaugeWithin = time.Second
	gaugeFailed = 2 * time.Second
	// A standby whose gauges fail is taken to be as late as if it had stood still
	// since the last that did not, for as long.
	lateKnown = time.Minute
	// While others are at work, and for busyFor after they were seen to be, scanning
	// takes at most one part in giveWay of one connection's time: the rest is theirs.
	// A store at half of what it can do is often found idle for a moment.
	giveWay = 5
	busyFor = 15 * time.Second
	// breather is the piece in which reading waits for the load to fall.
	breather = 500 * time.Millisecond
)

// ThrottledError says that a patient Reader's patience is over: the store is too
// busy to be read now. Nothing failed, and nothing is lost.
type ThrottledError struct {
	Source string
	Cause  string // WaitLag or WaitActive
	Reason string
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("source %s: reading waits: %s", e.Source, e.Reason)
}

// Gauged is what a guard last heard of its store's load.
type Gauged struct {
	Load
	At  time.Time // zero where it was never asked
	Err error     // why it did not say
	// Cause and Reason say why reading waits since Since; "" where it does not.
	Cause, Reason string
	Since         time.Time
}

// guard stands before one store, for all Readers that share it: it asks how busy
// the store is, remembers how reads of it ended, and which have no answer yet.
type guard struct {
	gauger    Gauger // nil where the adapter has none, or nothing is limited
	maxLag    time.Duration
	maxActive int
	circuit   circuit
	watch     watch

	mu     sync.Mutex // guards what follows
	last   Gauged
	asking chan struct{} // closed when the gauge under way has ended; nil where none is
	busyAt time.Time     // when others were last seen at work
	restTo time.Time     // when the pages read so far are made up for
	// toldAt is when the gauge began that last said how busy the store is, and
	// shows as of when a standby showed everything then; zero where none is read.
	toldAt, shows time.Time
}

func newGuard(source Source, l Limits) *guard {
	g := &guard{maxLag: l.MaxLag, maxActive: l.MaxActive}
	if gauger, ok := source.(Gauger); ok && (l.MaxLag > 0 || l.MaxActive > 0) {
		g.gauger = gauger
	}
	return g
}

// gauged is the store's load, asked for anew where what is known is older than most.
// Whoever asks while another does waits for that answer.
func (g *guard) gauged(ctx context.Context, most time.Duration, told func(time.Time, error)) Gauged {
	if g.gauger == nil {
		return Gauged{}
	}
	for {
		g.mu.Lock()
		if g.last.Err != nil {
			most = gaugeFailed
		}
		if ctx.Err() != nil || !g.last.At.IsZero() && time.Since(g.last.At) < most {
			defer g.mu.Unlock()
			return g.last
		}
		if asking := g.asking; asking != nil {
			g.mu.Unlock()
			select {
			case <-asking:
			case <-ctx.Done():
			}
			continue
		}
		asking := make(chan struct{})
		g.asking = asking
		g.mu.Unlock()
		g.ask(ctx, told)
		close(asking)
	}
}

func (g *guard) ask(ctx context.Context, told func(time.Time, error)) {
	bounded, cancel := context.WithTimeout(ctx, gaugeWithin)
	defer cancel()
	began := time.Now()
	var load Load
	err := contained(bounded, func(ctx context.Context) (err error) {
		load, err = g.gauger.Gauge(ctx)
		return err
	})
	told(began, err)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking = nil
	if ctx.Err() != nil && err != nil { // whoever asked went away: that says nothing of the store
		return
	}
	now := time.Now()
	since := g.last.Since
	g.last = Gauged{Load: load, At: now, Err: err}
	if err == nil && load.Active > 0 {
		g.busyAt = now
	}
	if err == nil {
		g.toldAt, g.shows = began, time.Time{}
		if load.Standby && load.LagKnown {
			g.shows = began.Add(-load.Lag)
		}
	}
	if err != nil {
		g.last.Load = Load{Note: "the store did not say how busy it is: " + shorten(err.Error(), 200)}
	}
	if g.last.Cause, g.last.Reason = g.breach(&g.last.Load); g.last.Cause != "" {
		if g.last.Since = since; since.IsZero() {
			g.last.Since = now
		}
	}
}

// breach says which limit a load is over, and in what words; "" for none. What a
// store does not tell is over no limit.
func (g *guard) breach(l *Load) (cause, reason string) {
	switch {
	case g.maxLag > 0 && l.LagKnown && l.Lag > g.maxLag:
		return WaitLag, fmt.Sprintf("replication lag %s > %s", seconds(l.Lag), seconds(g.maxLag))
	case g.maxActive > 0 && l.Active > g.maxActive:
		return WaitActive, fmt.Sprintf("active queries %d > %d", l.Active, g.maxActive)
	}
	return "", ""
}

// seconds writes a duration as people do: to a tenth of a second.
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// rest is how long to read nothing after a page that took so long, where others
// are at work. Pages of a scan make up for each other too, however many segments
// are read side by side; a look-up makes up for itself alone.
func (g *guard) rest(op string, took time.Duration) time.Duration {
	if g.maxActive == 0 {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.busyAt.IsZero() || now.Sub(g.busyAt) > busyFor {
		return 0
	}
	own := (giveWay - 1) * took
	if op != "scan" {
		return own
	}
	if g.restTo.Before(now) {
		g.restTo = now
	}
	g.restTo = g.restTo.Add(own)
	return g.restTo.Sub(now)
}

// late is how far reads of a standby are behind at most: the lag it told, and all
// the time since, in which it may have stood still.
func (g *guard) late() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shows.IsZero() || time.Since(g.toldAt) > lateKnown {
		return 0
	}
	return time.Since(g.shows)
}

// known is what was last heard, without asking.
func (g *guard) known() Gauged {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}
