package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// engine is the little in which the two databases differ. The statements do not.
type engine interface {
	name() string
	dialect() goose.Dialect
	open(ctx context.Context, url string) (write, read *sql.DB, err error)
	size() string // the statement that answers with bytes
	// durable is where a transaction begins whose commit waits for the disk, once
	// makeDurable ran in it, and what is to be done after it.
	durable(ctx context.Context, db *sql.DB) (from beginner, done func() error, err error)
	makeDurable(ctx context.Context, tx *sql.Tx) error
	// form is a statement in the form in which the engine takes it fastest.
	form(statement string) string
	// again says whether a transaction met another and may be run again.
	again(err error) bool
	// explain makes what a person can act on of an error.
	explain(err error) error
}

type sqliteEngine struct{}

func (sqliteEngine) name() string           { return "sqlite" }
func (sqliteEngine) dialect() goose.Dialect { return goose.DialectSQLite3 }
func (sqliteEngine) size() string {
	return `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
}

// open makes one connection that writes, since SQLite has one writer, and some
// that read beside it, so that pages do not wait for writes.
func (sqliteEngine) open(ctx context.Context, address string) (write, read *sql.DB, err error) {
	path := strings.TrimPrefix(address, "sqlite://")
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, nil, errors.New("sqlite:// is followed by no path of a file")
	}
	if err := makeOwn(path); err != nil {
		return nil, nil, err
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)" +
		"&_pragma=cache_size(-16000)&_pragma=temp_store(2)"
	writer, err := sqlite.NewConnector(dsn + "&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=journal_size_limit(67108864)")
	if err != nil {
		return nil, nil, err
	}
	write = sql.OpenDB(remembering{writer})
	write.SetMaxOpenConns(1)
	write.SetMaxIdleConns(1)
	if err := write.PingContext(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	reader, err := sqlite.NewConnector(dsn + "&_pragma=query_only(1)")
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	read = sql.OpenDB(remembering{reader})
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, nil
}

// makeOwn makes the file of a ledger, where there is none, for its user alone: it
// holds values of records, and the keys by which it is sealed. SQLite gives the
// files beside it the same rights. One that exists keeps what it was given.
func makeOwn(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the file cannot be made or opened: look at its directory and who may write there: %w", err)
	}
	return file.Close()
}

// form numbers no parameters where they stand in order, each once: SQLite and its
// driver look a numbered one up among all others.
func (sqliteEngine) form(statement string) string {
	b := make([]byte, 0, len(statement))
	for n, i := 1, 0; i < len(statement); {
		if statement[i] != '$' {
			b = append(b, statement[i])
			i++
			continue
		}
		number := strconv.Itoa(n)
		if !strings.HasPrefix(statement[i+1:], number) {
			return statement
		}
		if i += 1 + len(number); i < len(statement) && statement[i] >= '0' && statement[i] <= '9' {
			return statement
		}
		b = append(b, '?')
		n++
	}
	return string(b)
}

// readers is how many connections read a SQLite ledger side by side.
const readers = 4

func (sqliteEngine) again(err error) bool {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return true
	}
	return false
}

func (e sqliteEngine) explain(err error) error {
	switch code := sqliteCode(err); {
	case e.again(err):
		return &BusyError{Err: err}
	case code&0xff == sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full: make room, nothing is lost: %w", err)
	case code&0xff == sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file is no SQLite database: %w", err)
	case code&0xff == sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("the file cannot be made or opened: look at its directory and who may write there: %w", err)
	}
	return err
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

type postgresEngine struct{}

func (postgresEngine) name() string           { return "postgres" }
func (postgresEngine) dialect() goose.Dialect { return goose.DialectPostgres }
func (postgresEngine) size() string           { return `SELECT pg_database_size(current_database())` }

// open bounds how long a transaction may stand idle: a process that froze within
// one would hold the others up for as long as it stays frozen.
func (postgresEngine) open(ctx context.Context, address string) (write, read *sql.DB, err error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, nil, errors.New("the postgres:// address cannot be read") // the driver's own words may hold the password
	}
	for name, value := range map[string]string{"application_name": "plumbline ledger",
		"idle_in_transaction_session_timeout": "10s", "lock_timeout": "30s", "TimeZone": "UTC"} {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(8)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, db, nil
}

func (postgresEngine) form(statement string) string { return statement }

func (postgresEngine) again(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	}
	return false
}

func (postgresEngine) explain(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "55P03" { // lock_not_available
		return &BusyError{Err: err}
	}
	return err
}
