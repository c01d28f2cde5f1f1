package mysql

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"plumbline/sources"
)

// cheapToSkip is how many bytes are sooner skipped than cut off: a connection
// that is cut off is not used again.
const cheapToSkip = 4 << 20

// conn is one connection, used by one goroutine at a time.
type conn struct {
	pool *pool
	dc   driver.Conn
	used time.Time

	mariadb bool
	version string
	mark    string // stands in front of every statement of this connection, and of no other
	count   int    // of the statements so far

	killer bool // it only ends others' statements: its own are cut off
	broken bool // not to be used again
	hungUp bool // … because the server or the network cut it
}

func newConn(p *pool, dc driver.Conn) *conn {
	return &conn{pool: p, dc: dc, used: time.Now(), mark: "plumbline " + rand.Text()}
}

// begin makes the session what ours must be, and looks whether it is: something
// between us and the server may accept settings and drop them.
func (c *conn) begin(ctx context.Context) error {
	rows, err := c.facts(ctx, "SELECT VERSION() AS VERSION")
	if err != nil {
		return err
	}
	c.version = rows[0]["VERSION"]
	c.mariadb = strings.Contains(c.version, "MariaDB")
	needed, optional := settings(c.mariadb, c.pool.statementTimeout)
	if err := c.exec(ctx, needed); err != nil {
		return fmt.Errorf("set up the session: %w", err)
	}
	for _, setting := range optional {
		if err := c.exec(ctx, "SET "+setting); err != nil && number(err) != errUnknownVariable && number(err) != errWrongValue {
			return fmt.Errorf("set up the session: %w", err)
		}
	}
	// Whatever the server's default is, nothing is read that was never committed.
	if err := c.exec(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"); err != nil {
		return fmt.Errorf("make the session read-only: %w", err)
	}
	return c.verify(ctx)
}

// verify fails where the session is not as it was asked to be.
func (c *conn) verify(ctx context.Context) error {
	readOnly, isolation := "@@SESSION.transaction_read_only", "@@SESSION.transaction_isolation"
	if c.mariadb {
		readOnly, isolation = "@@SESSION.tx_read_only", "@@SESSION.tx_isolation"
	}
	rows, err := c.facts(ctx, `SELECT FROM_UNIXTIME(86400) = '1970-01-02 00:00:00' AND TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()) = 0 AS UTC,
		`+readOnly+` AS READONLY, `+isolation+` <> 'READ-UNCOMMITTED' AS COMMITTED, @@SESSION.sql_select_limit >= 18446744073709551615 AS UNLIMITED, @@SESSION.character_set_results AS CHARSET,
		@@SESSION.max_sort_length >= `+strconv.Itoa(sortLength)+` AS SORTED, @@SESSION.group_concat_max_len >= `+strconv.Itoa(listLength)+` AS WHOLE, `+statementTimeLimit(c.mariadb)+` AS TIMEOUT`)
	if err != nil {
		return fmt.Errorf("look at the session: %w", err)
	}
	got, lost := rows[0], ""
	switch {
	case got["UTC"] != "1":
		lost = "time_zone"
	case got["READONLY"] != "1":
		lost = "TRANSACTION READ ONLY"
	case got["COMMITTED"] != "1":
		lost = "TRANSACTION ISOLATION LEVEL"
	case got["SORTED"] != "1":
		lost = "max_sort_length"
	case got["WHOLE"] != "1":
		lost = "group_concat_max_len"
	case got["UNLIMITED"] != "1":
		lost = "sql_select_limit"
	case got["CHARSET"] != "utf8mb4":
		lost = "NAMES"
	case got["TIMEOUT"] != strconv.FormatInt(max(c.pool.statementTimeout, time.Millisecond).Milliseconds(), 10):
		lost = "the bound on a statement's time"
	default:
		return nil
	}
	return sources.Final(fmt.Errorf("the server, or something in front of it, drops what a session sets: %s; nothing is read without it", lost))
}

// close ends the connection; there is nothing to do about its failing.
func (c *conn) close() {
	c.broken = true
	_ = c.dc.Close()
}

// statement is one SELECT and what is wanted of its rows.
type statement struct {
	text    string
	columns []*column // of the result, first; none means texts
	flags   int       // columns behind them that are 0 or 1
	sized   bool      // the last column is how many bytes of the record were left unread for their size
	layout  *string   // what the columns are on the wire; filled by the first, and asked of all others
	raw     bool      // its bytes are to be compared: each value is asked whether it has a canonical form
	keep    int       // columns to keep of a record too large to read

	expect   int // about how many rows will come; 0 when few
	reserve  int // about how many bytes will come
	maxRows  int // stop after so many rows; 0 means never
	maxBytes int // stop after the row that reaches so many bytes; 0 means never
}

// result is what a statement returned: rows as in sources.Raw.
type result struct {
	data    []byte
	ends    []int
	big     map[int]int // rows too large to read, and their sizes
	odd     bool        // some value has no canonical form: its bytes prove nothing
	fields  []field
	stopped bool // by maxRows or maxBytes: there may be more
}

// field is a column of a result.
type field struct {
	name, typ string
	nullable  bool
	scale     int64 // digits behind the point, of a second; -1 where it has none
}

// errChanged says that a table is not as its catalogue said when we looked.
var errChanged = errors.New("a column's type changed while the dataset was being read")

