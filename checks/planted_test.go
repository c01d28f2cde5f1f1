package checks_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/checks"
	"plumbline/sources"
)

// product is a record of the planted shop.
type product struct {
	id      int64
	name    string
	cents   int64
	stock   int64
	active  bool
	updated time.Time
	note    *string
}

func makeProducts(r *rand.Rand, n int) []product {
	products := make([]product, n)
	id := int64(0)
	for i := range products {
		id += 1 + r.Int64N(3) // with gaps
		products[i] = product{id: id, name: fmt.Sprintf("Product %d %s", id, []string{"blå", "ZOË", "тест", "x'y\"z"}[r.IntN(4)]),
			cents: r.Int64N(1_000_000), stock: r.Int64N(100) - 5, active: r.IntN(2) == 0,
			updated: time.Date(2026, 1, 1, 0, 0, int(r.Int64N(1e7)), 1000*int(r.Int64N(1e6)), time.UTC)}
		if r.IntN(3) > 0 {
			note := strings.Repeat("n", r.IntN(20))
			products[i].note = &note
		}
	}
	return products
}

// plant makes a replica of products that drifts in every way, and says how.
// twins says that the replica's store lets a key be held twice.
func plant(r *rand.Rand, products []product, twins bool) (replica []product, want []string) {
	for i, p := range products {
		drift := r.IntN(400)
		if i == 0 || i == len(products)-1 {
			drift = r.IntN(8) // the edges of every range
		}
		switch drift {
		case 0:
			want = append(want, fmt.Sprintf("missing %d", p.id))
			continue
		case 1:
			p.name += " " // one space
		case 2:
			p.cents++
		case 3:
			p.stock = -p.stock - 1
		case 4:
			p.active = !p.active
		case 5:
			p.updated = p.updated.Add(-2 * time.Hour)
		case 6:
			if p.note == nil {
				empty := ""
				p.note = &empty
			} else {
				p.note = nil
			}
		case 7:
			if !twins {
				break
			}
			want = append(want, fmt.Sprintf("duplicate %d", p.id))
			replica = append(replica, p, p)
			continue
		}
		if drift >= 1 && drift <= 6 {
			want = append(want, fmt.Sprintf("mismatch %d", p.id))
		}
		replica = append(replica, p)
	}
	for range len(products)/500 + 1 { // between, before and after the owner's keys
		id := products[r.IntN(len(products))].id + 1
		if slices.ContainsFunc(replica, func(p product) bool { return p.id == id }) ||
			slices.ContainsFunc(products, func(p product) bool { return p.id == id }) {
			continue
		}
		replica = append(replica, product{id: id, name: "nobody's"})
		want = append(want, fmt.Sprintf("extra %d", id))
	}
	for _, id := range []int64{-7, 0, 1 << 52, 1<<63 - 1} {
		replica = append(replica, product{id: id, name: "nobody's"})
		want = append(want, fmt.Sprintf("extra %d", id))
	}
	slices.Sort(want)
	return replica, want
}

func decimal(cents int64) string {
	return fmt.Sprintf("%d.%02d", cents/100, cents%100)
}

func (s *stores) postgresProducts(table string, unique bool, products []product) {
	s.t.Helper()
	key := "PRIMARY KEY"
	if !unique {
		key = "NOT NULL"
	}
	s.exec(fmt.Sprintf(`CREATE TABLE %s (id bigint %s, name text, price numeric(12,2), stock int, active boolean,
		updated_at timestamptz, note text)`, table, key))
	if !unique {
		s.exec(fmt.Sprintf("CREATE INDEX ON %s (id)", table))
	}
	rows := make([][]any, len(products))
	for i, p := range products {
		rows[i] = []any{p.id, p.name, decimal(p.cents), p.stock, p.active, p.updated, p.note}
	}
	_, err := s.pg.CopyFrom(context.Background(), pgx.Identifier{table},
		[]string{"id", "name", "price", "stock", "active", "updated_at", "note"}, pgx.CopyFromRows(rows))
	must(s.t, err)
	s.exec("ANALYZE " + table)
}

