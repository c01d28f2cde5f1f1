package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// benchDatabase is the name of a database of this process's own.
func benchDatabase() string { return fmt.Sprintf("plumbline_bench_%d", os.Getpid()) }

// mysqlReplica is a database in a MySQL or MariaDB.
type mysqlReplica struct {
	url  string
	conn driver.Conn
}

func openMySQL(ctx context.Context, server string) (replica, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = u.User.Username(), "tcp", u.Host
	config.Passwd, _ = u.User.Password()
	config.Params = map[string]string{"time_zone": "'+00:00'"}
	config.MaxAllowedPacket = 64 << 20
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	u.Path = "/" + benchDatabase()
	return &mysqlReplica{url: u.String(), conn: conn}, nil
}

func (r *mysqlReplica) exec(ctx context.Context, statement string) error {
	_, err := r.conn.(driver.ExecerContext).ExecContext(ctx, statement, nil)
	return err
}

func (r *mysqlReplica) load(ctx context.Context, all []product) error {
	for _, statement := range []string{"CREATE DATABASE " + benchDatabase(), "USE " + benchDatabase(),
		`CREATE TABLE products (id bigint PRIMARY KEY, sku uuid, name varchar(200) CHARACTER SET utf8mb4, price decimal(12,2), stock int, updated_at timestamp(6) NULL)`} {
		if err := r.exec(ctx, statement); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(all, 1000) {
		rows := make([]string, len(some))
		for i, p := range some {
			rows[i] = fmt.Sprintf("(%d, '%x', '%s', %d.%02d, %d, '%s')", p.id, p.sku, p.name, p.cents/100, p.cents%100, p.stock, p.at.UTC().Format("2006-01-02 15:04:05.000000"))
		}
		if err := r.exec(ctx, "INSERT INTO products VALUES "+strings.Join(rows, ", ")); err != nil {
			return err
		}
	}
	return r.exec(ctx, "ANALYZE TABLE products")
}

func (r *mysqlReplica) drain(ctx context.Context) (n int, err error) {
	rows, err := r.conn.(driver.QueryerContext).QueryContext(ctx, "SELECT id, sku, name, price, stock, updated_at FROM products ORDER BY id", nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(values); err != nil {
			if errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		}
		n++
	}
}

func (r *mysqlReplica) config() (source, side, fields string) {
	return fmt.Sprintf("{kind: mysql, url: %q}", r.url), "{source: replica, dataset: products, key: [id]}",
		"[sku, name, price, stock, updated_at]"
}

func (r *mysqlReplica) close(ctx context.Context) error {
	return errors.Join(r.exec(ctx, "DROP DATABASE IF EXISTS "+benchDatabase()), r.conn.Close())
}

// mongoReplica is a database in a MongoDB.
type mongoReplica struct {
	url      string
	client   *mongo.Client
	products *mongo.Collection
}

func openMongoDB(_ context.Context, server string) (replica, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(server))
	if err != nil {
		return nil, err
	}
	u.Path = "/" + benchDatabase()
	return &mongoReplica{url: u.String(), client: client, products: client.Database(benchDatabase()).Collection("products")}, nil
}

func (r *mongoReplica) load(ctx context.Context, all []product) error {
	for some := range slices.Chunk(all, 5000) {
		documents := make([]any, len(some))
		for i, p := range some {
			price, err := bson.ParseDecimal128(fmt.Sprintf("%d.%02d", p.cents/100, p.cents%100))
			if err != nil {
				return err
			}
			documents[i] = bson.D{{Key: "_id", Value: p.id}, {Key: "sku", Value: bson.Binary{Subtype: bson.TypeBinaryUUID, Data: p.sku[:]}}, {Key: "name", Value: p.name},
				{Key: "price", Value: price}, {Key: "stock", Value: p.stock}, {Key: "updated_at", Value: bson.NewDateTimeFromTime(p.at.Truncate(time.Millisecond))}}
		}
		if _, err := r.products.InsertMany(ctx, documents); err != nil {
			return err
		}
	}
	return nil
}

func (r *mongoReplica) drain(ctx context.Context) (n int, err error) {
	cursor, err := r.products.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(20_000))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cursor.Close(ctx)) }()
	for cursor.Next(ctx) {
		n++
	}
	return n, cursor.Err()
}

// config allows for what MongoDB's times cut off: they hold milliseconds.
func (r *mongoReplica) config() (source, side, fields string) {
	return fmt.Sprintf("{kind: mongodb, url: %q}", r.url), "{source: replica, dataset: products, key: [_id]}",
		"[sku, name, price, stock, {owner: updated_at, replica: updated_at, within: 1ms}]"
}

func (r *mongoReplica) close(ctx context.Context) error {
	return errors.Join(r.products.Database().Drop(ctx), r.client.Disconnect(ctx))
}
