package drift_test

import (
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
)

// What an edge is said to be after a run: unknown is never fine, and a run that
// did not conclude leaves the last word as it was.
func TestStandingAfterARun(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := at.Add(-time.Hour)
	for _, row := range []struct {
		name   string
		was    drift.Consistency
		result checks.Result
		open   int64
		want   drift.Consistency
		since  time.Time
		good   bool // counts as a success
	}{
		{"clean", drift.Unknown, checks.Clean, 0, drift.InSync, at, true},
		{"clean again", drift.InSync, checks.Clean, 0, drift.InSync, before, true},
		{"clean, but a finding is still open", drift.Drifted, checks.Clean, 2, drift.Drifted, before, true},
		{"drift", drift.InSync, checks.Drift, 3, drift.Drifted, at, true},
		{"drift whose findings healed before it ended", drift.InSync, checks.Drift, 0, drift.Drifted, at, true},
		{"incomplete, nothing seen", drift.InSync, checks.Incomplete, 0, drift.Unknown, at, false},
		{"incomplete, and drift known", drift.Drifted, checks.Incomplete, 1, drift.Drifted, before, false},
		{"error", drift.InSync, checks.Error, 0, drift.Unknown, at, false},
		{"error, and drift known: what it is now nobody can say", drift.Drifted, checks.Error, 1, drift.Unknown, at, false},
		{"cancelled", drift.InSync, checks.Cancelled, 0, drift.InSync, before, false},
	} {
		was := drift.Standing{Consistency: row.was, Since: before, LastRun: "old", Number: 4, Coverage: 1}
		got := was.Conclude(drift.Conclusion{Run: "new", Number: 5, Result: row.result, Why: "why", Coverage: 0.5}, row.open, 0, at)
		if got.Consistency != row.want || !got.Since.Equal(row.since) {
			t.Errorf("%s: %s since %s, want %s since %s", row.name, got.Consistency, got.Since, row.want, row.since)
		}
		if good := got.LastSuccess.Equal(at); good != row.good {
			t.Errorf("%s: success %v, want %v", row.name, good, row.good)
		}
		if row.result == checks.Cancelled && got != was {
			t.Errorf("%s: it changed the last word: %+v", row.name, got)
		}
	}
}

// What comes and goes beside the runs, and runs that are concluded out of turn.
func TestStandingBetweenRuns(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := at.Add(-time.Hour)
	for _, row := range []struct {
		name          string
		was           drift.Consistency
		whole         bool
		open, pending int64
		want          drift.Consistency
	}{
		{"a finding was confirmed", drift.InSync, true, 1, 0, drift.Drifted},
		{"nothing happened", drift.InSync, true, 0, 0, drift.InSync},
		{"the last finding was put right", drift.Drifted, true, 0, 0, drift.InSync},
		{"one finding of two was put right", drift.Drifted, true, 1, 0, drift.Drifted},
		{"the last finding was put right, but suspects are pending", drift.Drifted, true, 0, 1, drift.Drifted},
		{"the last finding was put right, but not everything was compared", drift.Drifted, false, 0, 0, drift.Drifted},
		{"what is not known is not known", drift.Unknown, true, 0, 0, drift.Unknown},
		{"what is not known is not known, with findings open", drift.Unknown, true, 1, 0, drift.Unknown},
	} {
		was := drift.Standing{Consistency: row.was, Since: before, Number: 5, Whole: row.whole}
		got := was.Recount(row.open, row.pending, at)
		if got.Consistency != row.want || got.Since.Equal(at) != (row.want != row.was) {
			t.Errorf("%s: %s since %s, want %s", row.name, got.Consistency, got.Since, row.want)
		}
	}
	failed := drift.Standing{Consistency: drift.Unknown, LastResult: checks.Error, Number: 5}
	if got := failed.Conclude(drift.Conclusion{Run: "older", Number: 4, Result: checks.Clean, Coverage: 1, Whole: true}, 0, 0, at); got != failed {
		t.Errorf("an older run that was concluded later had the last word: %+v", got)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, row := range []struct {
		name     string
		standing drift.Standing
		begun    time.Time
		interval time.Duration
		want     drift.Health
	}{
		{"no schedule", drift.Standing{LastResult: checks.Error}, ago(0), 0, drift.Paused},
		{"new", drift.Standing{}, ago(time.Minute), 5 * time.Minute, drift.OK},
		{"never ran", drift.Standing{}, ago(time.Hour), 5 * time.Minute, drift.Stale},
		{"fine", drift.Standing{LastResult: checks.Drift, LastSuccess: ago(4 * time.Minute)}, ago(time.Hour), 5 * time.Minute, drift.OK},
		{"late, but not yet stale", drift.Standing{LastResult: checks.Clean, LastSuccess: ago(13 * time.Minute)}, ago(time.Hour), 5 * time.Minute, drift.OK},
		{"stale", drift.Standing{LastResult: checks.Clean, LastSuccess: ago(14 * time.Minute)}, ago(time.Hour), 5 * time.Minute, drift.Stale},
		{"a clock that was set back", drift.Standing{LastResult: checks.Clean, LastSuccess: now.Add(time.Hour)}, ago(time.Hour), 5 * time.Minute, drift.OK},
		{"failed", drift.Standing{LastResult: checks.Error, LastSuccess: ago(time.Minute)}, ago(time.Hour), 5 * time.Minute, drift.Failing},
		{"incomplete", drift.Standing{LastResult: checks.Incomplete, LastSuccess: ago(time.Minute)}, ago(time.Hour), 5 * time.Minute, drift.Failing},
	} {
		var staleAt func(time.Time) time.Time
		if row.interval > 0 {
			staleAt = func(success time.Time) time.Time { return success.Add(row.interval*5/2 + time.Minute) }
		}
		if got := row.standing.Health(now, row.begun, staleAt); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}
