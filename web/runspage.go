package web

import (
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
)

// runsView is the page /runs.
type runsView struct {
	Page            frame
	Checks, Results []option
	Filtered        bool
	Runs            []runRow
	Pager           pager
}

// runRow is a run in a list.
type runRow struct {
	Number, URL              string
	Check, CheckURL, Replica string
	State                    sign
	Sub                      string // why it is not what it should be
	Coverage, Sample         string // Sample is the share of all records that is the coverage of; "" for all
	Compared, Differ         string
	Trigger                  string
	Began                    moment
	Took                     string
}

func runRowOf(r *ledger.Run, now time.Time) runRow {
	row := runRow{Number: exact(r.Number), URL: runURL(r.ID), Check: r.Check, CheckURL: checkURL(r.Check), Replica: r.Replica,
		State: signOfRun(r), Coverage: "—", Compared: "—", Differ: "—", Trigger: triggerWords(r), Began: at(began(r), now, "—"), Took: took(r, now)}
	if n := int64(len(r.Keys)); n > 0 {
		row.Trigger += ", " + several(n, "key", "keys") + " alone"
	}
	if r.State == ledger.Settling || r.State == ledger.Finished && r.Result != checks.Error {
		row.Coverage = share(r.EdgeRun().Coverage())
		if r.Sampled() {
			row.Sample = "sample"
			if scope := r.ScopeShare(); scope > 0 {
				row.Sample = share(scope) + " sample"
			}
		}
		row.Compared, row.Differ = exact(r.Counts.Compared()), exact(r.Counts.Differences())
	}
	switch {
	case r.State == ledger.Settling:
		row.Sub = several(r.Pending, "suspect pending", "suspects pending")
	case r.Error != "":
		row.Sub = r.Error
	case r.Result == checks.Incomplete || r.Result == checks.Drift:
		row.Sub = strings.Join(r.EdgeRun().ReasonList(), "; ")
	}
	return row
}

func began(r *ledger.Run) time.Time {
	if r.StartedAt.IsZero() {
		return r.CreatedAt
	}
	return r.StartedAt
}

// took is how long a run has taken, confirmations included.
func took(r *ledger.Run, now time.Time) string {
	end := r.FinishedAt
	if end.IsZero() {
		end = now
	}
	if r.StartedAt.IsZero() {
		return "—"
	}
	return span(end.Sub(r.StartedAt))
}

func triggerWords(r *ledger.Run) string {
	switch r.Trigger {
	case ledger.ByPerson:
		if r.Actor != "" {
			return "by " + r.Actor
		}
		return "by hand"
	case ledger.ByCatchUp:
		return "catch-up"
	}
	return string(r.Trigger)
}
