package web

import (
	"fmt"
	"time"

	"plumbline/ledger"
)

// strip is an edge's last 24 hours, a cell for each part of them.
type strip struct {
	Words string
	Cells []cell
	Tall  bool
}

type cell struct{ Class, Title string }

// severity orders what a bucket's worst run came to.
func severity(result string) int {
	switch result {
	case "clean":
		return 1
	case "incomplete":
		return 2
	case "error":
		return 3
	case "drift":
		return 4
	}
	return 0
}

// stripOf draws the 24 hours before now from an edge's buckets, in so many cells.
func stripOf(buckets []ledger.Bucket, now time.Time, cells int) strip {
	each := 24 * time.Hour / time.Duration(cells)
	// Cells begin at whole multiples, so that they do not wander from page to page.
	first := now.Truncate(each).Add(-time.Duration(cells-1) * each)
	merged := make([]ledger.Bucket, cells)
	for _, b := range buckets {
		i := int(b.At.Sub(first) / each)
		if b.At.Before(first) || i >= cells {
			continue
		}
		m := &merged[i]
		m.Runs += b.Runs
		if severity(b.Worst) > severity(m.Worst) {
			m.Worst = b.Worst
		}
		if !b.At.Before(m.At) {
			m.At, m.Differences, m.Coverage = b.At, b.Differences, b.Coverage
		}
	}
	s := strip{Cells: make([]cell, cells)}
	drifted, ran := 0, 0
	for i := range merged {
		m := &merged[i]
		s.Cells[i] = cell{Class: cellClass(m.Worst), Title: fmt.Sprintf("%s: no run", first.Add(time.Duration(i)*each).Format("15:04"))}
		if m.Runs > 0 {
			ran++
			s.Cells[i].Title = fmt.Sprintf("%s: %s, %s", first.Add(time.Duration(i)*each).Format("15:04"), resultWord(m.Worst), several(m.Runs, "run", "runs"))
			if m.Differences > 0 {
				s.Cells[i].Title += fmt.Sprintf(", %s differ", exact(m.Differences))
			}
			if m.Coverage < 1 {
				s.Cells[i].Title += ", " + share(m.Coverage) + " read"
			}
		}
		if m.Worst == "drift" {
			drifted++
		}
	}
	s.Words = fmt.Sprintf("last 24 hours: drift in %d of %d parts with runs", drifted, ran)
	return s
}

func cellClass(worst string) string {
	return map[string]string{"clean": "o", "drift": "d", "incomplete": "w", "error": "u"}[worst]
}

func resultWord(worst string) string {
	if worst == "clean" {
		return "nothing differs"
	}
	if worst == "error" {
		return "could not check"
	}
	return worst
}
