package checks_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
	"plumbline/sources/all"
	"plumbline/sources/memory"
)

func shapedName(i int, wrong map[int]bool) string {
	if wrong[i] {
		return fmt.Sprintf("other %d", i)
	}
	return fmt.Sprintf("name %d", i)
}

func shapedPrice(i int) string { return fmt.Sprintf("%d.%02d", i%90+1, i%100) }

func shapedMemory() *shaped {
	store := memory.NewStore()
	column := func(name string, kind sources.Kind) memory.Column {
		return memory.Column{Name: name, FieldType: sources.FieldType{Kind: kind, Strict: true}}
	}
	return &shaped{kind: "memory",
		load: func(t *testing.T, table string, n int, wrong map[int]bool) {
			store.Create(memory.Table{Name: table, Unique: []string{"id"},
				Columns: []memory.Column{column("id", sources.KindInt), column("name", sources.KindText), column("price", sources.KindDecimal)}})
			for i := 1; i <= n; i++ {
				price, err := sources.ParseDecimal(shapedPrice(i))
				must(t, err)
				store.Put(table, sources.Int(int64(i)), sources.Text(shapedName(i, wrong)), price)
			}
		},
		alter: func(table string, a alteration) error {
			switch a {
			case dropField:
				store.Alter(table, func(t *memory.Table) { t.Columns = t.Columns[:2] }, func(v []sources.Value) []sources.Value { return v[:2] })
			case renameField:
				store.Alter(table, func(t *memory.Table) { t.Columns[2].Name = "cost" }, nil)
			case retypeField:
				store.Alter(table, func(t *memory.Table) { t.Columns[2] = column("price", sources.KindText) },
					func(v []sources.Value) []sources.Value { v[2] = sources.Text(v[2].String() + " EUR"); return v })
			case addField:
				store.Alter(table, func(t *memory.Table) { t.Columns = append(t.Columns, column("extra", sources.KindText)) },
					func(v []sources.Value) []sources.Value { return append(v, sources.Null()) })
			case renameTable:
				store.Rename(table, table+"_old")
			case emptyTable:
				store.Truncate(table)
			case newIndex:
				store.Alter(table, func(t *memory.Table) { t.Index = []string{"name"} }, nil)
			case dropKey:
				store.Alter(table, func(t *memory.Table) { t.Unique = nil }, nil)
			}
			return nil
		},
		open: func(_ *testing.T, l sources.Limits) *sources.Reader {
			return sources.NewReader("memory", store.Source(memory.Config{}), l, nil)
		}}
}

func opened(t *testing.T, kind, url string, l sources.Limits) *sources.Reader {
	source, err := all.Kinds()[kind](sources.Options{Name: kind, URL: sources.Secret(url)})
	must(t, err)
	return sources.NewReader(kind, source, l, nil)
}

func shapedSQLite(t *testing.T) *shaped {
	file := filepath.Join(t.TempDir(), "shapes.db")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { must(t, db.Close()) })
	columns := "id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, price NUMERIC NOT NULL"
	// anew is how SQLite has a table changed in ways that ALTER TABLE has not.
	anew := func(table, columns, fields string) string {
		return fmt.Sprintf("BEGIN; CREATE TABLE %[1]s_new (%[2]s); INSERT INTO %[1]s_new SELECT %[3]s FROM %[1]s; DROP TABLE %[1]s; ALTER TABLE %[1]s_new RENAME TO %[1]s; COMMIT", table, columns, fields)
	}
	return &shaped{kind: "sqlite", unseen: []alteration{emptyTable}, // it is a DELETE of all
		load: func(t *testing.T, table string, n int, wrong map[int]bool) {
			tx, err := db.Begin()
			must(t, err)
			_, err = tx.Exec("CREATE TABLE " + table + " (" + columns + ")")
			must(t, err)
			for i := 1; i <= n; i++ {
				_, err := tx.Exec("INSERT INTO "+table+" VALUES (?, ?, ?)", i, shapedName(i, wrong), i%90)
				must(t, err)
			}
			must(t, tx.Commit())
		},
		alter: func(table string, a alteration) error {
			_, err := db.Exec(map[alteration]string{
				dropField:   "ALTER TABLE " + table + " DROP COLUMN price",
				renameField: "ALTER TABLE " + table + " RENAME COLUMN price TO cost",
				retypeField: anew(table, "id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, price TEXT NOT NULL", "id, name, price || ' EUR'"),
				addField:    "ALTER TABLE " + table + " ADD COLUMN extra TEXT",
				renameTable: "ALTER TABLE " + table + " RENAME TO " + table + "_old",
				emptyTable:  "DELETE FROM " + table,
				newIndex:    "CREATE INDEX " + table + "_by_name ON " + table + " (name)",
				dropKey:     anew(table, "id INTEGER NOT NULL, name TEXT NOT NULL, price NUMERIC NOT NULL", "id, name, price"),
			}[a])
			return err
		},
		open: func(t *testing.T, l sources.Limits) *sources.Reader { return opened(t, "sqlite", "sqlite://"+file, l) }}
}

