package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// shop is two databases of its own with a table products each.
type shop struct {
	dir    string
	admin  *pgx.Conn
	names  []string
	urls   []string
	config string
}

func openShop(ctx context.Context, server string) (*shop, error) {
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "plumbline-bench-*")
	if err != nil {
		return nil, err
	}
	s := &shop{dir: dir, admin: admin, config: filepath.Join(dir, "plumbline.yaml")}
	for _, side := range []string{"owner", "replica"} {
		name := fmt.Sprintf("bench_%s_%d", side, os.Getpid())
		if _, err := admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name); err != nil {
			return nil, err
		}
		if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
			return nil, err
		}
		u, err := url.Parse(server)
		if err != nil {
			return nil, err
		}
		u.Path = "/" + name
		s.names, s.urls = append(s.names, name), append(s.urls, u.String())
	}
	return s, os.WriteFile(s.config, []byte(`
sources:
  owner: {kind: postgres, url: "${OWNER_URL}"}
  replica: {kind: postgres, url: "${REPLICA_URL}"}
checks:
  products:
    owner: {source: owner, dataset: public.products, key: [id]}
    replica: {source: replica, dataset: public.products, key: [id]}
    fields: [sku, name, price, stock, updated_at]
    settle: 0s
`), 0o600)
}

func (s *shop) close(ctx context.Context) error {
	var errs []error
	for _, name := range s.names {
		_, err := s.admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.admin.Close(ctx), os.RemoveAll(s.dir))...)
}

// load fills both tables with the same records and lets drift change the replica.
func (s *shop) load(ctx context.Context, records int, drift func(records int) []string) error {
	fill := []string{
		"DROP TABLE IF EXISTS products",
		`CREATE TABLE products (id bigint PRIMARY KEY, sku uuid, name text, price numeric(12,2), stock int,
			updated_at timestamptz, attrs jsonb)`,
		fmt.Sprintf(`INSERT INTO products SELECT i, md5(i::text)::uuid, 'Product number ' || i, (i %% 100000) / 100.0, i %% 500,
			timestamptz '2026-01-01' + i * interval '1.000001 s', jsonb_build_object('colour', i %% 7) FROM generate_series(1, %d) i`, records),
	}
	for i, u := range s.urls {
		statements := append([]string{}, fill...)
		if i == 1 {
			statements = append(statements, drift(records)...)
		}
		conn, err := pgx.Connect(ctx, u)
		if err != nil {
			return err
		}
		for _, statement := range append(statements, "VACUUM ANALYZE products") {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return errors.Join(err, conn.Close(ctx))
			}
		}
		if err := conn.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}

func drift450(records int) []string {
	return []string{
		fmt.Sprintf("UPDATE products SET price = price + 1 WHERE id %% %d = 7 AND id <= 300 * %[1]d", records/300),
		fmt.Sprintf("DELETE FROM products WHERE id %% %d = 11", records/100),
		fmt.Sprintf("INSERT INTO products SELECT %d + i, gen_random_uuid(), 'nobody''s', 1, 1, now() FROM generate_series(1, 50) i", records),
	}
}

func nothing(int) []string { return nil }

func everything(int) []string { return []string{"UPDATE products SET price = price + 1"} }

// copyBoth drains both tables at once through psql, as binary COPY in key order.
func (s *shop) copyBoth(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	var commands []*exec.Cmd
	for _, u := range s.urls {
		c := exec.CommandContext(ctx, "psql", u, "-qc",
			"COPY (SELECT id, sku, name, price, stock, updated_at FROM products ORDER BY id) TO STDOUT (FORMAT binary)")
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return 0, err
		}
		defer null.Close()
		c.Stdout, c.Stderr = null, os.Stderr
		if err := c.Start(); err != nil {
			return 0, err
		}
		commands = append(commands, c)
	}
	var errs []error
	for _, c := range commands {
		errs = append(errs, c.Wait())
	}
	return time.Since(began), errors.Join(errs...)
}

// runBinary runs the check and refuses a run that does not find want differences,
// or that takes another plan than the one given, where one is.
func (s *shop) runBinary(ctx context.Context, want int, plan string) (outcome, error) {
	c := exec.CommandContext(ctx, "bin/plumbline", "run", "-c", s.config, "-o", "json")
	c.Env = append(os.Environ(), "OWNER_URL="+s.urls[0], "REPLICA_URL="+s.urls[1])
	c.Stderr = os.Stderr
	began := time.Now()
	out, err := c.Output()
	took := time.Since(began)
	var failed *exec.ExitError
	if err != nil && (!errors.As(err, &failed) || failed.ExitCode() != 1) {
		return outcome{}, fmt.Errorf("run the binary: %w", err)
	}
	var report struct {
		Runs []struct {
			Plan     string  `json:"plan"`
			Coverage float64 `json:"coverage"`
			Counts   struct {
				Mismatch, Missing, Extra int
			} `json:"counts"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return outcome{}, fmt.Errorf("read the binary's report: %w", err)
	}
	if len(report.Runs) != 1 {
		return outcome{}, fmt.Errorf("the binary reported %d runs", len(report.Runs))
	}
	r := report.Runs[0]
	if got := r.Counts.Mismatch + r.Counts.Missing + r.Counts.Extra; got != want || r.Coverage != 1 || plan != "" && r.Plan != plan {
		return outcome{}, fmt.Errorf("the binary found %d differences, not %d (coverage %v, plan %s)", got, want, r.Coverage, r.Plan)
	}
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return outcome{}, errors.New("this platform does not tell a process's peak memory")
	}
	return outcome{took: took, peak: usage.Maxrss * 1024}, nil
}
