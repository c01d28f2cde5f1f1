package terminal

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// Progress turns what a run and its readers tell into one line. It is safe for
// many goroutines.
type Progress struct {
	mu      sync.Mutex
	now     checks.Progress
	samples []sample // of the last seconds, oldest first
	wait    sources.Wait
	waited  time.Time // when the wait will have ended
}

type sample struct {
	at   time.Time
	read int64
}

// rateOver is how far back the rate looks.
const rateOver = 5 * time.Second

// Heard takes what a run tells as of now.
func (p *Progress) Heard(told checks.Progress, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if told.Check != p.now.Check || told.Replica != p.now.Replica {
		p.samples = []sample{{now, told.Read}}
	}
	if told.Read < p.now.Read && told.Check == p.now.Check && told.Replica == p.now.Replica {
		told.Read = p.now.Read // told by several goroutines, out of order
	}
	p.now = told
	if last := p.samples[len(p.samples)-1]; now.Sub(last.at) >= redrawEvery {
		p.samples = append(p.samples, sample{now, told.Read})
	}
	for len(p.samples) > 2 && now.Sub(p.samples[0].at) > rateOver {
		p.samples = p.samples[1:]
	}
}

// Waits takes a pause that a reader makes.
func (p *Progress) Waits(w sources.Wait, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait, p.waited = w, now.Add(w.For)
}

// Line says how far the run is.
func (p *Progress) Line(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.now
	if t.Check == "" {
		return ""
	}
	words := []string{t.Check + " → " + t.Replica, t.Phase}
	switch t.Phase {
	case "scan":
		words = append(words, p.scanned()...)
	case "settle":
		words = append(words, fmt.Sprintf("waits %s for %s to settle", seconds(t.Until.Sub(now)), Plural(t.Suspects, "suspect")))
	case "confirm":
		words = append(words, fmt.Sprintf("%s read again", Plural(t.Judged, "suspect")))
	}
	if now.Before(p.waited) {
		words = append(words, fmt.Sprintf("(throttled %s: %s: %s)", seconds(p.wait.For), p.wait.Source, p.wait.Reason))
	}
	return strings.Join(words, "  ")
}

func (p *Progress) scanned() []string {
	t := p.now
	rate := p.rate()
	if t.Expected <= 0 {
		return append([]string{Count(t.Read) + " records"}, rateWords(rate)...)
	}
	share := min(1, float64(t.Read)/float64(t.Expected))
	words := []string{Bar(share), fmt.Sprintf("%3.0f %%", 100*share),
		fmt.Sprintf("%s of about %s records", Count(t.Read), Count(t.Expected))}
	words = append(words, rateWords(rate)...)
	if left := t.Expected - t.Read; rate > 0 && left > 0 {
		words = append(words, "ETA "+seconds(time.Duration(float64(left)/rate*float64(time.Second))))
	}
	return words
}

// rate is how many records a second were read lately.
func (p *Progress) rate() float64 {
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	if took := last.at.Sub(first.at); took > 0 {
		return float64(last.read-first.read) / took.Seconds()
	}
	return 0
}

func rateWords(rate float64) []string {
	if rate <= 0 {
		return nil
	}
	return []string{Count(int64(rate)) + "/s"}
}

// Bar draws a share.
func Bar(share float64) string {
	const cells = 20
	full := int(max(0, min(1, share)) * cells)
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}

// seconds writes d for a person who waits.
func seconds(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
