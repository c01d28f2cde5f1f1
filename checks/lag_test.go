package checks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"plumbline/checks"
	"plumbline/sources"
)

// A writer changes 500 records a second, and its replica follows 2 s later.
func TestLagIsNoDrift(t *testing.T) {
	t.Parallel()
	lagging(t, time.Minute)
}

func TestSoakLagIsNoDrift(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	lagging(t, 10*time.Minute)
}

// change is one event on its way to the replica.
type change struct {
	id      int64
	name    string // "" deletes
	arrives time.Time
}

// traffic writes to the owner and, later, to the replica.
type traffic struct {
	t       *testing.T
	owner   *pgxpool.Pool
	replica *mongo.Collection
	queue   chan []change
	flowing chan struct{} // closed when changes have been on their way for a while
	mu      sync.Mutex
	lost    map[int64]time.Time // quiet keys whose update was lost, and when
	// waiting holds, by key, when the changes on their way were written, and late
	// the keys of which one took as long as differences settle. The promise is
	// about replicas that lag less; a machine that stalls makes ours lag more.
	waiting map[int64][]time.Time
	late    map[int64]bool
}

const (
	lagKeys   = 5_000
	lagBehind = 2 * time.Second
	lagSettle = 5 * time.Second
	lagMargin = 500 * time.Millisecond
	lostKeys  = 20 // quiet ones from 1, hot ones from 101
)

func quiet(id int64) bool { return id >= 1 && id <= lostKeys }
func hot(id int64) bool   { return id > 100 && id <= 100+lostKeys }

func lagging(t *testing.T, length time.Duration) {
	s := openStores(t, "")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s.exec("CREATE TABLE records (id bigint PRIMARY KEY, name text)")
	s.exec(fmt.Sprintf("INSERT INTO records SELECT i, 'first ' || i FROM generate_series(1, %d) i", lagKeys))
	var documents []any
	for id := range int64(lagKeys) {
		documents = append(documents, bson.D{{Key: "_id", Value: id + 1}, {Key: "name", Value: fmt.Sprintf("first %d", id+1)}})
	}
	collection := s.mongo.Collection("records")
	_, err := collection.InsertMany(ctx, documents)
	must(t, err)
	pool, err := pgxpool.New(ctx, s.urls["postgres"])
	must(t, err)
	defer pool.Close()

	seed := seeds(t, 1)[0]
	traffic := &traffic{t: t, owner: pool, replica: collection, queue: make(chan []change, 10_000), flowing: make(chan struct{}), lost: map[int64]time.Time{},
		waiting: map[int64][]time.Time{}, late: map[int64]bool{}}
	var running sync.WaitGroup
	written := 0
	running.Go(func() { written = traffic.write(ctx, rand.New(rand.NewPCG(seed, 3)), length) })
	running.Go(traffic.replicate)

	check := &checks.Check{Name: "records",
		Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: "records", Key: []string{"id"}}},
		Edges: []checks.Edge{{Name: "mongodb", Rules: []checks.Rule{field("name", "name")}, Settle: lagSettle,
			Replica: checks.Side{Source: "mongodb", Kind: "mongodb", Dataset: sources.Dataset{Name: "records", Key: []string{"_id"}}}}}}
	runs, cleared, unsettled := 0, int64(0), int64(0)
	audit := func(writing bool) {
		began := time.Now()
		run := checks.Run(ctx, check, 0, s.find, checks.Options{})
		runs, cleared, unsettled = runs+1, cleared+run.Counts.SuspectsCleared, unsettled+run.Counts.Unsettled
		if run.Result == checks.Error || run.Pending > 0 {
			t.Fatalf("run %d: %s, pending %d, %v", runs, run.Result, run.Pending, run.ReasonList())
		}
		traffic.judge(run, began, writing)
	}
	<-traffic.flowing
	for began := time.Now(); time.Since(began) < length-35*time.Second; {
		audit(true)
	}
	running.Wait()
	audit(false)
	late := 0
	for _, took := range traffic.late {
		if took {
			late++
		}
	}
	t.Logf("figure: lag: %d changes in %s, %d runs, %d suspects cleared, %d unsettled; %d keys lagged as long as differences settle",
		written, length, runs, cleared, unsettled, late)
	if least := int(length.Seconds()) * 450; written < least {
		t.Errorf("only %d changes were written, want %d: the machine is too slow for the test to mean anything", written, least)
	}
	if cleared == 0 {
		t.Error("no suspect was ever cleared: nothing was in flight")
	}
}

