package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"plumbline/checks"
	"plumbline/configs"
	"plumbline/sources"
	"plumbline/sources/all"
)

// shop is the composition's stores, filled by the composition's own scripts, in
// databases of this test's own on the test's servers.
type shop struct {
	copies    *mongo.Database
	addresses map[string]string // by the secret that holds each
}

// newShop fills the stores. suffix keeps names apart from those of other tests
// on the same servers.
func newShop(t *testing.T, secrets, suffix string) *shop {
	t.Helper()
	s := &shop{addresses: map[string]string{}}
	s.fillPostgres(t, secrets, suffix)
	s.fillMongoDB(t, secrets, suffix)
	s.fillMariaDB(t, secrets, suffix)
	s.fillRedis(t, secrets, suffix)
	return s
}

func (s *shop) fillPostgres(t *testing.T, secrets, suffix string) {
	t.Helper()
	ctx := context.Background()
	server := testServer(t, "PLUMBLINE_TEST_POSTGRES_URL")
	reader, owner := "plumbline_reader_"+suffix, "plumbline_ledger_"+suffix
	catalog, ledger := "shop_"+suffix, "plumbline_"+suffix
	names := strings.NewReplacer("plumbline_reader", reader, "plumbline_ledger", owner, "DATABASE plumbline", "DATABASE "+ledger)
	secret := regexp.MustCompile(`pg_read_file\('/run/secrets/(\w+)'\)`)
	script := func(file string) string {
		return secret.ReplaceAllStringFunc(names.Replace(read(t, "shop/postgres/"+file)), func(call string) string {
			return "'" + read(t, filepath.Join(secrets, secret.FindStringSubmatch(call)[1])) + "'"
		})
	}

	admin, err := pgx.Connect(ctx, server.String())
	must(t, err)
	t.Cleanup(func() {
		for _, undo := range []string{"DROP DATABASE IF EXISTS " + catalog + " WITH (FORCE)", "DROP DATABASE IF EXISTS " + ledger + " WITH (FORCE)",
			"DROP ROLE IF EXISTS " + reader, "DROP ROLE IF EXISTS " + owner} {
			_, err := admin.Exec(ctx, undo)
			must(t, err)
		}
		must(t, admin.Close(ctx))
	})
	_, err = admin.Exec(ctx, "CREATE DATABASE "+catalog) // as POSTGRES_DB does
	must(t, err)
	at := func(role, secret, database string) string {
		u := *server
		u.Path = "/" + database
		if role != "" {
			u.User = url.UserPassword(role, strings.TrimSpace(read(t, filepath.Join(secrets, secret))))
		}
		return u.String()
	}
	conn, err := pgx.Connect(ctx, at("", "", catalog))
	must(t, err)
	scripts, err := filepath.Glob("shop/postgres/*.sql") // in their order, as the image's entry point does
	must(t, err)
	for _, file := range scripts {
		_, err := conn.Exec(ctx, script(filepath.Base(file)))
		must(t, err)
	}
	must(t, conn.Close(ctx))
	s.addresses["catalog_url"] = at(reader, "reader_password", catalog)
	s.addresses["ledger_url"] = at(owner, "ledger_password", ledger)
}

// shell lends shop/mongodb/shop.js what mongosh lends it, and writes down what it
// asks for.
const shell = `
const asked = (what, name, doc) => process.stdout.write(JSON.stringify({ what, name, doc }) + '\n');
globalThis.EJSON = { parse: JSON.parse };
globalThis.db = { getSiblingDB: (database) => ({
  getCollection: (name) => ({
    insertMany: (docs) => docs.forEach((doc) => asked('insert', database + '.' + name, doc)),
    createIndex: (doc) => asked('index', database + '.' + name, doc),
  }),
  createUser: (doc) => asked('user', database, doc),
}) };
require(process.argv[1]);
`

