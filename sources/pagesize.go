package sources

import (
	"sync"
	"time"
)

const (
	pageBytes        = 4 << 20
	maxPageRecords   = 10_000
	firstPageRecords = 500
)

// sizer chooses how many records the next page asks for, so that a page takes
// about the page time and about pageBytes at most.
type sizer struct {
	records, most int
	target        time.Duration
	fixed         bool
}

func newSizer(l Limits, most int) *sizer {
	if l.RecordsPerSecond > 0 {
		most = min(most, l.RecordsPerSecond) // so that no pause is long
	}
	s := &sizer{records: min(firstPageRecords, most), most: most, target: l.Page}
	if l.PageRecords > 0 {
		s.records, s.fixed = l.PageRecords, true
	}
	return s
}

// learn moves towards the target: at most fourfold up, and down at once.
func (s *sizer) learn(took time.Duration, records, bytes int) {
	if s.fixed || records == 0 {
		return
	}
	fit := float64(records) * float64(s.target) / float64(max(took, time.Microsecond))
	if bytes > 0 {
		fit = min(fit, float64(records)*pageBytes/float64(bytes))
	}
	if records < s.records && fit > float64(s.records) { // a short page taught nothing about long ones
		return
	}
	s.records = max(1, min(int(fit), 4*s.records, s.most))
}

func (s *sizer) shrink() {
	if !s.fixed {
		s.records = max(1, s.records/4)
	}
}

// sizes remember how large the pages of a dataset had become, so that each span of
// a scan need not find it out anew.
type sizes struct {
	mu sync.Mutex
	of map[*Dataset]lastSize
}

type lastSize struct {
	records int
	at      time.Time
}

const (
	sizeHolds = 30 * time.Second // what a store bore longer ago says little of now
	mostSizes = 1000
)

// recall has a new sizer begin where the last scan of the dataset was.
func (z *sizes) recall(d *Dataset, s *sizer) *sizer {
	z.mu.Lock()
	defer z.mu.Unlock()
	if last, ok := z.of[d]; ok && !s.fixed && time.Since(last.at) < sizeHolds {
		s.records = min(max(last.records, 1), s.most)
	}
	return s
}

func (z *sizes) note(d *Dataset, s *sizer) {
	if s.fixed {
		return
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.of == nil || len(z.of) >= mostSizes {
		z.of = map[*Dataset]lastSize{}
	}
	z.of[d] = lastSize{s.records, time.Now()}
}
