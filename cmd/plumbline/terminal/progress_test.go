package terminal

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	scan := func(read int64) checks.Progress {
		return checks.Progress{Check: "prices", Replica: "basket", Phase: "scan", Read: read, Expected: 1_200_000}
	}
	for _, row := range []struct {
		name string
		tell func(*Progress)
		want string
	}{
		{"before anything", func(*Progress) {}, ""},
		{"planning", func(p *Progress) {
			p.Heard(checks.Progress{Check: "prices", Replica: "basket", Phase: "plan"}, at(0))
		}, "prices → basket  plan"},
		{"scanning", func(p *Progress) {
			p.Heard(scan(0), at(0))
			p.Heard(scan(300_000), at(4))
		}, "prices → basket  scan  █████░░░░░░░░░░░░░░░   25 %  300,000 of about 1,200,000 records  75,000/s  ETA 12 s"},
		{"told out of order", func(p *Progress) {
			p.Heard(scan(0), at(0))
			p.Heard(scan(600_000), at(3))
			p.Heard(scan(590_000), at(4))
		}, "prices → basket  scan  ██████████░░░░░░░░░░   50 %  600,000 of about 1,200,000 records  150,000/s  ETA 4.0 s"},
		{"more than expected", func(p *Progress) {
			p.Heard(scan(0), at(0))
			p.Heard(scan(1_300_000), at(4))
		}, "prices → basket  scan  ████████████████████  100 %  1,300,000 of about 1,200,000 records  325,000/s"},
		{"of unknown size", func(p *Progress) {
			p.Heard(checks.Progress{Check: "prices", Replica: "basket", Phase: "scan", Read: 10}, at(0))
		}, "prices → basket  scan  10 records"},
		{"settling", func(p *Progress) {
			p.Heard(checks.Progress{Check: "prices", Replica: "basket", Phase: "settle", Suspects: 413, Until: at(8)}, at(0))
		}, "prices → basket  settle  waits 4.0 s for 413 suspects to settle"},
		{"confirming", func(p *Progress) {
			p.Heard(checks.Progress{Check: "prices", Replica: "basket", Phase: "confirm", Suspects: 1, Judged: 1}, at(0))
		}, "prices → basket  confirm  1 suspect read again"},
		{"throttled", func(p *Progress) {
			p.Heard(checks.Progress{Check: "prices", Replica: "basket", Phase: "plan"}, at(0))
			p.Waits(sources.Wait{Source: "catalog", Reason: "100 records/s allowed", For: 1200 * time.Millisecond}, at(3.5))
		}, "prices → basket  plan  (throttled 1.2 s: catalog: 100 records/s allowed)"},
		{"no longer throttled", func(p *Progress) {
			p.Heard(checks.Progress{Check: "prices", Replica: "basket", Phase: "plan"}, at(0))
			p.Waits(sources.Wait{Source: "catalog", Reason: "100 records/s allowed", For: time.Second}, at(2))
		}, "prices → basket  plan"},
	} {
		var p Progress
		row.tell(&p)
		if got := p.Line(at(4)); got != row.want {
			t.Errorf("%s: got\n%s\nwant\n%s", row.name, got, row.want)
		}
	}
}

// On a terminal the line is redrawn in place, at most ten times a second, makes
// room for notes and is gone in the end.
func TestConsoleRedrawsInPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		draws := 0
		console := NewConsole(&out, true, func() int { return 20 })
		began := time.Now()
		console.Start(func(now time.Time) string {
			draws++
			if now.Sub(began) < time.Second {
				return "scanning\x1b a very long line"
			}
			return "done"
		})
		<-time.After(1050 * time.Millisecond)
		synctest.Wait()
		console.Note("a note")
		console.Stop()
		want := "\rscanning\\x1b a ver…" + "\rdone               " + "\r    \r" + "a note\n" + "\rdone" + "\r    \r"
		if out.String() != want {
			t.Errorf("got\n%q, want\n%q", out.String(), want)
		}
		if draws > 11 {
			t.Errorf("drew %d times in a second", draws)
		}
	})
}

func TestConsoleWithoutTerminalOnlyNotes(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	console := NewConsole(&out, false, nil)
	console.Start(func(time.Time) string { return "progress" })
	console.Note("one\ntwo\x1b")
	console.Stop()
	if out.String() != "one\ntwo\\x1b\n" {
		t.Errorf("got %q", out.String())
	}
}