// run sends a SELECT. When ctx ends, the statement is ended on the server and
// ctx's error returned.
func (c *conn) run(ctx context.Context, st *statement) (res *result, err error) {
	err = c.attended(ctx, st.text, func(own context.Context, text string) error {
		res, err = c.exchange(own, st, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// exec runs a statement that returns no rows.
func (c *conn) exec(ctx context.Context, text string) error {
	_, err := c.affect(ctx, text)
	return err
}

// affect runs a statement that returns no rows, and says how many it found to change.
func (c *conn) affect(ctx context.Context, text string) (rows int64, err error) {
	err = c.attended(ctx, text, func(own context.Context, text string) error {
		done, err := c.dc.(driver.ExecerContext).ExecContext(own, text, nil)
		if err != nil {
			return c.failure(err)
		}
		rows, err = done.RowsAffected()
		return err
	})
	return rows, err
}

// attended does what talks to the server, with a context that outlives ctx by the
// moment it takes to end the statement over there.
func (c *conn) attended(ctx context.Context, text string, do func(own context.Context, text string) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.count++
	mark := fmt.Sprintf("%s %d", c.mark, c.count)
	own, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	ended, interrupted := make(chan struct{}), make(chan struct{})
	disarm := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		if !c.killer {
			c.pool.interrupt(mark, ended)
		}
		cutOff()
	})
	c.pool.running.Add(1)
	err := do(own, "/* "+mark+" */ "+text)
	c.pool.running.Add(-1)
	close(ended)
	if !disarm() {
		<-interrupted
		c.broken = true // a kill that comes late must not hit another statement
		return ctx.Err()
	}
	return err
}

// failure classes an error of the driver and notes what became of the connection.
func (c *conn) failure(err error) error {
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		if refused.Number == errQueryInterrupted || refused.Number == errShutdown || refused.Number == errKilled {
			c.broken = true
		}
		return classify(refused)
	}
	c.broken, c.hungUp = true, true
	return fmt.Errorf("the line to the server broke: %s", sources.Quoteless(err.Error()))
}

// exchange sends the statement and reads what it returns.
func (c *conn) exchange(own context.Context, st *statement, text string) (*result, error) {
	own, cutOff := context.WithCancel(own)
	defer cutOff()
	rows, err := c.dc.(driver.QueryerContext).QueryContext(own, text, nil)
	if err != nil {
		return nil, c.failure(err)
	}
	res := &result{data: make([]byte, 0, st.reserve), ends: make([]int, 0, st.expect), fields: fieldsOf(rows)}
	if err := st.expects(res.fields); err != nil {
		cutOff()
		c.broken = true
		_ = rows.Close() // it is cut off
		return nil, err
	}
	err = res.read(rows, st)
	switch {
	case err != nil && !errors.Is(err, errChanged):
		return nil, c.failure(err)
	case err != nil || res.stopped && res.rest(st) > cheapToSkip:
		cutOff() // the server ends a statement whose rows nobody takes
		c.broken = true
		_ = rows.Close()
	default:
		if closing := rows.Close(); closing != nil {
			c.broken = true
			if !res.stopped { // what came before is whole, however the rest ended
				return nil, c.failure(closing)
			}
		}
	}
	return res, err
}

// rest is about how many bytes would still come.
func (r *result) rest(st *statement) int {
	return max(0, st.expect-len(r.ends)) * (len(r.data)/max(1, len(r.ends)) + 1)
}

// read takes rows until there are no more, or enough.
func (r *result) read(rows driver.Rows, st *statement) error {
	values := make([]driver.Value, len(r.fields))
	for {
		if err := rows.Next(values); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := r.take(values, st); err != nil {
			return err
		}
		if exceeds(len(r.ends)-1, st.maxRows) || exceeds(len(r.data), st.maxBytes) {
			r.stopped = true
			return nil
		}
	}
}

// exceeds says whether n is at or over a bound; 0 is no bound.
func exceeds(n, bound int) bool { return bound > 0 && n >= bound }

// fieldsOf are the columns of what is being returned.
func fieldsOf(rows driver.Rows) []field {
	names := rows.Columns()
	fields := make([]field, len(names))
	types, _ := rows.(driver.RowsColumnTypeDatabaseTypeName)
	scales, _ := rows.(driver.RowsColumnTypePrecisionScale)
	nulls, _ := rows.(driver.RowsColumnTypeNullable)
	for i, name := range names {
		fields[i] = field{name: name, typ: strings.ToLower(types.ColumnTypeDatabaseTypeName(i)), scale: -1}
		if _, scale, ok := scales.ColumnTypePrecisionScale(i); ok {
			fields[i].scale = scale
		}
		fields[i].nullable, _ = nulls.ColumnTypeNullable(i)
	}
	return fields
}

// expects says whether the columns are on the wire what they were at first.
func (st *statement) expects(fields []field) error {
	if st.layout == nil {
		return nil
	}
	if len(fields) != len(st.columns)+st.extra() || layoutOnWire(fields[:len(st.columns)]) != *st.layout {
		return errChanged
	}
	return nil
}

// layoutOnWire says in one line what columns are on the wire.
func layoutOnWire(fields []field) string {
	var layout strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&layout, "%s %d; ", f.typ, f.scale)
	}
	return layout.String()
}

// extra is how many columns follow the record's own.
func (st *statement) extra() int {
	if st.sized {
		return st.flags + 1
	}
	return st.flags
}
