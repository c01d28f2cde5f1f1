package http_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // what writes the owner's file

	"plumbline/checks"
	"plumbline/sources"
	httpsource "plumbline/sources/http"
	"plumbline/sources/sqlite"
)

// ways are how a dataset can be declared over the same service.
func ways() []string { return []string{"list and get", "list and batch", "list", "get", "batch"} }

func endpoint(way string) *sources.Endpoint {
	e := &sources.Endpoint{}
	if strings.Contains(way, "list") {
		e.List = &sources.Listing{Path: "/members", Items: "$.data", Next: "$.page.next", PageSize: 20}
	}
	if strings.Contains(way, "get") {
		e.Get = &sources.Getting{Path: "/members/{id}"}
	}
	if strings.Contains(way, "batch") {
		e.Batch = &sources.Batching{Path: "/members", Query: map[string]string{"ids": "{ids}"}, Items: "$.data", Size: 25}
	}
	return e
}

const owned = 90 // records of the owner

// TestALyingServiceMakesNoFalseDifference runs one script of each lie, of all ways
// and seeds in turn.
func TestALyingServiceMakesNoFalseDifference(t *testing.T) {
	t.Parallel()
	lying(t, len(lies()))
}

// TestSoakALyingServiceMakesNoFalseDifference runs 250 scripts.
func TestSoakALyingServiceMakesNoFalseDifference(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	t.Parallel()
	lying(t, 250)
}

func lying(t *testing.T, scripts int) {
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("PLUMBLINE_TEST_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (PLUMBLINE_TEST_SEED=%d repeats it)", seed, seed)
	owner := ownerFile(t)
	var mu sync.Mutex
	results := map[checks.Result]int{}
	all := lies()
	t.Cleanup(func() { t.Logf("%d scripts ended as %v", scripts, results) })
	for i := range scripts {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		one := &all[i%len(all)]
		way := ways()[random.IntN(len(ways()))]
		for one.needs != "" && !strings.Contains(way, one.needs) {
			way = ways()[random.IntN(len(ways()))]
		}
		t.Run(fmt.Sprintf("%d %s, by %s", i, one.name, way), func(t *testing.T) {
			t.Parallel()
			result := lied(t, random, owner, one, way)
			mu.Lock()
			defer mu.Unlock()
			results[result]++
		})
	}
}

// lied runs a check of the owner against a service that lies, whose records hold
// a few planted differences.
func lied(t *testing.T, random *rand.Rand, owner sources.Secret, one *lie, way string) checks.Result {
	h, planted := replica(random)
	s := &script{lie: one, honest: h, random: random, begins: one.begins + random.IntN(12)}
	if one.order != nil {
		h.order = one.order(random)
	}
	readers := map[string]*sources.Reader{}
	limits := sources.Limits{Attempts: 3, Backoff: time.Millisecond, Statement: 10 * time.Second}
	for name, open := range map[string]sources.Opener{"crm": sqlite.Open, "loyalty": httpsource.Open} {
		url := owner
		if name == "loyalty" {
			url = sources.Secret("http://" + serveOn(t, s))
		}
		source, err := open(sources.Options{Name: name, URL: url})
		if err != nil {
			t.Fatal(err)
		}
		readers[name] = sources.NewReader(name, source, limits, nil)
		t.Cleanup(func() {
			if err := readers[name].Close(); err != nil {
				t.Error(err)
			}
		})
	}
	check := &checks.Check{Name: "loyalty-members",
		Owner: checks.Side{Source: "crm", Kind: "sqlite", Dataset: sources.Dataset{Name: "customers", Key: []string{"id"}, Fields: []string{"tier"}}},
		Edges: []checks.Edge{{Name: "loyalty", Replica: checks.Side{Source: "loyalty", Kind: "http", Dataset: sources.Dataset{Endpoint: endpoint(way), Key: []string{"id"}, Fields: []string{"level"}}},
			Rules: []checks.Rule{{Owner: checks.FieldRef{Name: "tier"}, Replica: checks.FieldRef{Name: "level"}, Precision: -1}}}}}
	find := func(name string) (*sources.Reader, error) { return readers[name], nil }
	run := checks.Run(t.Context(), check, 0, find, checks.Options{})
	told, asked := s.counts()
	for _, d := range run.Differences {
		if kind := planted[int(d.Key[0].AsInt())]; kind != d.Kind {
			t.Errorf("false difference: %s of %s (%s), planted was %q; the lie was told %d times of %d", d.Kind, d.Key, d.Reason, kind, told, asked)
		}
	}
	var why []string
	for reason := range run.Reasons {
		why = append(why, reason)
	}
	slices.Sort(why)
	if run.Err != nil {
		why = append(why, run.Err.Error())
	}
	missed := len(planted) - len(run.Differences)
	if !strings.Contains(way, "list") {
		missed -= extras // which cannot be found, and the plan says so
	}
	whole := run.Result == checks.Drift && run.Unread == 0 && run.Pending == 0 && run.Counts.Skipped == 0
	switch {
	case run.Result == checks.Clean:
		t.Errorf("clean, though %d differences were planted", len(planted))
	case whole && missed > 0 && !one.omits:
		t.Errorf("%d planted differences were not found, and the run says that it read everything", missed)
	case !whole && len(why) == 0:
		t.Errorf("%s without a reason: %+v", run.Result, run.Counts)
	}
	t.Logf("%s: %d of %d found, %d skipped, %d unread, the lie told %d times of %d: %.300q", run.Result, len(run.Differences), len(planted), run.Counts.Skipped, run.Unread, told, asked, why)
	return run.Result
}

const extras = 2

// replica are the members that the owner's customers have, but for a few.
func replica(random *rand.Rand) (*honest, map[int]checks.DifferenceKind) {
	planted := map[int]checks.DifferenceKind{}
	h := &honest{}
	for _, i := range random.Perm(owned)[:6] {
		planted[i+1] = []checks.DifferenceKind{checks.Mismatch, checks.Missing}[random.IntN(2)]
	}
	for i := 1; i <= owned+extras; i++ {
		level := tier(i)
		switch {
		case i > owned:
			planted[i] = checks.Extra
		case planted[i] == checks.Missing:
			continue
		case planted[i] == checks.Mismatch:
			level = "platinum"
		}
		h.members = append(h.members, member{i, fmt.Sprintf(`{"id":%d,"level":%q,"since":2019}`, i, level)})
	}
	return h, planted
}

func tier(i int) string { return []string{"bronze", "silver", "gold"}[i%3] }

func ownerFile(t *testing.T) sources.Secret {
	t.Helper()
	file := filepath.Join(t.TempDir(), "crm.db")
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows []string
	for i := 1; i <= owned; i++ {
		rows = append(rows, fmt.Sprintf("(%d, '%s')", i, tier(i)))
	}
	for _, statement := range []string{"CREATE TABLE customers (id INTEGER PRIMARY KEY, tier TEXT NOT NULL) STRICT", "INSERT INTO customers VALUES " + strings.Join(rows, ",")} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return sources.Secret("sqlite://" + file)
}

// serveOn serves a handler on a loopback port until the test ends.
func serveOn(t *testing.T, handler http.Handler) (host string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	var done sync.WaitGroup
	done.Go(func() {
		if err := server.Serve(l); err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		done.Wait()
	})
	return l.Addr().String()
}
