package checks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// alteration is one of the eight changes of a schema.
type alteration string

const (
	dropField   alteration = "drop column"
	renameField alteration = "rename column"
	retypeField alteration = "retype column"
	addField    alteration = "add column"
	renameTable alteration = "rename table"
	emptyTable  alteration = "truncate"
	newIndex    alteration = "new index"
	dropKey     alteration = "drop primary key"
)

func alterations() []alteration {
	return []alteration{dropField, renameField, retypeField, addField, renameTable, emptyTable, newIndex, dropKey}
}

// shaped is a store whose tables are changed under a run. Every table has id,
// name and price.
type shaped struct {
	kind string
	few  bool         // its pages are as large as the store likes
	has  []alteration // nil for all
	side func(name string) checks.Side
	// load makes a table of n records; wrong are given another name.
	load func(t *testing.T, table string, n int, wrong map[int]bool)
	// alter does it; it may be called from any goroutine.
	alter func(table string, a alteration) error
	// unseen are changes that leave no trace in such a store: what is read tells
	// the truth, and that is all.
	unseen []alteration
	// open opens a reader with a page size.
	open func(t *testing.T, pages sources.Limits) *sources.Reader
}

const (
	shapeRecords = 400
	shapePage    = 25
)

// shapeTrial changes one side's schema after a random page, and says what the run
// made of it.
func shapeTrial(t *testing.T, s *shaped, a alteration, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	name := fmt.Sprintf("shape_%x", seed)
	owner, replica := name+"_o", name+"_r"
	wrong := map[int]bool{}
	for range r.IntN(3) {
		wrong[1+r.IntN(shapeRecords)] = true
	}
	s.load(t, owner, shapeRecords, nil)
	s.load(t, replica, shapeRecords, wrong)
	changed := []string{owner, replica}[r.IntN(2)]
	pages := sources.Limits{PageRecords: shapePage, Backoff: time.Millisecond, Attempts: 2}
	one, two := s.open(t, pages), s.open(t, pages)
	defer one.Close()
	defer two.Close()

	plan := []checks.PlanKind{"", checks.PlanKeys}[r.IntN(2)]
	at := int64(2 + r.IntN(shapeRecords/shapePage-4)) // of the driving side's pages; the last is not read by then
	if s.few {
		at = 2
	}
	var scans, after atomic.Int64
	var failure error
	var done atomic.Bool
	altered := make(chan struct{})
	check := shapeCheck(s, owner, replica)
	find := func(source string) (*sources.Reader, error) {
		return map[string]*sources.Reader{"one": one, "two": two}[source], nil
	}
	var before *checks.Seen // of an earlier run, where nothing tells the change that comes before the first page
	if at < 4 {
		before = seenBefore(t, check, find)
	}
	one.OnQuery(func(q sources.Query) {
		if q.Op != "scan" || scans.Add(1) != at {
			return
		}
		failure = s.alter(changed, a)
		done.Store(true)
		close(altered)
	})
	run := checks.Run(context.Background(), check, 0, find, checks.Options{Plan: plan, Seen: before, Parallel: 1, Segments: 1, Settle: noSettle(), Progress: func(p checks.Progress) {
		if p.Phase == "scan" && done.Load() {
			after.Add(1)
		}
	}})
	pagesRead := int64(2) // one being compared and one ahead of it, both read before
	if s.few {
		pagesRead = shapeRecords / shapePage // a list of the store's own may hold them all
	}
	label := fmt.Sprintf("%s, %s of the %s after page %d, plan %s, seed %d", s.kind, a, strings.TrimPrefix(changed, name+"_"), at, run.Plan.Kind, seed)
	if scans.Load() >= at { // the run may end of the change before whoever made it has come back
		select {
		case <-altered:
		case <-time.After(30 * time.Second):
		}
	}
	if !done.Load() || failure != nil {
		t.Fatalf("%s: %v, done %v after %d pages: %s %v", label, failure, done.Load(), scans.Load(), run.Result, run.ReasonList())
	}
	harmless := a == addField || a == newIndex
	unseen := slices.Contains(s.unseen, a)
	switch {
	case !unseen && len(run.SchemaChanges) == 0:
		t.Errorf("%s: not seen: %s %v", label, run.Result, run.ReasonList())
	case harmless && (run.Result != checks.Clean && run.Result != checks.Drift || run.Counts.Mismatch != int64(len(wrong))):
		t.Errorf("%s: %s, %+v, %v", label, run.Result, run.Counts, run.ReasonList())
	case !harmless && !unseen && (run.Result != checks.Incomplete || !strings.HasPrefix(run.ReasonList()[0], checks.SchemaPrefix)):
		t.Errorf("%s: %s %v", label, run.Result, run.ReasonList())
	case !harmless && !unseen && after.Load() > pagesRead:
		t.Errorf("%s: %d pages were taken over after it", label, after.Load())
	}
	for _, d := range run.Differences {
		id, _ := d.Key[0].Integer()
		gone := a == emptyTable && unseen && d.Kind == checks.Missing && changed == replica // true by then
		if !gone && (d.Kind != checks.Mismatch || !wrong[int(id)]) {
			t.Errorf("%s: false %s of %s %+v", label, d.Kind, d.Key, d.Fields)
			return
		}
	}
}

