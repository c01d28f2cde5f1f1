package ledger_test

import (
	"testing"
	"time"
)

// A digest's median is of the incidents that it counts as resolved: those that
// opened within the day.
func TestADigestsMedianIsOfTheDaysOwnIncidents(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	drifted := func(lasted time.Duration) {
		t.Helper()
		w.clock.pass(25 * time.Hour) // nothing comes back
		w.drifts("search", 1)
		w.clock.pass(lasted)
		w.heals("search", 1)
	}
	drifted(72 * time.Hour)
	from := w.clock.now().Add(-time.Hour) // within which the long one ended
	drifted(10 * time.Minute)
	drifted(30 * time.Minute)
	d := got(w.Digest(t.Context(), from, w.clock.pass(time.Hour)))(t)
	if d.Opened != 2 || d.Resolved != 2 || d.Median != 20*time.Minute {
		t.Errorf("%d opened, %d of them resolved, half of them within %s", d.Opened, d.Resolved, d.Median)
	}
}
