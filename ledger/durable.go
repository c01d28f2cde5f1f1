package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// beginner begins transactions: a pool of connections, or one of them.
type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

// InDurableTx is InTx whose commit, and all before it, outlives a loss of power:
// it is on the disk before this returns.
func (l *Ledger) InDurableTx(ctx context.Context, do func(*Tx) error) error {
	return l.repeat(ctx, func() error {
		from, done, err := l.engine.durable(ctx, l.write)
		if err != nil {
			return err
		}
		return errors.Join(l.once(ctx, from, func(tx *Tx) error {
			if err := l.engine.makeDurable(ctx, tx.sql); err != nil {
				return fmt.Errorf("have the commit reach the disk: %w", err)
			}
			return do(tx)
		}), done())
	})
}

// durable takes the one connection that writes, and has it wait for the disk.
// With a log written ahead, what was committed before reaches the disk along.
func (sqliteEngine) durable(ctx context.Context, db *sql.DB) (beginner, func() error, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := synchronous(ctx, conn, "FULL"); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, func() error {
		if synchronous(context.WithoutCancel(ctx), conn, "NORMAL") != nil {
			// It goes on to wait for the disk each time: another is made in its stead.
			if err := conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
				return err
			}
			return nil
		}
		return conn.Close()
	}, nil
}

// synchronous sets how long a connection waits for the disk. SQLite does so when
// it parses the statement, so it must be no remembered one.
func synchronous(ctx context.Context, conn *sql.Conn, mode string) error {
	return conn.Raw(func(c any) error {
		r, ok := c.(*rememberingConn)
		if !ok {
			return fmt.Errorf("a connection is a %T", c)
		}
		_, err := r.sqliteConn.ExecContext(ctx, "PRAGMA synchronous="+mode, nil)
		return err
	})
}

func (sqliteEngine) makeDurable(context.Context, *sql.Tx) error { return nil }

func (postgresEngine) durable(_ context.Context, db *sql.DB) (beginner, func() error, error) {
	return db, func() error { return nil }, nil
}

// makeDurable lets a commit wait for the disk on a server that does not by itself.
func (postgresEngine) makeDurable(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}
