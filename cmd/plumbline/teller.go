package main

import (
	"fmt"
	"sync"
	"time"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/sources"
)

// teller tells how far a run is and why it waits: on a terminal as a line that
// is redrawn, elsewhere, so that a log of a job says why it stands still, once
// for each reason.
type teller struct {
	*cli
	progress terminal.Progress

	mu   sync.Mutex
	told map[string]bool
}

// worthTelling is how long a wait must be to be told where no line is redrawn,
// and mostTold how many are.
const (
	worthTelling = 500 * time.Millisecond
	mostTold     = 50
)

// hear takes the progress of a run.
func (t *teller) hear(p checks.Progress) {
	now := t.now()
	t.progress.Heard(p, now)
	if wait := p.Until.Sub(now); p.Phase == "settle" {
		edge := p.Check + " in " + p.Replica
		t.once(edge, wait, fmt.Sprintf("%s: waits %s for %s to settle", edge, wait.Round(time.Second), terminal.Plural(p.Suspects, "suspect")))
	}
}

// waits takes a pause of a reader.
func (t *teller) waits(w sources.Wait) {
	w.Reason = t.scrub(w.Reason)
	t.progress.Waits(w, t.now())
	t.once(w.Source+"\x00"+w.Reason, w.For, fmt.Sprintf("source %s: throttled %s: %s", w.Source, w.For.Round(100*time.Millisecond), w.Reason))
}

func (t *teller) once(about string, wait time.Duration, text string) {
	if t.console.Live() || wait < worthTelling {
		return
	}
	t.mu.Lock()
	again := t.told[about] || len(t.told) >= mostTold
	t.told[about] = true
	t.mu.Unlock()
	if !again {
		t.console.Note(text)
	}
}
