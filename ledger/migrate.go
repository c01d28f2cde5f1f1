package ledger

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable tells which of the migrations a ledger has.
const versionTable = "ledger_version"

// migrate brings the tables up to this version. Processes that open a ledger at
// once do it one after the other.
func migrate(ctx context.Context, db *sql.DB, e engine) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if e.dialect() == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return fmt.Errorf("make a lock for migrations: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(e.dialect(), db, files, options...)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	sources := provider.ListSources()
	knows := sources[len(sources)-1].Version
	const tries = 5
	for try := 1; ; try++ {
		has, err := ledgerVersion(ctx, db, e)
		switch {
		case err != nil:
			return err
		case has > knows:
			return &TooNewError{Has: has, Knows: knows}
		case has == knows:
			return nil
		}
		// Where the engine has no lock for it, another process may do the same at
		// this moment; whoever comes second fails, and finds it done.
		if _, err = provider.Up(ctx); err != nil {
			if try == tries {
				return fmt.Errorf("bring the tables up to version %d: %w", knows, err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(try) * 100 * time.Millisecond):
			}
		}
	}
}

// ledgerVersion is which version a ledger has; 0 is a new one. It writes nothing.
func ledgerVersion(ctx context.Context, db *sql.DB, e engine) (has int64, err error) {
	exists := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`
	if e.dialect() == goose.DialectPostgres {
		exists = `SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass($1)`
	}
	var n int64
	if err := db.QueryRowContext(ctx, exists, versionTable).Scan(&n); err != nil {
		return 0, fmt.Errorf("read the ledger's version: %w", err)
	}
	if n == 0 {
		return 0, nil
	}
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM `+versionTable).Scan(&has); err != nil {
		return 0, fmt.Errorf("read the ledger's version: %w", err)
	}
	return has, nil
}
