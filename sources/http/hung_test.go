package http

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/sources"
)

// hung reads an API that hangs, before it answers or in the middle of an answer,
// and returns how long after it began the API was told that nobody waits any more.
func hung(t *testing.T, limit time.Duration, begin func(http.ResponseWriter)) time.Duration {
	t.Helper()
	var waiting atomic.Int32
	host := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		defer waiting.Add(-1)
		begin(w)
		<-r.Context().Done()
	}))
	opened, err := Open(sources.Options{Name: "cards", URL: sources.Secret("http://" + host), StatementTimeout: limit})
	if err != nil {
		t.Fatal(err)
	}
	reader := sources.NewReader("cards", opened, sources.Limits{Statement: limit, Attempts: 1}, nil)
	d := &sources.Dataset{Key: []string{"id"}, Fields: []string{"level"}, Endpoint: &sources.Endpoint{Get: &sources.Getting{Path: "/cards/{id}"}}}
	began := time.Now()
	ended := make(chan error, 1)
	go func() {
		ended <- reader.Lookup(t.Context(), d, []sources.Key{{sources.Text("1")}}, func(*sources.Page) error { return nil })
	}()
	wait := func(what string, number int32) {
		for waiting.Load() != number {
			if time.Since(began) > time.Minute {
				t.Fatalf("waited in vain for the request to %s", what)
			}
			time.Sleep(time.Millisecond)
		}
	}
	wait("arrive", 1)
	if err := <-ended; sources.FailureOf(err) != sources.FailureTimeout {
		t.Errorf("the read ended with %v", err)
	}
	wait("be gone", 0)
	took := time.Since(began)
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	return took
}

// silent answers nothing, stalling a part.
func silent(http.ResponseWriter) {}

func stalling(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"id":"1",`)) // the client may have gone
	_ = http.NewResponseController(w).Flush()
}

func TestAHungRequestIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(http.ResponseWriter){"silent": silent, "stalling": stalling} {
		t.Logf("%s: gone %s after it began", name, hung(t, 200*time.Millisecond, begin))
	}
}

func TestSoakAHungRequestIsTakenBackInTime(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	for range 10 {
		for name, begin := range map[string]func(http.ResponseWriter){"silent": silent, "stalling": stalling} {
			if took := hung(t, time.Second, begin); took > 3*time.Second {
				t.Errorf("a request of a %s API that may take 1 s was gone after %s", name, took)
			}
		}
	}
}
