package sources

import (
	"fmt"
	"sync"
	"time"
)

const (
	// tripAfter is how many reads in a row must fail, over at least tripOver, for a
	// source to be left alone: a restart of a second or two is none of that.
	tripAfter = 5
	tripOver  = 3 * time.Second
	// A source is left alone for shortestRest at first, and twice as long each time
	// that it still does not answer, up to longestRest.
	shortestRest = 10 * time.Second
	longestRest  = 2 * time.Minute
)

// CircuitError says that a source was not asked: it failed so often that it is
// left alone for a while. It is transient.
type CircuitError struct {
	Source string
	Since  time.Time     // the first of the failures
	Rest   time.Duration // how long it is still left alone; 0 while one read tries it
	Err    error         // the last failure
}

func (e *CircuitError) Error() string {
	return fmt.Sprintf("source %s: left alone after read upon read failed: %s", e.Source, shorten(e.Err.Error(), 300))
}

// Unwrap returns the last failure.
func (e *CircuitError) Unwrap() error { return e.Err }

// circuit counts the reads of one store that fail in a row. Closed, it lets every
// read through; open, none; when its rest is over, one that tries the store.
type circuit struct {
	mu      sync.Mutex
	row     int       // failures since the last success
	since   time.Time // the first of them
	last    error
	rest    time.Duration // 0 where the circuit is closed
	until   time.Time
	probing bool
}

// enter lets a read through, as the one that tries the store where probe is set,
// or says why not.
func (c *circuit) enter(source string) (probe bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.rest == 0:
		return false, nil
	case c.probing, time.Now().Before(c.until):
		return false, c.open(source)
	}
	c.probing = true
	return true, nil
}

func (c *circuit) open(source string) *CircuitError {
	return &CircuitError{Source: source, Since: c.since, Rest: max(0, time.Until(c.until)), Err: c.last}
}

// state is why the source is left alone; nil where it is not.
func (c *circuit) state(source string) *CircuitError {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rest == 0 {
		return nil
	}
	return c.open(source)
}

// ended says how a read ended. What the store answered closes the circuit, an
// error that reading again cannot mend too: whoever says so is there. A read that
// was given up by whoever wanted it says nothing. It returns for how long the
// source is left alone from now on, 0 where nothing changed.
func (c *circuit) ended(probe bool, err error, givenUp bool) (rest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if probe {
		c.probing = false
	}
	switch {
	case givenUp:
	case err == nil, FailureOf(err) == FailureFinal:
		c.row, c.rest, c.last = 0, 0, nil
	default:
		return c.failed(probe, err)
	}
	return 0
}

func (c *circuit) failed(probe bool, err error) (rest time.Duration) {
	now := time.Now()
	if c.row == 0 {
		c.since = now
	}
	c.row++
	c.last = err
	switch {
	case probe:
		c.rest = min(2*c.rest, longestRest)
	case c.rest == 0 && c.row >= tripAfter && now.Sub(c.since) >= tripOver:
		c.rest = shortestRest
	default:
		return 0
	}
	c.until = now.Add(c.rest)
	return c.rest
}
