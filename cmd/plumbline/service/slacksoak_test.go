package service_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// While the ledger's one connection that writes is held for 300 ms of each 330,
// every request of Slack is answered within a second; what was taken is answered,
// and what was not taken is said to be not done.
func TestSoakSlackIsAnsweredWhileTheLedgerIsSlow(t *testing.T) {
	t.Parallel()
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	o := newOffice(t, false)
	door := o.door(false)
	o.drifted(door)
	slow := make(chan struct{})
	var holding sync.WaitGroup
	holding.Go(func() {
		for {
			tx, err := o.service.Ledger().DB().BeginTx(t.Context(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(300 * time.Millisecond)
			if err := tx.Rollback(); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-slow:
				return
			case <-time.After(30 * time.Millisecond):
			}
		}
	})
	const people, each = 10, 50
	before := len(o.slack.Private(o.ann.ID))
	var mu sync.Mutex
	var took []time.Duration
	busy := 0
	var asking sync.WaitGroup
	for range people {
		asking.Go(func() {
			for range each {
				ack, err := door.Command(t.Context(), o.ann, channel, "show I-1")
				if err != nil || ack.Status != http.StatusOK {
					t.Errorf("answered %d, %v", ack.Status, err)
					return
				}
				mu.Lock()
				took = append(took, ack.Took)
				if strings.Contains(string(ack.Body), "nothing was done") {
					busy++
				}
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	close(slow)
	holding.Wait()
	slices.Sort(took)
	t.Logf("%d requests: median %s, p99 %s, longest %s; %d were told that nothing was done", len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1], busy)
	if longest := took[len(took)-1]; longest > time.Second {
		t.Errorf("the longest answer took %s", longest)
	}
	o.await("all that was taken is answered", func() bool { return len(o.slack.Private(o.ann.ID))-before == people*each-busy })
}