func (s *stores) mongoProducts(collection string, products []product) {
	s.t.Helper()
	documents := make([]any, len(products))
	for i, p := range products {
		price, err := bson.ParseDecimal128(decimal(p.cents))
		must(s.t, err)
		d := bson.D{{Key: "_id", Value: p.id}, {Key: "name", Value: p.name}, {Key: "price", Value: price},
			{Key: "stock", Value: int32(p.stock)}, {Key: "active", Value: p.active}, {Key: "updatedAt", Value: p.updated}, {Key: "note", Value: p.note}}
		documents[i] = d
	}
	for from := 0; from < len(documents); from += 10_000 {
		_, err := s.mongo.Collection(collection).InsertMany(context.Background(), documents[from:min(from+10_000, len(documents))])
		must(s.t, err)
	}
}

func (s *stores) liteProducts(table string, unique bool, products []product) {
	s.t.Helper()
	key := "PRIMARY KEY"
	if !unique {
		key = "NOT NULL"
	}
	s.execLite(fmt.Sprintf(`CREATE TABLE %s (id INTEGER %s, name TEXT, price DECIMAL(12,2), stock INTEGER, active BOOLEAN,
		updated_at TEXT, note TEXT)`, table, key))
	if !unique {
		s.execLite(fmt.Sprintf("CREATE INDEX %s_id ON %s (id)", table, table))
	}
	tx, err := s.lite.Begin()
	must(s.t, err)
	insert, err := tx.Prepare(fmt.Sprintf("INSERT INTO %s VALUES (?,?,?,?,?,?,?)", table))
	must(s.t, err)
	for _, p := range products {
		note := sql.NullString{}
		if p.note != nil {
			note = sql.NullString{String: *p.note, Valid: true}
		}
		_, err := insert.Exec(p.id, p.name, decimal(p.cents), p.stock, p.active, p.updated.Format("2006-01-02 15:04:05.000000"), note)
		must(s.t, err)
	}
	must(s.t, tx.Commit())
}

// productCheck compares products in PostgreSQL with a replica of a kind.
func productCheck(ownerTable, kind, replica string) *checks.Check {
	key, updated := "id", "updated_at"
	if kind == "mongodb" {
		key, updated = "_id", "updatedAt"
	}
	rules := []checks.Rule{field("name", "name"), field("price", "price"), field("stock", "stock"),
		field("active", "active"), field("updated_at", updated), field("note", "note")}
	if kind == "sqlite" {
		rules[4].Replica.As, rules[4].Replica.Zone = sources.KindTime, time.UTC
		rules[1].Replica.As = sources.KindDecimal
	}
	return &checks.Check{Name: ownerTable + "-" + kind,
		Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: ownerTable, Key: []string{"id"}}},
		Edges: []checks.Edge{{Name: kind, Rules: rules, Replica: checks.Side{Source: kind, Kind: kind,
			Dataset: sources.Dataset{Name: replica, Key: []string{key}}}}}}
}

func found(run checks.EdgeRun) []string {
	var got []string
	for _, d := range run.Differences {
		line := fmt.Sprintf("%s %s", d.Kind, d.Key)
		if len(d.ID) > 0 {
			line += " at " + d.ID.String()
		}
		got = append(got, line)
	}
	slices.Sort(got)
	return got
}

// expect fails unless the run found exactly want, read all, and counted right.
func expect(t *testing.T, run checks.EdgeRun, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, found(run)); diff != "" {
		t.Errorf("%s by %s (-planted +found):\n%s", run.Check, run.Plan.Words(), diff)
	}
	result := checks.Drift
	if len(want) == 0 {
		result = checks.Clean
	}
	if run.Result != result || run.Coverage() != 1 || run.Pending != 0 || len(run.Reasons) > 0 {
		t.Errorf("%s by %s: result %s, coverage %v, pending %d, reasons %v, err %v", run.Check, run.Plan.Words(), run.Result,
			run.Coverage(), run.Pending, run.ReasonList(), run.Err)
	}
}

func seeds(t *testing.T, n int) []uint64 {
	first := uint64(time.Now().UnixNano())
	if fixed := os.Getenv("PLUMBLINE_TEST_SEED"); fixed != "" {
		_, err := fmt.Sscan(fixed, &first)
		must(t, err)
		n = 1
	}
	t.Logf("seeds %d to %d; repeat one with PLUMBLINE_TEST_SEED", first, first+uint64(n)-1)
	list := make([]uint64, n)
	for i := range list {
		list[i] = first + uint64(i)
	}
	return list
}

// One copy: an owner in PostgreSQL, replicas in PostgreSQL, MongoDB and SQLite
// that drift in every way, found exactly by either plan.
func TestFindsExactlyWhatWasPlanted(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	for _, seed := range seeds(t, 20) {
		plantedSeed(t, s, seed, 2_000)
	}
}

