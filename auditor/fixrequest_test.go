package auditor_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// A request is sent once a person approved it, and is seen in effect once the
// service did what it was asked; what it never does is given up on, and pauses
// automatic fixes.
func TestRequestsAreSeenInEffectOrGivenUp(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 2)
	keys := map[string]int{}
	var mu sync.Mutex
	service := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		keys[r.Header.Get("Idempotency-Key")]++
		mu.Unlock()
		if r.URL.Path == "/products/1" { // of the other it forgets what it was asked
			body, err := io.ReadAll(r.Body)
			if err != nil || string(body) != `{"price": 100}` || r.Header.Get("Authorization") != "Bearer x" {
				t.Errorf("asked %q, %v", body, err)
			}
			w.replica.exec(t, `UPDATE products SET price = 100 WHERE id = 1`)
		}
		rw.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(service.Close)
	w.policy.By, w.policy.Approvals = reconciler.Request, 0
	w.policy.Request = &reconciler.RequestTemplate{Method: "POST", URL: service.URL + "/products/{key.id}", Body: `{"price": {owner.price}}`,
		Headers: map[string]sources.Secret{"Authorization": "Bearer x"}, Accepted: []int{202}, Timeout: 10 * time.Second, Tries: 2}
	who := w.people(t, map[string]access.Role{"ann": access.Approver})
	o := w.options()
	o.Fixing = auditor.Fixing{HTTP: service.Client(), CanHide: true}
	a := start(t, o)
	d := auditor.NewDesk(w.ledger, a, w.now)
	runNow(t, a, w.ledger, "products")
	p, err := d.DraftFix(again(who["ann"]), auditor.FixRequest{Check: "products"})
	must(t, err)
	_, err = d.ApplyFix(again(who["ann"]), p.ID, p.Hash)
	must(t, err)
	if p = w.ended(t, p.ID); p.State != reconciler.Applied {
		t.Fatalf("it came to %s with %v", p.State, p.Counts)
	}
	if p.Counts[reconciler.ItemVerified] != 1 || p.Counts[reconciler.ItemSent] != 1 {
		t.Errorf("it came to %v", p.Counts)
	}
	if states := w.states(t); states[drift.Resolved] != 1 || states[drift.Fixing] != 1 {
		t.Errorf("findings are %v", states)
	}
	if len(keys) != 2 {
		t.Errorf("asked with the keys %v", keys)
	}
	if _, err := d.UndoFix(again(who["ann"]), p.ID); !isRefused(err) {
		t.Errorf("what a service was asked was taken back: %v", err)
	}
	must(t, a.Stop(t.Context()))
	w.later(time.Hour)
	start(t, o) // looks at once
	until(t, "the finding is given back", func() bool { return w.states(t)[drift.Fixing] == 0 })
	until(t, "automatic fixes are paused", func() bool {
		pauses, err := w.ledger.Pauses(t.Context())
		must(t, err)
		return len(pauses) == 1 && strings.Contains(pauses[0].Reason, "not seen in effect")
	})
	items, err := w.ledger.PlanItems(t.Context(), p.ID, ledger.ItemFilter{State: reconciler.ItemSent})
	if err != nil || len(items) != 1 || !strings.Contains(items[0].Note, auditor.NotSeen) {
		t.Errorf("its items are %+v, %v", items, err)
	}
}
