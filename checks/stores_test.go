package checks_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite" // the driver the tests write files with

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/all"
)

// stores are the real stores of one test: a PostgreSQL database, a MongoDB
// database and an SQLite file of its own, gone when the test ends.
type stores struct {
	t       *testing.T
	pg      *pgx.Conn
	mongo   *mongo.Database
	lite    *sql.DB
	my      *sql.DB       // these three after openOthers
	redis   *redis.Client // whose keys all begin with prefix
	service *service
	prefix  string
	urls    map[string]string // by kind
	limits  sources.Limits
	readers map[string]*sources.Reader
}

func env(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run `make test`, which starts the servers", name)
	}
	return value
}

func openStores(t *testing.T, createOptions string) *stores {
	t.Helper()
	ctx := context.Background()
	name := fmt.Sprintf("checks_%d_%x", os.Getpid(), rand.Uint64())
	s := &stores{t: t, urls: map[string]string{}, readers: map[string]*sources.Reader{}}

	admin, err := pgx.Connect(ctx, env(t, "PLUMBLINE_TEST_POSTGRES_URL"))
	must(t, err)
	_, err = admin.Exec(ctx, "CREATE DATABASE "+name+" "+createOptions)
	must(t, err)
	u, err := url.Parse(env(t, "PLUMBLINE_TEST_POSTGRES_URL"))
	must(t, err)
	u.Path = "/" + name
	s.urls["postgres"] = u.String()
	s.pg, err = pgx.Connect(ctx, s.urls["postgres"])
	must(t, err)

	u, err = url.Parse(env(t, "PLUMBLINE_TEST_MONGODB_URL"))
	must(t, err)
	u.Path = "/" + name
	s.urls["mongodb"] = u.String()
	client, err := mongo.Connect(options.Client().ApplyURI(s.urls["mongodb"]))
	must(t, err)
	s.mongo = client.Database(name)

	file := filepath.Join(t.TempDir(), "replica.db")
	s.urls["sqlite"] = "sqlite://" + file
	s.lite, err = sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	must(t, err)
	s.lite.SetMaxOpenConns(1)

	t.Cleanup(func() {
		for _, r := range s.readers {
			must(t, r.Close())
		}
		must(t, s.lite.Close())
		must(t, s.mongo.Drop(ctx))
		must(t, client.Disconnect(ctx))
		must(t, s.pg.Close(ctx))
		_, err := admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		must(t, err)
		must(t, admin.Close(ctx))
	})
	return s
}

// open opens another reader of a kind's store under a name, by a URL of the caller's where given.
func (s *stores) open(name, kind, url string, limits sources.Limits) {
	s.t.Helper()
	if url == "" {
		url = s.urls[kind]
	}
	source, err := all.Kinds()[kind](sources.Options{Name: name, URL: sources.Secret(url)})
	must(s.t, err)
	if old := s.readers[name]; old != nil {
		must(s.t, old.Close())
	}
	s.readers[name] = sources.NewReader(name, source, limits, nil)
}

// find is a checks.Readers: a source is named after its kind unless opened otherwise.
func (s *stores) find(name string) (*sources.Reader, error) {
	if s.readers[name] == nil {
		s.open(name, name, "", s.limits)
	}
	return s.readers[name], nil
}

func (s *stores) exec(statement string, args ...any) {
	s.t.Helper()
	_, err := s.pg.Exec(context.Background(), statement, args...)
	must(s.t, err)
}

func (s *stores) execLite(statement string, args ...any) {
	s.t.Helper()
	_, err := s.lite.Exec(statement, args...)
	must(s.t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func field(owner, replica string) checks.Rule {
	return checks.Rule{Owner: checks.FieldRef{Name: owner}, Replica: checks.FieldRef{Name: replica}, Precision: -1}
}

func noSettle() *time.Duration {
	d := time.Duration(0)
	return &d
}
