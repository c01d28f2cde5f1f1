package checks

import "fmt"

// A run is stopped by whoever started it, at once, or ends with the differences
// it was to see, which are then judged like any others.

func (e *edge) stopped() bool {
	select {
	case <-e.options.Stop:
		return true
	default:
		return false
	}
}

// scanned says whether no further page is to be read: the run is stopped, or has
// seen as many differences as it was to see.
func (e *edge) scanned() bool {
	if e.options.StopAfter == 0 {
		return e.stopped()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.differed >= e.options.StopAfter || e.stopped()
}

// see counts differences that were seen. e.mu is held.
func (e *edge) see(n int64) {
	most := e.options.StopAfter
	if e.differed += n; most > 0 && e.differed >= most && e.differed-n < most {
		e.run.Reasons[StoppedAfter(most)]++
	}
}

// StoppedAfter is why a run that was to see so many differences left the rest unread.
func StoppedAfter(differences int64) string {
	if differences == 1 {
		return "stopped after 1 difference"
	}
	return fmt.Sprintf("stopped after %d differences", differences)
}
