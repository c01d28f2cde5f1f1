package reconciler_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of other hands
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"plumbline/sources"
	"plumbline/sources/all"
)

// row is a record as other hands know it. stock is what the check does not name.
type row struct {
	id      int64
	price   string
	title   string
	version int64
	stock   int64
}

// place is a store with one table of rows in the hands of others: of whoever
// writes to it besides Plumbline.
type place interface {
	kind() string
	url() sources.Secret
	dataset() sources.Dataset
	// put writes a whole row, be there one or not.
	put(t testing.TB, r row)
	// newer writes price, title and version where the row's version is lower.
	newer(t testing.TB, r row)
	// count adds one to the stock.
	count(t testing.TB, id int64)
	drop(t testing.TB, id int64)
	rows(t testing.TB) map[int64]row
	// dump is all that the store keeps of each row, type for type.
	dump(t testing.TB) map[int64]string
	// odd gives a row a value of one of the store's own odd types or forms.
	odd(t testing.TB, id int64, n int)
}

func env(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run `make test`, which starts the servers", name)
	}
	return value
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// places makes a new store of a kind.
func newPlace(t testing.TB, kind, table string) place {
	t.Helper()
	switch kind {
	case "sqlite":
		return newLite(t, table)
	case "postgres":
		return newPostgres(t, table)
	case "mongodb":
		return newMongo(t, table)
	}
	t.Fatalf("no kind %q", kind)
	return nil
}

// sqlPlace is a table of SQLite or PostgreSQL.
type sqlPlace struct {
	name, table string
	address     sources.Secret
	db          *sql.DB
}

const sqlTable = `CREATE TABLE %s (id BIGINT PRIMARY KEY, price NUMERIC(12,2), title TEXT, version BIGINT, stock BIGINT NOT NULL DEFAULT 0)`

func newLite(t testing.TB, table string) *sqlPlace {
	t.Helper()
	file := filepath.Join(t.TempDir(), table+".db")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)&_txlock=immediate")
	must(t, err)
	db.SetMaxOpenConns(1)
	p := &sqlPlace{name: "sqlite", table: table, address: sources.Secret("sqlite://" + file), db: db}
	_, err = db.Exec(fmt.Sprintf(sqlTable, table))
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return p
}

func newPostgres(t testing.TB, table string) *sqlPlace {
	t.Helper()
	server := env(t, "PLUMBLINE_TEST_POSTGRES_URL")
	u, err := url.Parse(server)
	must(t, err)
	admin, err := sql.Open("pgx", server)
	must(t, err)
	name := fmt.Sprintf("reconciler_%d_%08x", os.Getpid(), rand.Uint32())
	_, err = admin.Exec("CREATE DATABASE " + name)
	must(t, err)
	u.Path = "/" + name
	db, err := sql.Open("pgx", u.String())
	must(t, err)
	_, err = db.Exec(fmt.Sprintf(sqlTable, table))
	must(t, err)
	t.Cleanup(func() {
		must(t, db.Close())
		_, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
		must(t, errors.Join(err, admin.Close()))
	})
	return &sqlPlace{name: "postgres", table: table, address: sources.Secret(u.String()), db: db}
}

func (p *sqlPlace) kind() string        { return p.name }
func (p *sqlPlace) url() sources.Secret { return p.address }

func (p *sqlPlace) dataset() sources.Dataset {
	name := p.table
	if p.name == "postgres" {
		name = "public." + p.table
	}
	return sources.Dataset{Name: name, Key: []string{"id"}}
}

func (p *sqlPlace) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if p.name == "sqlite" {
		statement = strings.ReplaceAll(statement, "$", "?")
	}
	if _, err := p.db.Exec(statement, args...); err != nil {
		t.Error(err)
	}
}

func (p *sqlPlace) put(t testing.TB, r row) {
	t.Helper()
	p.exec(t, `INSERT INTO `+p.table+` (id, price, title, version, stock) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET price = excluded.price, title = excluded.title, version = excluded.version, stock = excluded.stock`,
		r.id, r.price, r.title, r.version, r.stock)
}

func (p *sqlPlace) newer(t testing.TB, r row) {
	t.Helper()
	p.exec(t, `UPDATE `+p.table+` SET price = $1, title = $2, version = $3 WHERE id = $4 AND version < $5`, r.price, r.title, r.version, r.id, r.version)
}

func (p *sqlPlace) count(t testing.TB, id int64) {
	t.Helper()
	p.exec(t, `UPDATE `+p.table+` SET stock = stock + 1 WHERE id = $1`, id)
}

func (p *sqlPlace) drop(t testing.TB, id int64) {
	t.Helper()
	p.exec(t, `DELETE FROM `+p.table+` WHERE id = $1`, id)
}

func (p *sqlPlace) rows(t testing.TB) map[int64]row {
	t.Helper()
	found, err := p.db.Query(`SELECT id, CAST(price AS TEXT), title, version, stock FROM ` + p.table)
	must(t, err)
	defer found.Close()
	rows := map[int64]row{}
	for found.Next() {
		var r row
		must(t, found.Scan(&r.id, &r.price, &r.title, &r.version, &r.stock))
		rows[r.id] = r
	}
	must(t, found.Err())
	return rows
}

func (p *sqlPlace) dump(t testing.TB) map[int64]string {
	t.Helper()
	columns := `row(` + p.table + `.*)::text`
	if p.name == "sqlite" {
		columns = `typeof(price) || quote(price) || typeof(title) || quote(title) || typeof(version) || quote(version) || typeof(stock) || quote(stock)`
	}
	found, err := p.db.Query(`SELECT id, ` + columns + ` FROM ` + p.table)
	must(t, err)
	defer found.Close()
	rows := map[int64]string{}
	for found.Next() {
		var id int64
		var text string
		must(t, found.Scan(&id, &text))
		rows[id] = text
	}
	must(t, found.Err())
	return rows
}

