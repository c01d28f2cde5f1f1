package checks_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver the tests write tables with
	"github.com/redis/go-redis/v9"

	"plumbline/checks"
	"plumbline/sources"
)

// The other stores of a test: a MySQL database, keys under a prefix of Redis and
// a service behind an HTTP API, all real and gone when the test ends.

// openOthers opens them beside the stores that are open.
func (s *stores) openOthers() {
	s.t.Helper()
	ctx := context.Background()
	name := fmt.Sprintf("checks_%d_%x", os.Getpid(), rand.Uint64())
	u, err := url.Parse(env(s.t, "PLUMBLINE_TEST_MYSQL_URL"))
	must(s.t, err)
	s.my, err = sql.Open("mysql", mysqlDSN(u, ""))
	must(s.t, err)
	_, err = s.my.ExecContext(ctx, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	must(s.t, err)
	must(s.t, s.my.Close())
	s.my, err = sql.Open("mysql", mysqlDSN(u, name))
	must(s.t, err)
	s.my.SetMaxOpenConns(2)
	u.Path = "/" + name
	s.urls["mysql"] = u.String()

	s.prefix = name
	s.urls["redis"] = env(s.t, "PLUMBLINE_TEST_REDIS_URL")
	options, err := redis.ParseURL(s.urls["redis"])
	must(s.t, err)
	s.redis = redis.NewClient(options)

	s.service = &service{listed: map[string][]json.RawMessage{}, byKey: map[string]map[string]json.RawMessage{}}
	server := httptest.NewServer(s.service)
	s.urls["http"] = server.URL
	s.t.Cleanup(func() {
		server.Close()
		keys, err := s.redis.Keys(ctx, name+":*").Result()
		must(s.t, err)
		for _, some := range slices.Collect(slices.Chunk(keys, 1000)) {
			must(s.t, s.redis.Del(ctx, some...).Err())
		}
		must(s.t, s.redis.Close())
		_, err = s.my.ExecContext(ctx, "DROP DATABASE "+name)
		must(s.t, err)
		must(s.t, s.my.Close())
	})
}

func mysqlDSN(u *url.URL, database string) string {
	password, _ := u.User.Password()
	return fmt.Sprintf("%s:%s@tcp(%s)/%s?multiStatements=true&time_zone=%s&sql_mode=''&allowAllFiles=false", u.User.Username(), password, u.Host, database, url.QueryEscape("'+00:00'"))
}

func (s *stores) execMy(statement string, args ...any) {
	s.t.Helper()
	_, err := s.my.Exec(statement, args...)
	must(s.t, err)
}

// service is a small service that gives records through an API: a list in pages,
// one by its key, and several.
type service struct {
	mu     sync.Mutex
	listed map[string][]json.RawMessage          // by resource, in the order they came
	byKey  map[string]map[string]json.RawMessage // by resource and key
}

func (s *service) put(resource, key string, document json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey[resource] == nil {
		s.byKey[resource] = map[string]json.RawMessage{}
	}
	s.byKey[resource][key] = document
	s.listed[resource] = append(s.listed[resource], document)
}

// ServeHTTP answers /{resource}?page_size=N&next=N and /{resource}/{key}.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resource, key, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.Header().Set("Content-Type", "application/json")
	if one {
		document, ok := s.byKey[resource][key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(document)
		return
	}
	size, err := strconv.Atoi(r.URL.Query().Get("page_size"))
	if err != nil || size < 1 {
		size = 100
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("next"))
	all := s.listed[resource]
	from = min(max(from, 0), len(all))
	to := min(from+size, len(all))
	answer := map[string]any{"data": append([]json.RawMessage{}, all[from:to]...), "page": map[string]any{"next": nil}}
	if to < len(all) {
		answer["page"] = map[string]any{"next": strconv.Itoa(to)}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// endpoint is how the service's API is declared.
func endpoint(resource string) *sources.Endpoint {
	return &sources.Endpoint{
		List: &sources.Listing{Path: "/" + resource, Items: "$.data", Next: "$.page.next", PageSize: 200},
		Get:  &sources.Getting{Path: "/" + resource + "/{id}"},
	}
}

// putDocument keeps a document with a numeric key id in Redis or the service.
func (s *stores) putDocument(kind, name, key string, document []byte) {
	s.t.Helper()
	if kind == "http" {
		s.service.put(name, key, document)
		return
	}
	must(s.t, s.redis.Set(context.Background(), s.prefix+":"+name+":"+key, document, 0).Err())
}

// documents is the side that putDocument fills.
func (s *stores) documents(kind, name string) checks.Side {
	side := checks.Side{Source: kind, Kind: kind, Dataset: sources.Dataset{Key: []string{"id"}}}
	if kind == "http" {
		side.Dataset.Endpoint = endpoint(name)
	} else {
		side.Dataset.Name, side.Dataset.Format = s.prefix+":"+name+":{id}", sources.FormatJSON
	}
	return side
}

func (s *stores) myProducts(table string, unique bool, products []product) {
	s.t.Helper()
	key := "PRIMARY KEY"
	if !unique {
		key = "NOT NULL, KEY (id)"
	}
	s.execMy(fmt.Sprintf(`CREATE TABLE %s (id BIGINT %s, name VARCHAR(100), price DECIMAL(12,2), stock INT, active BOOLEAN,
		updated_at DATETIME(6), note TEXT) CHARACTER SET utf8mb4`, table, key))
	for some := range slices.Chunk(products, 1000) {
		var args []any
		for _, p := range some {
			args = append(args, p.id, p.name, decimal(p.cents), p.stock, p.active, p.updated.Format("2006-01-02 15:04:05.000000"), p.note)
		}
		s.execMy(fmt.Sprintf("INSERT INTO %s VALUES %s", table, strings.TrimSuffix(strings.Repeat("(?,?,?,?,?,?,?),", len(some)), ",")), args...)
	}
	s.execMy("ANALYZE TABLE " + table)
}

func (s *stores) documentProducts(kind, name string, products []product) {
	s.t.Helper()
	for _, p := range products {
		document, err := json.Marshal(map[string]any{"id": p.id, "name": p.name, "price": json.RawMessage(decimal(p.cents)), "stock": p.stock,
			"active": p.active, "updated_at": p.updated.Format("2006-01-02T15:04:05.000000Z"), "note": p.note})
		must(s.t, err)
		s.putDocument(kind, name, fmt.Sprint(p.id), document)
	}
}

// otherCheck compares products in PostgreSQL with a replica in MySQL, Redis or
// behind an HTTP API.
func (s *stores) otherCheck(ownerTable, kind, replica string) *checks.Check {
	check := productCheck(ownerTable, kind, replica)
	rules := check.Edges[0].Rules
	if kind == "mysql" {
		rules[3].Replica.As = sources.KindBool
		rules[4].Replica.Zone = time.UTC
	} else {
		check.Edges[0].Replica = s.documents(kind, replica)
		rules[4].Replica.As = sources.KindTime
	}
	return check
}

// Owners in PostgreSQL and replicas in MySQL, Redis and behind an HTTP API that
// drift in every way, found exactly.
func TestFindsExactlyWhatWasPlantedInOtherStores(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	s.openOthers()
	for _, seed := range seeds(t, 20) {
		s.plantedElsewhere(seed, 400)
	}
}

func TestSoakFindsExactlyWhatWasPlantedInOtherStores(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	s := openStores(t, "")
	s.openOthers()
	for _, seed := range seeds(t, 20) {
		s.plantedElsewhere(seed, 20_000)
	}
}

func (s *stores) plantedElsewhere(seed uint64, n int) {
	s.t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	owner := fmt.Sprintf("owner_%d", seed)
	products := makeProducts(r, n)
	s.postgresProducts(owner, true, products)
	for _, kind := range []string{"mysql", "redis", "http"} {
		replica := fmt.Sprintf("replica_%s_%d", kind, seed)
		twins := kind == "mysql" && r.IntN(2) == 0
		rows, want := plant(r, products, twins)
		plans := []checks.PlanKind{checks.PlanKeys}
		if kind == "mysql" {
			s.myProducts(replica, !twins, rows)
			if !twins {
				plans = append(plans, checks.PlanRanges)
			}
		} else {
			s.documentProducts(kind, replica, rows)
		}
		check := s.otherCheck(owner, kind, replica)
		for _, plan := range plans {
			expect(s.t, checks.Run(s.t.Context(), check, 0, s.find, checks.Options{Plan: plan, Settle: noSettle()}), want)
			if s.t.Failed() {
				s.t.Fatalf("seed %d, %s, %s", seed, kind, plan)
			}
		}
	}
	s.baskets(r, seed, owner, products)
}

// baskets are JSON in Redis, one key each, whose items each hold a copy of a product.
func (s *stores) baskets(r *rand.Rand, seed uint64, owner string, products []product) {
	s.t.Helper()
	name := fmt.Sprintf("baskets_%d", seed)
	var want []string
	for basket := range len(products) / 4 {
		items := []map[string]any{}
		for item := range r.IntN(5) {
			p := products[r.IntN(len(products))]
			d := map[string]any{"id": item, "productId": p.id, "productName": p.name, "unitPrice": json.RawMessage(decimal(p.cents))}
			at := fmt.Sprintf("at %d,%d", basket, item)
			switch r.IntN(100) {
			case 0:
				d["productName"] = p.name + "!"
				want = append(want, fmt.Sprintf("mismatch %d %s", p.id, at))
			case 1:
				d["productId"] = int64(1e15) + p.id
				want = append(want, fmt.Sprintf("extra %d %s", int64(1e15)+p.id, at))
			case 2:
				d["productId"] = nil
				want = append(want, fmt.Sprintf("unreadable null %s", at))
			case 3:
				items = append(items, d)
				want = append(want, fmt.Sprintf("duplicate %d %s", p.id, at))
			}
			items = append(items, d)
		}
		document, err := json.Marshal(map[string]any{"id": basket, "items": items})
		must(s.t, err)
		s.putDocument("redis", name, fmt.Sprint(basket), document)
	}
	slices.Sort(want)
	side := s.documents("redis", name)
	side.Dataset.Unwind, side.Dataset.Key, side.Dataset.ID = "items", []string{"items.productId"}, []string{"id", "items.id"}
	check := &checks.Check{Name: "baskets",
		Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: owner, Key: []string{"id"}}},
		Edges: []checks.Edge{{Name: "baskets", IgnoreMissing: true, Replica: side,
			Rules: []checks.Rule{field("name", "items.productName"), field("price", "items.unitPrice")}}}}
	expect(s.t, checks.Run(s.t.Context(), check, 0, s.find, checks.Options{Settle: noSettle()}), want)
	if s.t.Failed() {
		s.t.Fatalf("seed %d, baskets in Redis", seed)
	}
}
