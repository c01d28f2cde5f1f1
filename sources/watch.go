package sources

import (
	"sync"
	"time"
)

// unanswered is how long a read may have no answer before its source is slow.
const unanswered = 5 * time.Second

// watch knows the reads of a store that have no answer yet.
type watch struct {
	mu    sync.Mutex
	next  int
	began map[int]time.Time
	slow  bool // the last read that ended took longer than unanswered, or got no answer
}

// begin says that a read is under way; the function it returns, that it has
// ended, and whether the store answered at all.
func (w *watch) begin() (ended func(answered bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began == nil {
		w.began = map[int]time.Time{}
	}
	n, began := w.next, time.Now()
	w.next++
	w.began[n] = began
	return func(answered bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.began, n)
		switch took := time.Since(began); {
		case took > unanswered:
			w.slow = true
		case answered:
			w.slow = false
		}
	}
}

// isSlow says whether a read has had no answer for long, or the last one had none.
func (w *watch) isSlow() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slow {
		return true
	}
	for _, began := range w.began {
		if time.Since(began) > unanswered {
			return true
		}
	}
	return false
}

// reads is how many have no answer yet.
func (w *watch) reads() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.began)
}
