package web_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
)

// A POST with an Idempotency-Key is done once, however often and however
// concurrently it is sent.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	const senders = 8
	var wait sync.WaitGroup
	answers := make([]*http.Response, senders)
	for i := range senders {
		wait.Go(func() {
			answers[i] = handOver(w.handler, http.MethodPost, "/api/v1/checks/names/runs", "", "Idempotency-Key", "first")
		})
	}
	wait.Wait()
	locations := map[string]int{}
	for _, answer := range answers {
		switch answer.StatusCode {
		case http.StatusAccepted:
			locations[answer.Header.Get("Location")]++
		case http.StatusConflict: // while the first of them was being done
		default:
			text, _ := io.ReadAll(answer.Body)
			t.Errorf("status %d: %s", answer.StatusCode, text)
		}
	}
	if len(locations) != 1 {
		t.Fatalf("the runs that were begun: %v", locations)
	}
	again := w.ask(http.StatusAccepted, http.MethodPost, "/api/v1/checks/names/runs", "", "Idempotency-Key", "first")
	if locations[again.Header.Get("Location")] == 0 || again.Header.Get("Idempotency-Replayed") != "true" || len(decoded[runList](w, again).Items) != 1 {
		t.Errorf("sent again: %v", again.Header)
	}
	if runs := fetched[runList](w, "/api/v1/runs"); len(runs.Items) != 1 {
		t.Errorf("%d runs, want 1", len(runs.Items))
	}
	if problem := handOver(w.handler, http.MethodPost, "/api/v1/checks/odd/runs", "", "Idempotency-Key", "first"); problem.StatusCode != http.StatusNotFound {
		t.Errorf("the same key elsewhere: status %d", problem.StatusCode)
	}
}
