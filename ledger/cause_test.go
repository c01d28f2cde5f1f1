package ledger_test

import (
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/ledger"
)

// Whatever a store wrote, an incident says why in words of ours alone.
func TestACauseIsToldInWordsOfOurs(t *testing.T) {
	t.Parallel()
	for why, want := range map[string]string{
		`source shop: probe: dial tcp 10.0.0.7:5432: connection refused (ada@example.com)`:        "owner shop cannot be reached",
		`source search: scan orders: tried 3 times: no answer within 35s`:                         "replica search did not answer in time",
		`source cache: probe: password authentication failed for user "ada@example.com"`:          "a source denied access",
		`source search: describe: table "orders" not found (did you mean "ada@example.com"?)`:     "replica search has not the table or field that is read",
		`source search: scan orders: invalid input syntax for type integer: "ada@example.com"`:    "replica search could not be read",
		`the owner, shop orders, has no records in scope; if that is a fact and no fault, set it`: "the owner answered with no records, where that is no known fact",
		`nothing was compared: of 3 records read of the owner and 0 of the replica none`:          "no record was this check's to compare",
		`unsettled: the owner's record changes faster than it settles`:                            "records of the owner change faster than they settle",
		ledger.ReasonChanged: "the check was changed while it ran",
		`key "ada@example.com" is spelled otherwise than it would be looked up`: "not all records could be read and compared",
		`source ada@example.com: broken`:                                        "a source could not be read",
		`source shop.ada@example.com: broken`:                                   "a source could not be read",
	} {
		w := alertWorld(t, "sqlite", func(p *alerts.Policy) { p.Replicas = []string{"search"} })
		w.fails("search", why)
		i := w.incident(alerts.Blind)
		if got := i.Facts.Edges[1].Cause; got != want || strings.Contains(got, "ada") {
			t.Errorf("%s is told as %q, not %q", why, got, want)
		}
	}
}

func TestACauseSaysHowManySegmentsWereNotRead(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	r := w.run("search", 3)
	w.record(w.segment(r, 0), "search", ledger.Progress{Read: 100, Done: true, Counts: checks.Counts{OwnerRecords: 100, Equal: 100}})
	for n := 1; n < 3; n++ {
		must(t, w.FailSegment(t.Context(), w.segment(r, n), "source search: scan orders: no answer within 35s"))
	}
	if got := w.incident(alerts.Blind).Facts.Edges[1].Cause; got != "replica search did not answer in time; 2 of 3 segments were not read" {
		t.Errorf("it is told as %q", got)
	}
}

func TestAServiceThatComesBackGetsTimeToCatchUpBeforeItsChecksCountAsStale(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", func(p *alerts.Policy) {
		p.StaleAt = func(success time.Time) time.Time { return success.Add(5 * time.Minute) }
	})
	w.scanned("search")
	w.scanned("cache")
	w.clock.pass(8 * time.Hour)
	must(t, w.CreateRuns(t.Context(), []*ledger.Run{{Check: "orders", Replica: "search", Trigger: ledger.ByCatchUp, Generation: 1},
		{Check: "orders", Replica: "cache", Trigger: ledger.ByCatchUp, Generation: 1}}, noJobs))
	w.sweep()
	if i := w.incident(alerts.Blind); i != nil {
		t.Fatalf("while its first runs go there is %+v", i)
	}
	w.clock.pass(11 * time.Minute)
	w.sweep()
	if i := w.incident(alerts.Blind); i == nil || !i.Facts.Edges[0].Stale {
		t.Errorf("when they do not end there is %+v", i)
	}
}
