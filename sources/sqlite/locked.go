package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"plumbline/sources"
)

// locking is a transaction that holds the file's write lock.
type locking struct {
	reading
	conn *sql.Conn
}

// exec runs a statement and returns how many rows it changed itself, without
// what triggers and cascades changed.
func (l locking) exec(text string, args ...any) (int64, error) {
	result, err := l.conn.ExecContext(l.ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// mayWrite says why a file cannot be written: one that was opened for reading
// alone takes no lock, and SQLite does not mind.
func (l locking) mayWrite(schema string) error {
	return l.conn.Raw(func(c any) error {
		file, ok := c.(interface{ IsReadOnly(string) (bool, error) })
		if !ok {
			return sources.Final(errors.New("the driver cannot tell whether a file may be written"))
		}
		readOnly, err := file.IsReadOnly(schema)
		if err == nil && readOnly {
			err = sources.Final(fmt.Errorf("the file of %s may not be written by us: see its permissions", schema))
		}
		return err
	})
}

// locked runs do with the file's write lock, which it waits for until ctx ends,
// and commits where do says so. certain: whatever err is, nothing was changed
// unless err is nil.
func (o *opened) locked(ctx context.Context, do func(locking) (commit bool, err error)) (certain bool, err error) {
	var conn *sql.Conn
	err = patiently(ctx, func() (err error) { // a new connection reads the schema, too
		conn, err = o.writing.Conn(ctx)
		return err
	})
	if err != nil {
		return true, err
	}
	sound := false
	defer func() {
		if !sound { // whatever is under way ends with its connection
			err = errors.Join(err, discard(conn))
		}
		if closed := conn.Close(); closed != nil && !errors.Is(closed, sql.ErrConnDone) {
			err = errors.Join(err, closed)
		}
	}()
	if err := patiently(ctx, func() error { return run(ctx, conn, "BEGIN IMMEDIATE") }); err != nil {
		return true, err
	}
	commit, err := do(locking{reading{ctx, conn, o}, conn})
	if err != nil || !commit {
		sound = run(context.WithoutCancel(ctx), conn, "ROLLBACK") == nil
		return true, err
	}
	// A commit is not interrupted: nobody would know what became of it.
	err = patiently(ctx, func() error { return run(context.WithoutCancel(ctx), conn, "COMMIT") })
	switch code := codeOf(err) & 0xff; {
	case err == nil:
		sound = true
		return true, nil
	case code == sqlite3.SQLITE_BUSY, code == sqlite3.SQLITE_CONSTRAINT: // refused before it began
		sound = run(context.WithoutCancel(ctx), conn, "ROLLBACK") == nil
		return true, err
	}
	return false, err
}

// patiently tries again while others hold a lock, each time for as long as the
// connection waits by itself, until ctx ends.
func patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if codeOf(err)&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("others hold the file's lock: %w", errors.Join(ctx.Err(), err))
		}
	}
}

func run(ctx context.Context, conn *sql.Conn, text string) error {
	_, err := conn.ExecContext(ctx, text)
	return err
}

// discard closes a connection for good, and with it whatever it began.
func discard(conn *sql.Conn) error {
	err := conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// lockWait is how long a writing connection waits for a lock before it looks
// whether it should go on waiting.
const lockWait = 50 * time.Millisecond
