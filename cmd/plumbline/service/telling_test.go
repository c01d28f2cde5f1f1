package service

import (
	"path/filepath"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/ledger"
)

// While another process has a newer configuration, nothing is told by an older one.
func TestWhoIsBehindTellsNobody(t *testing.T) {
	t.Parallel()
	asked, behind := 0, true
	l, err := ledger.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "plumbline.db"), ledger.Options{
		Policies: func(check string) (alerts.Policy, bool) {
			asked++
			return alerts.Policy{Check: check}, true
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := l.Declare(t.Context(), 1, []ledger.Edge{{Check: "orders", Replica: "search"}}, nil); err != nil {
		t.Fatal(err)
	}
	channel := []alerts.Target{{Integration: alerts.BySlack, Address: "#data"}}
	if err := l.QueueDigest(t.Context(), "2026-11-21", time.Now().Add(-time.Minute), channel, alerts.Digest{}); err != nil {
		t.Fatal(err)
	}
	o := outbox{l, func() bool { return behind }}
	for _, behind = range []bool{true, false} {
		asked = 0
		if err := o.SweepAlerts(t.Context(), time.Now()); err != nil || (asked == 0) != behind {
			t.Errorf("behind %v, the sweep asked %d times what is wanted: %v", behind, asked, err)
		}
		if d, _, err := o.ClaimDelivery(t.Context(), []string{alerts.BySlack}); err != nil || (d == nil) != behind {
			t.Errorf("behind %v, it is to send %+v: %v", behind, d, err)
		}
	}
}
