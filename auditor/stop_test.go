package auditor_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/ledger"
)

// Whoever is asked to stop ends soon and well, and leaves nothing running: the
// next process goes on at once where it was.
func TestStoppedAtAnyMoment(t *testing.T) {
	t.Parallel()
	stopEngines(t, 8)
}

func TestSoakStoppedAtAnyMoment(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	t.Parallel()
	stopEngines(t, 200)
}

func stopEngines(t *testing.T, stops int) {
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 0))
			url := ledgerURL(t, engine)
			k := &killing{t: t, l: openLedger(t, url, nil), truths: map[string]truth{}, segments: map[string]ledger.Segment{},
				stable: map[uint64][2]time.Time{1: {time.Now()}}}
			k.s = &service{Ledger: url, Checks: 6, Records: 3000, Share: 0.02, Phase: 1, Spec: "@every 1s", Hash: "one", Settle: 300 * time.Millisecond,
				Page: 50, Delay: 4 * time.Millisecond, Silence: 15 * time.Second, Workers: 4, Cut: 3, Pages: filepath.Join(t.TempDir(), "pages"),
				Bounds: auditor.Bounds{Record: 20 * time.Millisecond}}
			worst := time.Duration(0)
			for range stops {
				c := k.s.launch(t)
				time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond) // the moment is what is tried
				worst = max(worst, c.stop())
				k.nothingRuns(c.id)
				k.look()
			}
			t.Logf("the slowest of %d ended %s after it was asked to", stops, worst.Round(time.Millisecond))
			if worst > 25*time.Second {
				t.Errorf("a process took %s to end", worst)
			}
			k.settleDown()
			k.pagesRead(k.s.Pages, int64(stops*k.s.Workers)*2) // what is read ahead, and the page that it is compared with
			k.judge()
		})
	}
}

// nothingRuns fails where processes that have ended left a job running, or are
// still listed.
func (k *killing) nothingRuns(ended ...string) {
	k.t.Helper()
	var running int
	must(k.t, k.l.DB().QueryRow(`SELECT COUNT(*) FROM river_job WHERE state = 'running'`).Scan(&running))
	list, err := k.l.Processes(context.Background())
	must(k.t, err)
	listed := slices.ContainsFunc(list, func(p ledger.Process) bool { return slices.Contains(ended, p.ID) })
	if running != 0 || listed {
		k.t.Errorf("%d jobs run after all processes have ended (still listed: %v)", running, listed)
	}
}
