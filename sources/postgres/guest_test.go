package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	run "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/sources"
)

// window is what pgbench saw while it ran.
type window struct {
	throughput float64       // transactions a second
	latency    time.Duration // 99th percentile, time behind schedule included
}

// pgbench runs pgbench against d for some seconds, at a rate or, with 0, as fast as it can.
func pgbench(t *testing.T, d *database, seconds int, rate float64) window {
	t.Helper()
	log := filepath.Join(t.TempDir(), "transactions")
	args := []string{"-n", "-c", "4", "-j", "1", "-T", strconv.Itoa(seconds), "-l", "--log-prefix", log}
	if rate > 0 {
		args = append(args, "-R", fmt.Sprintf("%.1f", rate))
	}
	runPgbench(t, d, args...)
	files, err := filepath.Glob(log + "*")
	if err != nil {
		t.Fatal(err)
	}
	var latencies []time.Duration
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); { // client, number, microseconds, …
			columns := strings.Fields(lines.Text())
			took, err := strconv.Atoi(columns[2])
			if err != nil {
				t.Fatal(err)
			}
			latencies = append(latencies, time.Duration(took)*time.Microsecond)
		}
		if err := errors.Join(f.Close(), os.Remove(name)); err != nil {
			t.Fatal(err)
		}
	}
	if len(latencies) == 0 {
		t.Fatal("pgbench made no transaction")
	}
	slices.Sort(latencies)
	return window{float64(len(latencies)) / float64(seconds), latencies[len(latencies)*99/100]}
}

func runPgbench(t *testing.T, d *database, args ...string) {
	t.Helper()
	program, err := run.LookPath("pgbench")
	if err != nil {
		installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench") // where Debian keeps it, out of PATH
		if len(installed) == 0 {
			t.Fatal("pgbench, which comes with PostgreSQL, is not installed")
		}
		program = installed[len(installed)-1]
	}
	out, err := run.CommandContext(t.Context(), program, append(args, d.url.String())...).CombinedOutput()
	if err != nil {
		t.Fatalf("pgbench: %v\n%s", err, out)
	}
}

// guest scans a table over and over, in as many segments as a service would read
// side by side, until ctx ends. It returns how many records it read.
func guest(ctx context.Context, t *testing.T, d *database, limits sources.Limits) (read int64, waited time.Duration) {
	src, err := Open(sources.Options{Name: "bench", URL: d.as(nil)})
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	var mu sync.Mutex
	reader := sources.NewReader("bench", src, limits, func(w sources.Wait) {
		mu.Lock()
		defer mu.Unlock()
		waited += w.For
	})
	dataset := &sources.Dataset{Name: "products", Key: []string{"id"}, Fields: []string{"name", "price"}}
	var segments sync.WaitGroup
	const side = 4
	for n := range side {
		segments.Go(func() {
			for ctx.Err() == nil {
				at := func(k int) sources.Position { return sources.Position{sources.Int(int64(k * guestRecords / side))} }
				stream := reader.Stream(dataset, sources.ScanRequest{Span: sources.Span{After: at(n), UpTo: at(n + 1)}, Raw: true})
				for {
					page, err := stream.Next(ctx)
					if errors.Is(err, io.EOF) || ctx.Err() != nil {
						break
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					read += int64(page.Len())
					mu.Unlock()
				}
			}
		})
	}
	segments.Wait()
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	return read, waited
}

const guestRecords = 500_000

// A database at half of what it can do does not notice that it is read. It is not
// to be run beside others.
func TestSoakAGuestIsHardlyNoticed(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	d := newDatabase(t, "")
	runPgbench(t, d, "-i", "-q", "-s", "10")
	d.exec(fmt.Sprintf(`CREATE TABLE products AS SELECT i::bigint AS id, 'product ' || i AS name, i / 100.0 AS price FROM generate_series(1, %d) i;
		ALTER TABLE products ADD PRIMARY KEY (id)`, guestRecords))
	d.exec("VACUUM ANALYZE")
	const pairs = 5
	seconds := 60
	if s, err := strconv.Atoi(os.Getenv("PLUMBLINE_GUEST_SECONDS")); err == nil {
		seconds = s
	}
	capacity := pgbench(t, d, 10, 0)
	t.Logf("capacity: %.0f a second", capacity.throughput)
	limits := sources.Limits{MaxLag: 10 * time.Second, MaxActive: 25}
	var throughput, latency []float64
	for pair := range pairs {
		var alone, beside window
		for _, withUs := range []bool{pair%2 == 0, pair%2 != 0} {
			if !withUs {
				alone = pgbench(t, d, seconds, capacity.throughput/2)
				continue
			}
			ctx, cancel := context.WithCancel(t.Context())
			var scan sync.WaitGroup
			var read int64
			var waited time.Duration
			scan.Go(func() { read, waited = guest(ctx, t, d, limits) })
			beside = pgbench(t, d, seconds, capacity.throughput/2)
			cancel()
			scan.Wait()
			t.Logf("pair %d: read %d records a second, reads held back for %s", pair+1, read/int64(seconds), waited)
		}
		t.Logf("pair %d: alone %.1f a second and %s, beside a scan %.1f and %s", pair+1, alone.throughput, alone.latency, beside.throughput, beside.latency)
		throughput = append(throughput, beside.throughput/alone.throughput)
		latency = append(latency, float64(beside.latency)/float64(alone.latency))
	}
	slices.Sort(throughput)
	slices.Sort(latency)
	t.Logf("medians: throughput × %.3f, 99th percentile × %.3f", throughput[pairs/2], latency[pairs/2])
	if throughput[pairs/2] < 0.97 {
		t.Errorf("throughput is %.1f %% lower beside a scan", 100*(1-throughput[pairs/2]))
	}
	if latency[pairs/2] > 1.10 {
		t.Errorf("the 99th percentile is %.1f %% higher beside a scan", 100*(latency[pairs/2]-1))
	}
}