func (p *sqlPlace) odd(t testing.TB, id int64, n int) {
	t.Helper()
	values := []string{"'NaN'::numeric", "NULL", "0.10", "-0.00", "9999999999.99"}
	if p.name == "sqlite" {
		values = []string{"'not a number'", "NULL", "x'00ff'", "1e300", "-0.0", "9007199254740993", "''", "CAST('7' AS TEXT)"}
	}
	p.exec(t, `UPDATE `+p.table+` SET price = `+values[n%len(values)]+` WHERE id = $1`, id)
}

// mongoPlace is a collection.
type mongoPlace struct {
	address    sources.Secret
	collection *mongo.Collection
}

func newMongo(t testing.TB, table string) *mongoPlace {
	t.Helper()
	u, err := url.Parse(env(t, "PLUMBLINE_TEST_MONGODB_URL"))
	must(t, err)
	name := fmt.Sprintf("reconciler_%d_%08x", os.Getpid(), rand.Uint32())
	u.Path = "/" + name
	client, err := mongo.Connect(options.Client().ApplyURI(u.String()))
	must(t, err)
	t.Cleanup(func() {
		must(t, client.Database(name).Drop(context.Background()))
		must(t, client.Disconnect(context.Background()))
	})
	must(t, client.Database(name).CreateCollection(context.Background(), table))
	return &mongoPlace{address: sources.Secret(u.String()), collection: client.Database(name).Collection(table)}
}

func (p *mongoPlace) kind() string        { return "mongodb" }
func (p *mongoPlace) url() sources.Secret { return p.address }

func (p *mongoPlace) dataset() sources.Dataset {
	return sources.Dataset{Name: p.collection.Name(), Key: []string{"_id"}}
}

func (p *mongoPlace) put(t testing.TB, r row) {
	t.Helper()
	price, err := bson.ParseDecimal128(r.price)
	must(t, err)
	_, err = p.collection.ReplaceOne(context.Background(), bson.D{{Key: "_id", Value: r.id}}, bson.D{{Key: "_id", Value: r.id}, {Key: "price", Value: price},
		{Key: "title", Value: r.title}, {Key: "version", Value: r.version}, {Key: "stock", Value: r.stock}}, options.Replace().SetUpsert(true))
	if err != nil {
		t.Error(err)
	}
}

func (p *mongoPlace) newer(t testing.TB, r row) {
	t.Helper()
	price, err := bson.ParseDecimal128(r.price)
	must(t, err)
	_, err = p.collection.UpdateOne(context.Background(), bson.D{{Key: "_id", Value: r.id}, {Key: "version", Value: bson.D{{Key: "$lt", Value: r.version}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "price", Value: price}, {Key: "title", Value: r.title}, {Key: "version", Value: r.version}}}})
	if err != nil {
		t.Error(err)
	}
}

func (p *mongoPlace) count(t testing.TB, id int64) {
	t.Helper()
	if _, err := p.collection.UpdateByID(context.Background(), id, bson.D{{Key: "$inc", Value: bson.D{{Key: "stock", Value: int64(1)}}}}); err != nil {
		t.Error(err)
	}
}

func (p *mongoPlace) drop(t testing.TB, id int64) {
	t.Helper()
	if _, err := p.collection.DeleteOne(context.Background(), bson.D{{Key: "_id", Value: id}}); err != nil {
		t.Error(err)
	}
}

func (p *mongoPlace) rows(t testing.TB) map[int64]row {
	t.Helper()
	cursor, err := p.collection.Find(context.Background(), bson.D{})
	must(t, err)
	var found []struct {
		ID      int64 `bson:"_id"`
		Price   bson.Decimal128
		Title   string
		Version int64
		Stock   int64
	}
	must(t, cursor.All(context.Background(), &found))
	rows := map[int64]row{}
	for _, f := range found {
		rows[f.ID] = row{id: f.ID, price: f.Price.String(), title: f.Title, version: f.Version, stock: f.Stock}
	}
	return rows
}

func (p *mongoPlace) dump(t testing.TB) map[int64]string {
	t.Helper()
	cursor, err := p.collection.Find(context.Background(), bson.D{})
	must(t, err)
	var found []bson.Raw
	must(t, cursor.All(context.Background(), &found))
	rows := map[int64]string{}
	for _, f := range found {
		rows[f.Lookup("_id").AsInt64()] = hex.EncodeToString(f)
	}
	return rows
}

func (p *mongoPlace) odd(t testing.TB, id int64, n int) {
	t.Helper()
	values := []any{nil, "a text", int32(7), 7.5, bson.D{{Key: "b", Value: 1}, {Key: "a", Value: 2}}, bson.A{1, "x"}, bson.Null{}}
	update := bson.D{{Key: "$set", Value: bson.D{{Key: "price", Value: values[n%len(values)]}}}}
	if n%(len(values)+1) == len(values) {
		update = bson.D{{Key: "$unset", Value: bson.D{{Key: "price", Value: ""}}}}
	}
	if _, err := p.collection.UpdateByID(context.Background(), id, update); err != nil {
		t.Error(err)
	}
}

// openSource opens a place as a source.
func openSource(t testing.TB, p place, name string, writable bool) sources.Source {
	t.Helper()
	source, err := all.Kinds()[p.kind()](sources.Options{Name: name, URL: p.url(), Writable: writable})
	must(t, err)
	return source
}
