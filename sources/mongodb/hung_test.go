package mongodb

import (
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// running counts the statements on a collection that the server has at work. The
// embedded engine does not know whose they are, and the collection is one test's own.
func (s *shop) running(collection string) int {
	s.t.Helper()
	cursor, err := s.db.Client().Database("admin").Aggregate(s.t.Context(), bson.A{
		doc("$currentOp", bson.D{{Key: "allUsers", Value: true}, {Key: "idleConnections", Value: false}}),
		doc("$match", bson.D{{Key: "ns", Value: s.name + "." + collection}, {Key: "active", Value: true}}),
	})
	if err != nil {
		s.t.Fatalf("ask what is running: %v", err)
	}
	var operations []bson.Raw
	if err := cursor.All(s.t.Context(), &operations); err != nil {
		s.t.Fatalf("ask what is running: %v", err)
	}
	return len(operations)
}

// hung reads a statement that takes the server far longer than it may, and returns
// how long after it began it was gone from the server.
func hung(t *testing.T, limit time.Duration) time.Duration {
	t.Helper()
	shop := newShop(t)
	var documents []any
	for n := range 10_000 {
		documents = append(documents, bson.D{{Key: "_id", Value: n}})
	}
	shop.insert("slow", documents...)
	d := &sources.Dataset{Name: "slow", Key: []string{"_id"},
		Where: `{"$expr": {"$lt": [{"$reduce": {"input": {"$range": [0, 50000]}, "initialValue": 0, "in": {"$add": ["$$value", "$_id"]}}}, -1]}}`}
	source := shop.open(func(o *sources.Options) { o.StatementTimeout = limit })
	reader := sources.NewReader("shop", source, sources.Limits{Statement: limit, Attempts: 1}, nil)
	began := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := reader.Stream(d, sources.ScanRequest{}).Next(t.Context())
		ended <- err
	}()
	wait := func(what string, running int) {
		for shop.running("slow") != running {
			if time.Since(began) > time.Minute {
				t.Fatalf("waited in vain for the statement to %s", what)
			}
		}
	}
	wait("run", 1)
	if err := <-ended; sources.FailureOf(err) != sources.FailureTimeout {
		t.Errorf("the read ended with %v", err)
	}
	wait("be gone", 0)
	return time.Since(began)
}

func TestAHungStatementIsCancelledOnTheServer(t *testing.T) {
	t.Parallel()
	t.Logf("gone %s after it began", hung(t, time.Second))
}

func TestSoakAHungStatementIsCancelledInTime(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	for range 10 {
		if took := hung(t, 2*time.Second); took > 4*time.Second {
			t.Errorf("a statement that may take 2 s was gone after %s", took)
		}
	}
}
