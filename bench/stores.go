package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// replica is a store of another kind that holds the same products.
type replica interface {
	load(ctx context.Context, all []product) error
	// drain reads all, in the order of the key, with its own driver and undecoded,
	// and says how many there were.
	drain(ctx context.Context) (int, error)
	// config is its source and its side of the check, and the fields to compare.
	config() (source, side, fields string)
	close(ctx context.Context) error
}

// benchStores pairs the bare drains of a PostgreSQL and another store, run at
// once, with a whole run of the binary over both.
func benchStores(ctx context.Context, s *shop) error {
	for _, kind := range []struct {
		name, env string
		open      func(ctx context.Context, url string) (replica, error)
	}{{"MySQL", "PLUMBLINE_TEST_MYSQL_URL", openMySQL}, {"MongoDB", "PLUMBLINE_TEST_MONGODB_URL", openMongoDB}} {
		server := os.Getenv(kind.env)
		if server == "" {
			return fmt.Errorf("%s is not set: run `make bench`, which starts a server", kind.env)
		}
		r, err := kind.open(ctx, server)
		if err != nil {
			return fmt.Errorf("open %s: %w", kind.name, err)
		}
		err = s.pair(ctx, kind.name, r)
		if err = errors.Join(err, r.close(context.WithoutCancel(ctx))); err != nil {
			return fmt.Errorf("PostgreSQL and %s: %w", kind.name, err)
		}
	}
	return nil
}

func (s *shop) pair(ctx context.Context, name string, r replica) error {
	const records, drifted, rounds = 200_000, 200, 9
	if err := s.load(ctx, records, nothing); err != nil {
		return err
	}
	// MariaDB takes no uuid of another kind than those of the standard.
	for _, statement := range []string{"UPDATE products SET sku = gen_random_uuid()", "VACUUM FULL ANALYZE products"} {
		if err := s.execOwner(ctx, statement); err != nil {
			return err
		}
	}
	all, err := products(ctx, s.urls[0], records/drifted)
	if err != nil {
		return err
	}
	if err := r.load(ctx, all); err != nil {
		return err
	}
	// Its own config, beside the one of two PostgreSQLs.
	own := *s
	own.config = filepath.Join(s.dir, "stores.yaml")
	source, side, fields := r.config()
	if err := os.WriteFile(own.config, fmt.Appendf(nil, storesConfig, source, side, fields), 0o600); err != nil {
		return err
	}
	var drains, runs, ratios []float64
	for round := range rounds + 1 {
		drained, err := own.drainBoth(ctx, r, records)
		if err != nil {
			return err
		}
		ran, err := own.runBinary(ctx, drifted, "")
		if err != nil {
			return err
		}
		if round == 0 {
			continue // warms the caches
		}
		drains, runs = append(drains, drained.Seconds()), append(runs, ran.took.Seconds())
		ratios = append(ratios, ran.took.Seconds()/drained.Seconds())
	}
	fmt.Printf("figure: stores, PostgreSQL and %s, %d records a side, %d differ: bare drains at once %.2f s, plumbline %.2f s, ratio %.2f (medians of %d; %.2f to %.2f)\n",
		name, records, drifted, median(drains), median(runs), median(ratios), rounds, slices.Min(ratios), slices.Max(ratios))
	return nil
}

func (s *shop) execOwner(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.urls[0])
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

const storesConfig = `
sources:
  owner: {kind: postgres, url: "${OWNER_URL}"}
  replica: %s
checks:
  products:
    owner: {source: owner, dataset: public.products, key: [id]}
    replica: %s
    fields: %s
    settle: 0s
`

// drainBoth reads both stores at once.
func (s *shop) drainBoth(ctx context.Context, r replica, want int) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, s.urls[0])
	if err != nil {
		return 0, err
	}
	began := time.Now()
	var both sync.WaitGroup
	var errs [2]error
	both.Go(func() {
		_, errs[0] = conn.PgConn().CopyTo(ctx, io.Discard, "COPY (SELECT id, sku, name, price, stock, updated_at FROM products ORDER BY id) TO STDOUT (FORMAT binary)")
	})
	both.Go(func() {
		var n int
		if n, errs[1] = r.drain(ctx); errs[1] == nil && n != want {
			errs[1] = fmt.Errorf("drained %d records, not %d", n, want)
		}
	})
	both.Wait()
	took := time.Since(began)
	return took, errors.Join(errs[0], errs[1], conn.Close(ctx))
}

// product is a record of the owner, in the types of any store.
type product struct {
	id    int64
	sku   [16]byte
	name  string
	cents int64
	stock int32
	at    time.Time
}

// products reads the owner's records back, and lets one in so many differ.
func products(ctx context.Context, owner string, every int) (all []product, err error) {
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, "SELECT id, sku, name, (price * 100)::bigint, stock, updated_at FROM products ORDER BY id")
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	var p product
	_, err = pgx.ForEachRow(rows, []any{&p.id, &p.sku, &p.name, &p.cents, &p.stock, &p.at}, func() error {
		one := p
		if len(all)%every == 7 {
			one.cents++
		}
		all = append(all, one)
		return nil
	})
	return all, errors.Join(err, conn.Close(ctx))
}
