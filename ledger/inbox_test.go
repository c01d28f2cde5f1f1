package ledger_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"plumbline/ledger"
)

// TestInbox is what the inbox of requests promises, on every engine.
func TestInbox(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			t.Run("a request is taken once and done once", func(t *testing.T) {
				t.Parallel()
				requestsAreTakenOnce(t, newWorld(t, engine))
			})
			t.Run("whoever lost a request cannot put it aside", func(t *testing.T) {
				t.Parallel()
				requestsHaveTerms(t, newWorld(t, engine))
			})
			t.Run("each is handed to one of many", func(t *testing.T) {
				t.Parallel()
				requestsAreSharedOut(t, newWorld(t, engine))
			})
		})
	}
}

func requestsAreTakenOnce(t *testing.T, w *world) {
	id := []byte{0, 1, 2, 255}
	for i, want := range []bool{true, false} {
		if fresh, err := w.TakeRequest(t.Context(), id, "command", `{"a":"\u0000x"}`); err != nil || fresh != want {
			t.Fatalf("taken for the time %d: %v, %v", i+1, fresh, err)
		}
	}
	r, err := w.ClaimRequest(t.Context(), time.Minute)
	if err != nil || r == nil || string(r.ID) != string(id) || r.Kind != "command" || r.Term != 1 || !r.CameAt.Equal(w.clock.now()) {
		t.Fatalf("claimed %+v, %v", r, err)
	}
	if other, err := w.ClaimRequest(t.Context(), time.Minute); err != nil || other != nil {
		t.Fatalf("it was handed out twice: %+v, %v", other, err)
	}
	must(t, w.FinishRequest(t.Context(), r))
	w.clock.pass(23 * time.Hour)
	if other, err := w.ClaimRequest(t.Context(), time.Minute); err != nil || other != nil {
		t.Fatalf("what is done was handed out: %+v, %v", other, err)
	}
	if fresh, err := w.TakeRequest(t.Context(), id, "command", "again"); err != nil || fresh {
		t.Fatalf("taken again within a day: %v, %v", fresh, err)
	}
	w.clock.pass(2 * time.Hour)
	if fresh, err := w.TakeRequest(t.Context(), []byte("another"), "command", ""); err != nil || !fresh {
		t.Fatalf("another: %v, %v", fresh, err)
	}
	r, err = w.ClaimRequest(t.Context(), time.Minute)
	must(t, err)
	must(t, w.FinishRequest(t.Context(), r))
	if fresh, err := w.TakeRequest(t.Context(), id, "command", "long after"); err != nil || !fresh {
		t.Fatalf("it is known for longer than a day: %v, %v", fresh, err)
	}
}

func requestsHaveTerms(t *testing.T, w *world) {
	if _, err := w.TakeRequest(t.Context(), []byte("one"), "action", "body"); err != nil {
		t.Fatal(err)
	}
	first, err := w.ClaimRequest(t.Context(), time.Minute)
	must(t, err)
	w.clock.pass(time.Minute)
	second, err := w.ClaimRequest(t.Context(), time.Minute)
	if err != nil || second == nil || second.Term != 2 || second.Body != "body" {
		t.Fatalf("claimed anew %+v, %v", second, err)
	}
	if err := w.FinishRequest(t.Context(), first); !errors.Is(err, ledger.ErrLostTerm) {
		t.Errorf("finished by whoever lost it: %v", err)
	}
	if err := w.PostponeRequest(t.Context(), first, 0); !errors.Is(err, ledger.ErrLostTerm) {
		t.Errorf("postponed by whoever lost it: %v", err)
	}
	must(t, w.PostponeRequest(t.Context(), second, 10*time.Second))
	if r, err := w.ClaimRequest(t.Context(), time.Minute); err != nil || r != nil {
		t.Fatalf("claimed before its time: %+v, %v", r, err)
	}
	w.clock.pass(10 * time.Second)
	third, err := w.ClaimRequest(t.Context(), time.Minute)
	if err != nil || third == nil || third.Term != 3 {
		t.Fatalf("claimed in its time: %+v, %v", third, err)
	}
	must(t, w.FinishRequest(t.Context(), third))
	if err := w.FinishRequest(t.Context(), third); !errors.Is(err, ledger.ErrLostTerm) {
		t.Errorf("finished twice: %v", err)
	}
}

func requestsAreSharedOut(t *testing.T, w *world) {
	const requests, workers = 60, 6
	for i := range requests {
		if _, err := w.TakeRequest(t.Context(), []byte(strconv.Itoa(i)), "action", strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	done := map[string]int{}
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for {
				r, err := w.ClaimRequest(t.Context(), time.Minute)
				if err == nil && r == nil {
					return
				}
				if err == nil {
					mu.Lock()
					done[r.Body]++
					mu.Unlock()
					err = w.FinishRequest(t.Context(), r)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
	if len(done) != requests {
		t.Errorf("%d of %d were done", len(done), requests)
	}
	for body, n := range done {
		if n != 1 {
			t.Errorf("request %s was done %d times", body, n)
		}
	}
}