func shapedPostgres(s *stores) *shaped {
	pool, err := pgxpool.New(context.Background(), s.urls["postgres"])
	must(s.t, err)
	s.t.Cleanup(pool.Close)
	return &shaped{kind: "postgres",
		load: func(t *testing.T, table string, n int, wrong map[int]bool) {
			s.exec("CREATE TABLE " + table + " (id bigint PRIMARY KEY, name text NOT NULL, price numeric(12,2) NOT NULL)")
			names, prices := make([]string, n), make([]string, n)
			for i := range n {
				names[i], prices[i] = shapedName(i+1, wrong), shapedPrice(i+1)
			}
			s.exec("INSERT INTO "+table+" SELECT ordinality, a, b::numeric FROM unnest($1::text[], $2::text[]) WITH ORDINALITY u(a, b)", names, prices)
		},
		alter: func(table string, a alteration) error {
			_, err := pool.Exec(context.Background(), map[alteration]string{
				dropField:   "ALTER TABLE " + table + " DROP COLUMN price",
				renameField: "ALTER TABLE " + table + " RENAME COLUMN price TO cost",
				retypeField: "ALTER TABLE " + table + " ALTER COLUMN price TYPE text USING price || ' EUR'",
				addField:    "ALTER TABLE " + table + " ADD COLUMN extra text",
				renameTable: "ALTER TABLE " + table + " RENAME TO " + table + "_old",
				emptyTable:  "TRUNCATE " + table,
				newIndex:    "CREATE INDEX ON " + table + " (name)",
				dropKey:     "ALTER TABLE " + table + " DROP CONSTRAINT " + table + "_pkey",
			}[a])
			return err
		},
		open: func(t *testing.T, l sources.Limits) *sources.Reader {
			return opened(t, "postgres", s.urls["postgres"], l)
		}}
}

// shapedMongo reads by a unique field: the index on _id cannot be dropped.
func shapedMongo(s *stores) *shaped {
	ctx := context.Background()
	return &shaped{kind: "mongodb",
		load: func(t *testing.T, table string, n int, wrong map[int]bool) {
			var documents []any
			for i := 1; i <= n; i++ {
				price, err := bson.ParseDecimal128(shapedPrice(i))
				must(t, err)
				documents = append(documents, bson.D{{Key: "_id", Value: i}, {Key: "id", Value: i}, {Key: "name", Value: shapedName(i, wrong)}, {Key: "price", Value: price}})
			}
			_, err := s.mongo.Collection(table).InsertMany(ctx, documents)
			must(t, err)
			must(t, s.mongo.RunCommand(ctx, bson.D{{Key: "createIndexes", Value: table}, {Key: "indexes", Value: bson.A{
				bson.D{{Key: "key", Value: bson.D{{Key: "id", Value: 1}}}, {Key: "name", Value: "by_id"}, {Key: "unique", Value: true}}}}}).Err())
		},
		alter: func(table string, a alteration) error {
			c := s.mongo.Collection(table)
			all := func(update any) error {
				_, err := c.UpdateMany(ctx, bson.D{}, update)
				return err
			}
			index := func(command string, name string, value any) error {
				return s.mongo.RunCommand(ctx, bson.D{{Key: command, Value: table}, {Key: name, Value: value}}).Err()
			}
			switch a {
			case dropField:
				return all(bson.D{{Key: "$unset", Value: bson.D{{Key: "price", Value: ""}}}})
			case renameField:
				return all(bson.D{{Key: "$rename", Value: bson.D{{Key: "price", Value: "cost"}}}})
			case retypeField:
				return all(bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "price", Value: bson.D{{Key: "$concat", Value: bson.A{
					bson.D{{Key: "$toString", Value: "$price"}}, " EUR"}}}}}}}})
			case addField:
				return all(bson.D{{Key: "$set", Value: bson.D{{Key: "extra", Value: "new"}}}})
			case renameTable:
				return s.mongo.Client().Database("admin").RunCommand(ctx, bson.D{{Key: "renameCollection", Value: s.mongo.Name() + "." + table},
					{Key: "to", Value: s.mongo.Name() + "." + table + "_old"}}).Err()
			case emptyTable:
				return c.Drop(ctx)
			case newIndex:
				return index("createIndexes", "indexes", bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "name", Value: 1}}}, {Key: "name", Value: "by_name"}}})
			}
			return index("dropIndexes", "index", "by_id")
		},
		unseen: slices.Concat([]alteration{addField}), // a field nobody reads
		open: func(t *testing.T, l sources.Limits) *sources.Reader {
			return opened(t, "mongodb", s.urls["mongodb"], l)
		}}
}