// seenBefore is what a run of everything showed of fields without a declared type.
func seenBefore(t *testing.T, check *checks.Check, find checks.Readers) *checks.Seen {
	a, err := checks.Open(t.Context(), check, 0, find, checks.Options{Segments: 1})
	must(t, err)
	segments, err := a.Cut(t.Context())
	must(t, err)
	for _, segment := range segments {
		must(t, a.Scan(t.Context(), segment, func(*checks.Part) error { return nil }))
	}
	seen := a.TakeSeen()
	return &seen
}

func shapeCheck(s *shaped, owner, replica string) *checks.Check {
	side := s.side
	if side == nil {
		side = func(name string) checks.Side {
			return checks.Side{Kind: s.kind, Dataset: sources.Dataset{Name: name, Key: []string{"id"}}}
		}
	}
	one, two := side(owner), side(replica)
	one.Source, two.Source = "one", "two"
	return &checks.Check{Name: "shapes", Owner: one,
		Edges: []checks.Edge{{Name: "two", Rules: []checks.Rule{field("name", "name"), field("price", "price")}, Replica: two}}}
}

func shapeTrials(t *testing.T, trials int, stores ...*shaped) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("first seed %d", seed)
	for _, s := range stores {
		kinds := s.has
		if kinds == nil {
			kinds = alterations()
		}
		for _, a := range kinds {
			for range trials {
				seed++
				shapeTrial(t, s, a, seed)
			}
		}
		t.Logf("figure: schema changes: %s, %d changes of %d kinds met by runs", s.kind, trials*len(kinds), len(kinds))
	}
}

// A schema that changes while it is read is seen before the next page counts.
func TestASchemaThatChangesMidRunIsNoDrift(t *testing.T) {
	t.Parallel()
	shapeTrials(t, 2, shapedMemory(), shapedSQLite(t))
}

func TestASchemaThatChangesMidRunOnServersIsNoDrift(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	s.openOthers()
	shapeTrials(t, 1, shapedPostgres(s), shapedMongo(s), shapedMySQL(s), shapedDocuments(s, "redis"), shapedDocuments(s, "http"))
}

func TestSoakASchemaThatChangesMidRunIsNoDrift(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	s := openStores(t, "")
	s.openOthers()
	shapeTrials(t, 20, shapedMemory(), shapedSQLite(t), shapedPostgres(s), shapedMongo(s), shapedMySQL(s), shapedDocuments(s, "redis"), shapedDocuments(s, "http"))
}
