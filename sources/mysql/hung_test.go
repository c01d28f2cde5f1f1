package mysql

import (
	"os"
	"testing"
	"time"

	"plumbline/sources"
)

// hung reads a statement that hangs, and returns how long after it began it was
// gone from the server's own list.
func hung(t *testing.T, d *database, ds *sources.Dataset, limit time.Duration) time.Duration {
	t.Helper()
	reader := sources.NewReader("shop", d.open(sources.Options{StatementTimeout: limit}), sources.Limits{Statement: limit, Attempts: 1}, nil)
	began := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := reader.Stream(ds, sources.ScanRequest{}).Next(t.Context())
		ended <- err
	}()
	until(t, "the statement to run", func() bool { return d.asleep() == "1" })
	if err := <-ended; sources.FailureOf(err) != sources.FailureTimeout {
		t.Errorf("the read ended with %v", err)
	}
	until(t, "the statement to be gone", func() bool { return d.asleep() == "0" })
	return time.Since(began)
}

func TestAHungStatementIsCancelledOnTheServer(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	t.Logf("gone %s after it began", hung(t, d, sleeping(d), time.Second))
}

func TestSoakAHungStatementIsCancelledInTime(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	d := newDatabase(t)
	ds := sleeping(d)
	for range 10 {
		if took := hung(t, d, ds, 2*time.Second); took > 4*time.Second {
			t.Errorf("a statement that may take 2 s was gone after %s", took)
		}
	}
}
