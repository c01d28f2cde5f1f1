package terminal

import (
	"fmt"
	"io"
	"plumbline/drift"
	"strings"
	"sync"
	"time"
)

// redrawEvery bounds how often the line of progress is redrawn.
const redrawEvery = 100 * time.Millisecond

// Console is where people are told things while a command works: notes, line by
// line, and, on a terminal, one line of progress below them that is redrawn in
// place. It is safe for many goroutines.
type Console struct {
	w       io.Writer
	live    bool // a terminal, so a line can be redrawn
	columns func() int

	mu   sync.Mutex
	line func(now time.Time) string // nil while nothing is in progress
	last string                     // as drawn; "" when the line is blank
	done chan struct{}
	idle chan struct{}
}

// NewConsole tells things on w. Progress is drawn only if live, at most columns() wide.
func NewConsole(w io.Writer, live bool, columns func() int) *Console {
	return &Console{w: w, live: live, columns: columns}
}

// Live says whether a line of progress is drawn.
func (c *Console) Live() bool { return c.live }

// Note tells text, made visible, as lines of its own.
func (c *Console) Note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blank()
	fmt.Fprintln(c.w, drift.Lines(text))
	if c.line != nil {
		c.draw(time.Now())
	}
}

// Start draws what line says, again and again, until Stop.
func (c *Console) Start(line func(now time.Time) string) {
	if !c.live {
		return
	}
	c.mu.Lock()
	c.line, c.done, c.idle = line, make(chan struct{}), make(chan struct{})
	c.mu.Unlock()
	go c.redraw(c.done, c.idle)
}

// Stop takes the line of progress away.
func (c *Console) Stop() {
	c.mu.Lock()
	done, idle := c.done, c.idle
	c.done = nil
	c.mu.Unlock()
	if done == nil {
		return
	}
	close(done)
	<-idle
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blank()
	c.line = nil
}

func (c *Console) redraw(done, idle chan struct{}) {
	defer close(idle)
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			c.mu.Lock()
			c.draw(now)
			c.mu.Unlock()
		}
	}
}

// draw draws the line where it changed. c.mu is held.
func (c *Console) draw(now time.Time) {
	text := drift.Shorten(drift.Visible(c.line(now)), max(10, c.columns()-1))
	if text == c.last {
		return
	}
	fmt.Fprint(c.w, "\r", text, strings.Repeat(" ", max(0, drift.Width(c.last)-drift.Width(text))))
	c.last = text
}

// blank clears the drawn line. c.mu is held.
func (c *Console) blank() {
	if c.last != "" {
		fmt.Fprint(c.w, "\r", strings.Repeat(" ", drift.Width(c.last)), "\r")
		c.last = ""
	}
}