func TestSoakFindsExactlyWhatWasPlanted(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	for n, records := range map[int]int{20: 5_000, 5: 100_000} {
		s := openStores(t, "")
		for _, seed := range seeds(t, n) {
			plantedSeed(t, s, seed, records)
		}
	}
}

func plantedSeed(t *testing.T, s *stores, seed uint64, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	owner := fmt.Sprintf("owner_%d", seed)
	products := makeProducts(r, n)
	s.postgresProducts(owner, true, products)
	for _, kind := range []string{"postgres", "mongodb", "sqlite"} {
		replica := fmt.Sprintf("replica_%s_%d", kind, seed)
		twins := kind != "mongodb" && r.IntN(2) == 0
		rows, want := plant(r, products, twins)
		switch kind {
		case "postgres":
			s.postgresProducts(replica, !twins, rows)
		case "mongodb":
			s.mongoProducts(replica, rows)
		case "sqlite":
			s.liteProducts(replica, !twins, rows)
		}
		check := productCheck(owner, kind, replica)
		plans := []checks.PlanKind{checks.PlanKeys, checks.PlanRanges}
		if twins {
			plans = plans[:1] // ranges need a constraint that forbids twins
		}
		for _, plan := range plans {
			run := checks.Run(context.Background(), check, 0, s.find, checks.Options{Plan: plan, Settle: noSettle()})
			expect(t, run, want)
			if run.Plan.Kind != plan {
				t.Errorf("seed %d: %s was read by plan %s: %v", seed, check.Name, run.Plan.Kind, run.Plan.Why)
			}
			if t.Failed() {
				t.Fatalf("seed %d, %s, %s", seed, kind, plan)
			}
		}
	}
	plantedCopies(t, s, r, seed, owner, products)
}

// Many copies: baskets whose items each hold a copy of a product.
func plantedCopies(t *testing.T, s *stores, r *rand.Rand, seed uint64, owner string, products []product) {
	t.Helper()
	collection := fmt.Sprintf("baskets_%d", seed)
	var baskets []any
	var want []string
	for basket := range len(products) / 4 {
		var items bson.A
		for item := range r.IntN(5) {
			p := products[r.IntN(len(products))]
			price, err := bson.ParseDecimal128(decimal(p.cents))
			must(t, err)
			d := bson.D{{Key: "id", Value: item}, {Key: "productId", Value: p.id}, {Key: "productName", Value: p.name}, {Key: "unitPrice", Value: price}}
			at := fmt.Sprintf("at %d,%d", basket, item)
			switch r.IntN(150) {
			case 0:
				d[2].Value = p.name + "!"
				want = append(want, fmt.Sprintf("mismatch %d %s", p.id, at))
			case 1:
				d[1].Value = int64(1e15) + p.id
				want = append(want, fmt.Sprintf("extra %d %s", int64(1e15)+p.id, at))
			case 2:
				d[1].Value = nil
				want = append(want, fmt.Sprintf("unreadable null %s", at))
			case 3:
				items = append(items, d)
				want = append(want, fmt.Sprintf("duplicate %d %s", p.id, at))
			case 4:
				d[3].Value = bson.Regex{Pattern: "no price"}
				want = append(want, fmt.Sprintf("unreadable %d %s", p.id, at))
			}
			items = append(items, d)
		}
		baskets = append(baskets, bson.D{{Key: "_id", Value: basket}, {Key: "items", Value: items}})
	}
	slices.Sort(want)
	for from := 0; from < len(baskets); from += 10_000 {
		_, err := s.mongo.Collection(collection).InsertMany(context.Background(), baskets[from:min(from+10_000, len(baskets))])
		must(t, err)
	}
	check := &checks.Check{Name: "baskets",
		Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: owner, Key: []string{"id"}}},
		Edges: []checks.Edge{{Name: "baskets", IgnoreMissing: true,
			Rules: []checks.Rule{field("name", "items.productName"), field("price", "items.unitPrice")},
			Replica: checks.Side{Source: "mongodb", Kind: "mongodb", Dataset: sources.Dataset{Name: collection, Unwind: "items",
				Key: []string{"items.productId"}, ID: []string{"_id", "items.id"}}}}}}
	run := checks.Run(context.Background(), check, 0, s.find, checks.Options{Settle: noSettle()})
	expect(t, run, want)
	if t.Failed() {
		t.Fatalf("seed %d, baskets", seed)
	}
}
