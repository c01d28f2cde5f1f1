package mongodb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.uber.org/goleak"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestErrorsHaveTheirClass(t *testing.T) {
	t.Parallel()
	s := &source{secrets: []string{"hidden!word", "hidden%21word"}}
	refused := func(code int32, name string) error {
		return mongo.CommandError{Code: code, Name: name, Message: "no, hidden!word"}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want sources.Failure
	}{
		{"unauthorized", t.Context(), refused(13, "Unauthorized"), sources.FailureFinal},
		{"authentication", t.Context(), refused(18, "AuthenticationFailed"), sources.FailureFinal},
		{"authentication at sign-in", t.Context(), errors.New("auth error: sasl: (AuthenticationFailed) Authentication failed."), sources.FailureFinal},
		{"a bad filter", t.Context(), refused(2, "BadValue"), sources.FailureFinal},
		{"a bad stage", t.Context(), refused(40324, "Location40324"), sources.FailureFinal},
		{"an expression that fails", t.Context(), refused(241, "ConversionFailure"), sources.FailureFinal},
		{"a missing namespace", t.Context(), refused(26, "NamespaceNotFound"), sources.FailureFinal},
		{"the statement timeout", t.Context(), refused(50, "MaxTimeMSExpired"), sources.FailureTimeout},
		{"the statement timeout, ours too", over, refused(50, "MaxTimeMSExpired"), sources.FailureTimeout},
		{"no longer primary", t.Context(), refused(10107, "NotWritablePrimary"), sources.FailureTransient},
		{"a lost cursor", t.Context(), refused(43, "CursorNotFound"), sources.FailureTransient},
		{"interrupted", t.Context(), refused(11601, "Interrupted"), sources.FailureTransient},
		{"a killed plan", t.Context(), refused(175, "QueryPlanKilled"), sources.FailureTransient},
		{"a draw that repeats", t.Context(), refused(28799, "Location28799"), sources.FailureTransient},
		{"the network", t.Context(), errors.New("connection reset, hidden%21word"), sources.FailureTransient},
	}
	for _, test := range tests {
		got := s.failed(test.ctx, test.err)
		if sources.FailureOf(got) != test.want || strings.Contains(got.Error(), "hidden") || !errors.Is(got, test.err) && codeOf(got) != codeOf(test.err) {
			t.Errorf("%s: %v, class %d", test.name, got, sources.FailureOf(got))
		}
	}
	if err := s.failed(over, errors.New("connection closed")); !errors.Is(err, context.Canceled) {
		t.Errorf("an error after the end is %v", err)
	}
	if !noReadConcern(refused(148, "ReadConcernMajorityNotEnabled")) || noReadConcern(refused(72, "InvalidOptions")) ||
		!noReadConcern(mongo.CommandError{Code: 72, Name: "InvalidOptions", Message: "readConcern is not supported"}) {
		t.Error("a server without read concern is not known by its answer")
	}
}