func (s *shop) fillMongoDB(t *testing.T, secrets, suffix string) {
	t.Helper()
	ctx := context.Background()
	server := testServer(t, "PLUMBLINE_TEST_MONGODB_URL")
	server.Path = "/shop_" + suffix
	client, err := mongo.Connect(options.Client().ApplyURI(server.String()))
	must(t, err)
	s.copies = client.Database("shop_" + suffix)
	t.Cleanup(func() {
		must(t, s.copies.Drop(ctx))
		must(t, client.Disconnect(ctx))
	})
	s.addresses["copies_url"] = server.String()

	here, err := filepath.Abs("shop/mongodb")
	must(t, err)
	node := exec.CommandContext(t.Context(), "node", "--eval", shell, filepath.Join(here, "shop.js"))
	node.Env = append(os.Environ(), "SHOP_DIR="+here, "SECRETS_DIR="+secrets)
	var wrong bytes.Buffer
	node.Stderr = &wrong
	out, err := node.Output()
	if err != nil {
		t.Fatalf("run shop.js: %v\n%s", err, wrong.String())
	}
	inserted, users := 0, 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var asked struct {
			What, Name string
			Doc        json.RawMessage
		}
		must(t, json.Unmarshal(lines.Bytes(), &asked))
		var doc bson.D
		must(t, bson.UnmarshalExtJSON(asked.Doc, false, &doc))
		name, ours := strings.CutPrefix(asked.Name, "shop.")
		switch {
		case asked.What == "insert" && ours:
			_, err := s.copies.Collection(name).InsertOne(ctx, doc)
			must(t, err)
			inserted++
		case asked.What == "index" && ours:
			_, err := s.copies.Collection(name).Indexes().CreateOne(ctx, mongo.IndexModel{Keys: doc})
			must(t, err)
		case asked.What == "user" && asked.Name == "admin" && strings.Contains(string(asked.Doc), `"role":"read","db":"shop"`):
			users++ // who signs in as copies_url says
		default:
			t.Errorf("shop.js asks for %s of %s: %s", asked.What, asked.Name, asked.Doc)
		}
	}
	if inserted < 100 || users != 1 {
		t.Errorf("shop.js inserts %d documents and makes %d users", inserted, users)
	}
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

// The checks find in the shop what was planted there, and nothing else.
func TestChecksFindWhatWasPlanted(t *testing.T) {
	t.Parallel()
	secrets := makeSecrets(t)
	shop := newShop(t, secrets, unique())
	config, err := configs.Load("compose/plumbline.yaml", os.LookupEnv, func(file string) ([]byte, error) {
		if address, ours := shop.addresses[filepath.Base(file)]; ours {
			return []byte(address), nil
		}
		return os.ReadFile(filepath.Join(secrets, filepath.Base(file)))
	})
	must(t, err)
	readers := map[string]*sources.Reader{}
	for name, s := range config.Sources {
		source, err := all.Kinds()[s.Kind](sources.Options{Name: name, URL: s.URL})
		must(t, err)
		t.Cleanup(func() { must(t, source.Close()) })
		readers[name] = sources.NewReader(name, source, sources.Limits{}, nil)
	}
	found, settle := map[string]int{}, time.Duration(0)
	for _, check := range config.Checks {
		run := checks.Run(t.Context(), &check, 0, func(name string) (*sources.Reader, error) { return readers[name], nil }, checks.Options{Settle: &settle})
		if run.Coverage() != 1 || run.Err != nil {
			t.Errorf("%s: coverage %v, %v, %v", check.Name, run.Coverage(), run.ReasonList(), run.Err)
		}
		for kind, count := range map[string]int64{"mismatch": run.Counts.Mismatch, "missing": run.Counts.Missing, "extra": run.Counts.Extra,
			"duplicate": run.Counts.Duplicate, "unreadable": run.Counts.Unreadable} {
			if count > 0 {
				found[check.Name+" "+kind] = int(count)
			}
		}
	}
	if diff := cmp.Diff(planted(), found); diff != "" {
		t.Error(diff)
	}
}

// unique is a part of a name that nobody else on the servers has.
func unique() string { return fmt.Sprintf("%d_%x", os.Getpid(), rand.Uint64()) }
