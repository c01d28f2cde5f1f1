package configs_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite" // the driver the test writes files with

	"plumbline/checks"
	"plumbline/configs"
	"plumbline/sources"
	"plumbline/sources/all"
)

// Every example, run against real stores made from the files beside it, finds
// just what its expect.txt lists.
func TestExamplesOnRealStores(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(examples) != 6 {
		t.Fatal(len(examples), "examples", err)
	}
	for _, path := range examples {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			base := filepath.Join("examples", "testdata", strings.TrimSuffix(filepath.Base(path), ".yaml"))
			draft, err := configs.Load(path, anyAddress, secretFile)
			must(t, err)
			urls := map[string]string{} // by kind: sources of one kind share a store
			for _, s := range draft.Sources {
				if urls[s.Kind] == "" {
					urls[s.Kind] = makeStore(t, s.Kind, base)
				}
			}
			readers := map[string]*sources.Reader{}
			for name, s := range draft.Sources {
				source, err := all.Kinds()[s.Kind](sources.Options{Name: name, URL: sources.Secret(urls[s.Kind])})
				must(t, err)
				readers[name] = sources.NewReader(name, source, sources.Limits{}, nil)
				t.Cleanup(func() { must(t, source.Close()) })
			}
			find := func(name string) (*sources.Reader, error) { return readers[name], nil }
			expected, err := os.ReadFile(base + ".expect.txt")
			must(t, err)
			for _, check := range draft.Checks {
				for i := range check.Edges {
					settle := time.Duration(0)
					run := checks.Run(t.Context(), &check, i, find, checks.Options{Settle: &settle})
					got := fmt.Sprintf("%s %s %s %d %d %d %d", run.Check, run.Replica, run.Result, run.Counts.Mismatch,
						run.Counts.Missing, run.Counts.Extra, run.Counts.Duplicate)
					if !strings.Contains("\n"+string(expected), "\n"+got+"\n") || run.Coverage() != 1 {
						t.Errorf("%s, coverage %v, %v, %v; expected:\n%s", got, run.Coverage(), run.ReasonList(), run.Err, expected)
					}
				}
			}
		})
	}
}

// makeStore makes a store of a kind from an example's file and returns its URL.
func makeStore(t *testing.T, kind, base string) string {
	t.Helper()
	ctx := context.Background()
	name := fmt.Sprintf("example_%d_%x", os.Getpid(), rand.Uint64())
	switch kind {
	case "postgres":
		server := testServer(t, "PLUMBLINE_TEST_POSTGRES_URL")
		admin, err := pgx.Connect(ctx, server.String())
		must(t, err)
		_, err = admin.Exec(ctx, "CREATE DATABASE "+name)
		must(t, err)
		t.Cleanup(func() {
			_, err := admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
			must(t, err)
			must(t, admin.Close(ctx))
		})
		server.Path = "/" + name
		script, err := os.ReadFile(base + ".postgres.sql")
		must(t, err)
		conn, err := pgx.Connect(ctx, server.String())
		must(t, err)
		_, err = conn.Exec(ctx, string(script))
		must(t, err)
		must(t, conn.Close(ctx))
		return server.String()
	case "mongodb":
		server := testServer(t, "PLUMBLINE_TEST_MONGODB_URL")
		server.Path = "/" + name
		client, err := mongo.Connect(options.Client().ApplyURI(server.String()))
		must(t, err)
		t.Cleanup(func() {
			must(t, client.Database(name).Drop(ctx))
			must(t, client.Disconnect(ctx))
		})
		text, err := os.ReadFile(base + ".mongodb.json")
		must(t, err)
		collections := map[string][]json.RawMessage{}
		must(t, json.Unmarshal(text, &collections))
		for collection, documents := range collections {
			for _, document := range documents {
				var d bson.D
				must(t, bson.UnmarshalExtJSON(document, false, &d))
				_, err := client.Database(name).Collection(collection).InsertOne(ctx, d)
				must(t, err)
			}
		}
		return server.String()
	case "redis":
		server := testServer(t, "PLUMBLINE_TEST_REDIS_URL")
		var client *redis.Client
		for database := 1; client == nil; database++ { // the first that nobody uses
			server.Path = fmt.Sprintf("/%d", database)
			o, err := redis.ParseURL(server.String())
			must(t, err)
			c := redis.NewClient(o)
			mine, err := c.SetNX(ctx, "used by", name, 0).Result()
			must(t, err)
			if mine {
				client = c
			} else {
				must(t, c.Close())
			}
		}
		t.Cleanup(func() {
			must(t, client.FlushDB(ctx).Err())
			must(t, client.Close())
		})
		text, err := os.ReadFile(base + ".redis.json")
		must(t, err)
		values := map[string]json.RawMessage{}
		must(t, json.Unmarshal(text, &values))
		for key, value := range values {
			must(t, client.Set(ctx, key, string(value), 0).Err())
		}
		return server.String()
	case "sqlite":
		file := filepath.Join(t.TempDir(), "example.db")
		script, err := os.ReadFile(base + ".sqlite.sql")
		must(t, err)
		db, err := sql.Open("sqlite", "file:"+file)
		must(t, err)
		_, err = db.Exec(string(script))
		must(t, err)
		must(t, db.Close())
		return "sqlite://" + file
	}
	t.Fatalf("no store of kind %s", kind)
	return ""
}

func testServer(t *testing.T, variable string) *url.URL {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: run `make test`, which starts the servers", variable)
	}
	u, err := url.Parse(value)
	must(t, err)
	return u
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