func TestOpenChecksTheURLAndReachesNothing(t *testing.T) {
	t.Parallel()
	good := []sources.Secret{"mongodb://127.0.0.1/shop", "mongodb://u:p%40ss@a.invalid:1,b.invalid:2,[::1]:3/shop?replicaSet=rs&readConcernLevel=local&readPreference=secondary",
		"mongodb+srv://cluster.invalid/shop", "mongodb://u:a%2Cb@a.invalid,b.invalid/shop?authSource=admin", "mongodb://%2Ftmp%2Fmongodb-27017.sock/shop"}
	for _, u := range good {
		s, err := Open(sources.Options{URL: u})
		if err != nil {
			t.Errorf("%s: %v", u.Reveal(), err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_, err = s.Lookup(t.Context(), &sources.Dataset{Name: "x", Key: []string{"_id"}}, ints(1), nil, sources.Limit{Records: 1, Bytes: 1})
		final(t, err)
	}
	bad := []sources.Secret{"", "shop", "postgres://u:s3cret@h/shop", "mongodb://u:s3cret@h", "mongodb://u:s3cret@h/", "mongodb://u:s3cret@h/?ssl=true", "mongodb+srv://u:s3cret@h",
		"mongodb://u:s3cret@h/shop?readPreference=whatever", "mongodb://u:s3cret/x@h/shop", "mongodb://u:s3cret@h/a.b"}
	for _, u := range bad {
		_, err := Open(sources.Options{URL: u})
		if text := final(t, err); strings.Contains(text, "s3cret") {
			t.Error(text)
		}
	}
	s, err := Open(sources.Options{URL: "mongodb://h/shop?readConcernLevel=local"})
	if err != nil {
		t.Fatal(err)
	}
	if level := s.(*source).options.ReadConcern.Level; level != "local" {
		t.Errorf("the URL's read concern is %s", level)
	}
}

// TestTheStatementTimeoutIsTheServers reads what takes longer than a statement may.
func TestTheStatementTimeoutIsTheServers(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open(func(o *sources.Options) { o.StatementTimeout = 40 * time.Millisecond })
	var documents []any
	for n := range 1000 {
		documents = append(documents, bson.D{{Key: "_id", Value: n}})
	}
	shop.insert("slow", documents...)
	slow := `{"$expr": {"$lt": [{"$reduce": {"input": {"$range": [0, 20000]}, "initialValue": 0, "in": {"$add": ["$$value", "$_id"]}}}, -1]}}`
	limit := sources.Limit{Records: 1000, Bytes: plenty}
	for name, d := range map[string]sources.Dataset{
		"filter":   {Name: "slow", Key: []string{"_id"}, Filter: slow},
		"where":    {Name: "slow", Key: []string{"_id"}, Where: slow},
		"pipeline": {Name: "slow", Key: []string{"_id"}, Pipeline: `[{"$match": ` + slow + `}]`},
	} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // the Reader's, longer than the statement's
		_, err := source.Scan(ctx, &d, sources.ScanRequest{Limit: limit})
		cancel()
		if err == nil || sources.FailureOf(err) != sources.FailureTimeout || time.Since(began) > 10*time.Second {
			t.Errorf("%s: after %s: %v, class %d", name, time.Since(began), err, sources.FailureOf(err))
		}
	}
}

func TestACursorThatDiesIsAnErrorAndNoEnd(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	var documents []any
	for n := range 100 {
		documents = append(documents, bson.D{{Key: "_id", Value: n}})
	}
	shop.insert("dying", documents...)
	command := find("dying", nil, nil, 100)
	command[len(command)-1].Value = int32(10) // ten batches
	seen := 0
	err := source.each(t.Context(), command, func(bsoncore.Document) error {
		if seen++; seen == 5 {
			return shop.db.Collection("dying").Drop(t.Context())
		}
		return nil
	})
	if err == nil || sources.FailureOf(err) != sources.FailureTransient || seen != 10 {
		t.Errorf("after %d documents: %v", seen, err)
	}
}

// TestALineCutInAPageOfSeveralBatches reads 30 MB in one page, of which the server
// sends at most 16 MB at once.
func TestALineCutInAPageOfSeveralBatches(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	var documents []any
	for n := range 30 {
		documents = append(documents, bson.D{{Key: "_id", Value: n}, {Key: "body", Value: strings.Repeat("x", 1<<20)}})
	}
	shop.insert("heavy", documents...)
	u, err := url.Parse(server(t))
	if err != nil {
		t.Fatal(err)
	}
	line := sourcetest.NewWire(t, "tcp", u.Host)
	source := shop.open(func(o *sources.Options) { o.URL, o.Connections = shop.urlAt(line.Address()), 1 })
	d := sources.Dataset{Name: "heavy", Key: []string{"_id"}, Fields: []string{"body"}}
	r := sources.ScanRequest{Limit: sources.Limit{Records: 30, Bytes: 64 << 20}}
	if page, err := source.Scan(t.Context(), &d, r); err != nil || page.Len() != 30 { // learns the documents' size
		t.Fatal(page.Len(), err)
	}
	for _, after := range []int{100, 10 << 20, 17 << 20, 25 << 20} {
		line.Cut(after)
		page, err := source.Scan(t.Context(), &d, r)
		if err == nil || page.Len() > 0 || sources.FailureOf(err) != sources.FailureTransient {
			t.Errorf("cut after %d bytes: %d records, %v", after, page.Len(), err)
		}
		line.Mend()
		reader := sources.NewReader("heavy", source, sources.Limits{}, nil)
		found := 0
		if err := reader.Lookup(t.Context(), &d, ints(upTo(30)...), func(p *sources.Page) error {
			found += p.Len()
			return nil
		}); err != nil || found != 30 {
			t.Errorf("after the cut: %d records, %v", found, err)
		}
	}
}

func TestPagesEndAtTheirBytes(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	var documents []any
	for n := range 200 {
		documents = append(documents, bson.D{{Key: "_id", Value: n}, {Key: "body", Value: strings.Repeat("x", 10_000)}})
	}
	shop.insert("bytes", documents...)
	d := sources.Dataset{Name: "bytes", Key: []string{"_id"}, Fields: []string{"body"}}
	r := sources.ScanRequest{Limit: sources.Limit{Records: 1000, Bytes: 100_000}}
	var sizes []int
	for {
		page, err := source.Scan(t.Context(), &d, r)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, page.Len())
		if page.Done {
			break
		}
		r.After = page.Next
	}
	if len(sizes) < 19 || slices.Max(sizes) > 11 {
		t.Errorf("pages of 100 kB have %v records of 10 kB", sizes)
	}
	keys := source.builder(mustPrepare(t, d), true, r.Limit)
	if fmt.Sprint(keys.shape.projection) != fmt.Sprint(byID()) {
		t.Errorf("keys alone are asked for as %v", keys.shape.projection)
	}
}

func mustPrepare(t testing.TB, d sources.Dataset) *dataset {
	t.Helper()
	p, err := prepare(&d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