// judge fails for a difference that no lost update explains, and for a lost
// update, seen by the run from its beginning, that it did not find.
func (w *traffic) judge(run checks.EdgeRun, began time.Time, writing bool) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []int64
	for _, d := range run.Differences {
		id, _ := d.Key[0].Integer()
		got = append(got, id)
		if _, lost := w.lost[id]; !lost && !hot(id) && !w.tookLong(id) {
			w.t.Errorf("false %s of key %d, first seen %s", d.Kind, id, d.FirstSeen.Format(time.RFC3339Nano))
		}
	}
	for id, when := range w.lost {
		if when.Before(began) && !slices.Contains(got, id) {
			w.t.Errorf("the update of key %d, lost %s before the run, was not found", id, began.Sub(when))
		}
	}
	hotFound := 0
	for _, id := range got {
		if hot(id) {
			hotFound++
		}
	}
	if writing && int64(hotFound)+run.Counts.Unsettled < lostKeys {
		w.t.Errorf("of %d keys rewritten every second, %d were found and %d unsettled: the rest was passed over in silence",
			lostKeys, hotFound, run.Counts.Unsettled)
	}
	if !writing && (len(w.lost) != lostKeys || len(got) != lostKeys) {
		w.t.Errorf("at rest: found %d differences of %d lost updates", len(got), len(w.lost))
	}
}

// tookLong says whether a change of the key was on its way for as long as
// differences settle. w.mu is held.
func (w *traffic) tookLong(id int64) bool {
	return w.late[id] || len(w.waiting[id]) > 0 && time.Since(w.waiting[id][0]) > lagSettle-lagMargin
}

// write changes the owner at 500 changes a second, and says how many it wrote.
func (w *traffic) write(ctx context.Context, r *rand.Rand, length time.Duration) (written int) {
	defer close(w.queue)
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	next := int64(lagKeys)
	seconds, losses, flowing, lostHot := 0, 0, false, false
	for time.Since(began) < length {
		<-tick.C
		elapsed := time.Since(began)
		if !flowing && elapsed > 3*time.Second {
			flowing = true
			close(w.flowing)
		}
		for due := int(time.Since(began).Seconds() * 500); written < due; {
			var changes []change
			for range 10 {
				id := 200 + r.Int64N(next-199)
				name := fmt.Sprintf("change %d", written)
				switch r.IntN(40) {
				case 0:
					name = ""
				case 1:
					next++
					id = next
				}
				changes = append(changes, change{id: id, name: name})
				written++
			}
			w.send(ctx, changes, true)
		}
		if int(elapsed/time.Second) >= seconds { // each second
			var changes []change
			for id := int64(101); id <= 100+lostKeys; id++ {
				changes = append(changes, change{id: id, name: fmt.Sprintf("hot %d", seconds)})
			}
			lose := !lostHot && seconds >= 5 // one update of each hot key is lost
			lostHot = lostHot || lose
			w.send(ctx, changes, !lose)
			seconds = max(seconds+1, int(elapsed/time.Second))
		}
		if lost := int64(losses) + 1; quiet(lost) && elapsed > time.Duration(losses)*time.Second+500*time.Millisecond {
			losses++
			w.send(ctx, []change{{id: lost, name: "lost"}}, false)
			w.mu.Lock()
			w.lost[lost] = time.Now()
			w.mu.Unlock()
		}
	}
	return written
}

// send writes changes to the owner and, where they are not lost, queues them for the replica.
func (w *traffic) send(ctx context.Context, changes []change, arrive bool) {
	batch, began := &pgx.Batch{}, time.Now()
	for _, c := range changes {
		if c.name == "" {
			batch.Queue("DELETE FROM records WHERE id = $1", c.id)
		} else {
			batch.Queue("INSERT INTO records VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name", c.id, c.name)
		}
	}
	if err := w.owner.SendBatch(ctx, batch).Close(); err != nil {
		w.t.Errorf("write: %v", err)
		return
	}
	if !arrive {
		return
	}
	now := time.Now()
	w.mu.Lock()
	for i := range changes {
		changes[i].arrives = now.Add(lagBehind)
		w.waiting[changes[i].id] = append(w.waiting[changes[i].id], began)
	}
	w.mu.Unlock()
	w.queue <- changes
}

// replicate applies the queue in order, each change when it arrives.
func (w *traffic) replicate() {
	ctx := context.Background()
	for changes := range w.queue {
		time.Sleep(time.Until(changes[0].arrives)) // the lag under test
		var models []mongo.WriteModel
		for _, c := range changes {
			filter := bson.D{{Key: "_id", Value: c.id}}
			if c.name == "" {
				models = append(models, mongo.NewDeleteOneModel().SetFilter(filter))
				continue
			}
			models = append(models, mongo.NewReplaceOneModel().SetFilter(filter).SetUpsert(true).
				SetReplacement(bson.D{{Key: "_id", Value: c.id}, {Key: "name", Value: c.name}}))
		}
		if _, err := w.replica.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(true)); err != nil {
			w.t.Errorf("replicate: %v", err)
			return
		}
		w.mu.Lock()
		for _, c := range changes {
			w.late[c.id] = w.late[c.id] || time.Since(w.waiting[c.id][0]) > lagSettle-lagMargin
			w.waiting[c.id] = w.waiting[c.id][1:]
		}
		w.mu.Unlock()
	}
}
