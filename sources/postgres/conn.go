package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// cheapToSkip is how many bytes are sooner skipped than cancelled: a cancelled
// connection is not used again.
const cheapToSkip = 2 << 20

// cancelWithin bounds how long a cancelled statement may take to end before its
// connection is given up.
const cancelWithin = time.Second

// cancelAgain is how soon a cancel that did nothing is sent again.
const cancelAgain = 100 * time.Millisecond

// conn is one connection, used by one goroutine at a time. pgconn opens,
// cancels and closes it; statements go through run alone.
type conn struct {
	pg    *pgconn.PgConn
	wire  *wire
	begin string // how every transaction that reads begins
	local string // the settings that a transaction makes for itself; "" where the session's hold
	used  time.Time

	broken bool // not to be used again
	hungUp bool // … because the server or the network cut it
}

// beginReading begins a transaction that reads. A policy that would hide rows
// from our role is an error: hidden rows would look missing. Each statement sees
// what was committed when it began, also behind one that waited for a lock.
const beginReading = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL row_security = off"

// dial connects. With perTransaction the session is asked for nothing but its
// name, and each transaction makes its own settings.
func dial(ctx context.Context, config *pgconn.Config, perTransaction bool) (*conn, error) {
	local := ""
	if perTransaction {
		local = "; " + setLocal(config.RuntimeParams)
		config = config.Copy()
		maps.DeleteFunc(config.RuntimeParams, func(name, _ string) bool { return !forConnecting(name) })
	}
	ctx, cancel := context.WithTimeout(ctx, config.ConnectTimeout)
	defer cancel()
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	// While a write is slow the driver reads in the background, and that read would
	// take an answer from us.
	if err := pg.SyncConn(ctx); err != nil {
		_ = pg.Close(ctx) // the first error tells why
		return nil, err
	}
	return &conn{pg: pg, wire: newWire(pg.Conn()), begin: beginReading + local, local: local, used: time.Now()}, nil
}

// close ends the connection; there is nothing to do about its failing.
func (c *conn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), cancelWithin)
	defer cancel()
	c.broken = true
	_ = c.pg.Close(ctx)
}

// statement is one statement with its parameters, as texts of their types.
type statement struct {
	text    string
	params  []param
	formats []int16  // of the result's columns; none means text
	types   []uint32 // what the columns must be; none means whatever they are
	setup   string   // runs before, in the same transaction

	keep     int // columns to keep of a record too large to read
	expect   int // about how many rows will come; 0 when few
	reserve  int // about how many bytes will come
	maxRows  int // stop after so many rows; 0 means never
	maxBytes int // stop after the row that reaches so many bytes; 0 means never
	maxKept  int // … so many bytes kept: rows too large to read are not
}

// param is a parameter: a text in the form its type's input function reads.
type param struct {
	text string
	typ  uint32 // 0 lets the server infer it
}

// result is what a statement returned: rows as in sources.Raw.
type result struct {
	data    []byte
	ends    []int
	big     map[int]int // rows too large to read, and their sizes
	fields  []field
	stopped bool // by maxRows or maxBytes: there may be more
}

// field is a column of a result.
type field struct {
	name     string
	typ      uint32
	modifier int32
}

// errChanged says that a table is not as its catalogue said when we looked.
var errChanged = errors.New("a column's type changed while the dataset was being read")

// run sends a statement in a read-only transaction of its own. When ctx ends,
// the statement is cancelled on the server and ctx's error returned.
func (c *conn) run(ctx context.Context, st *statement) (*result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ended, interrupted := make(chan struct{}), make(chan struct{})
	disarm := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		c.interruptUntil(ended)
	})
	res, err := c.exchange(st)
	close(ended)
	if !disarm() {
		<-interrupted
		c.broken = true // a cancel that comes late must not hit somebody else's statement
		return nil, ctx.Err()
	}
	return res, err
}

// request writes all messages of a statement's transaction.
func (c *conn) request(st *statement) ([]byte, error) {
	begin := c.begin
	if st.setup != "" {
		begin += "; " + st.setup
	}
	parse, bind := st.messages()
	var out []byte
	var err error
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.Query{String: begin}, parse, bind,
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{}, &pgproto3.Query{String: "COMMIT"}} {
		if out, err = m.Encode(out); err != nil {
			return nil, fmt.Errorf("write the statement: %w", err)
		}
	}
	return out, nil
}

// messages parse a statement and bind its parameters.
func (st *statement) messages() (*pgproto3.Parse, *pgproto3.Bind) {
	parse, bind := &pgproto3.Parse{Query: st.text}, &pgproto3.Bind{ResultFormatCodes: st.formats}
	for _, p := range st.params {
		parse.ParameterOIDs = append(parse.ParameterOIDs, p.typ)
		bind.Parameters = append(bind.Parameters, []byte(p.text))
	}
	return parse, bind
}

// The answers to a request end with ReadyForQuery: BEGIN's, the statement's, COMMIT's.
const (
	answerBegin = iota
	answerStatement
	answerCommit
	answersDone
)

func (c *conn) exchange(st *statement) (*result, error) {
	out, err := c.request(st)
	if err != nil {
		return nil, err
	}
	c.wire.rows, c.wire.rowBytes, c.wire.expect = 0, 0, st.expect
	if _, err := c.wire.net.Write(out); err != nil {
		c.broken, c.hungUp = true, true
		return nil, fmt.Errorf("write to the server: %w", err)
	}
	a := &answer{statement: st, wire: c.wire, last: answersDone, stop: func() {
		c.broken = true
		c.interrupt()
	}}
	a.result.data = make([]byte, 0, st.reserve)
	a.result.ends = make([]int, 0, st.expect)
	err = a.read()
	if err != nil {
		c.broken, c.hungUp = true, !a.result.stopped
	}
	switch {
	case a.result.stopped: // what came before is whole, however the rest ended
		return &a.result, nil
	case a.failure != nil: // also where the server told why before it hung up
		return nil, classify(a.failure)
	case err != nil:
		return nil, err
	case a.changed:
		return nil, errChanged
	case !a.complete:
		return nil, errors.New("the server ended the statement without completing it")
	}
	return &a.result, nil
}

// answer is the reading of all that the server says to one request.
type answer struct {
	statement *statement
	wire      *wire
	stop      func()

	result   result
	at, last int  // of its ReadyForQuery: which comes next, and after which it ends
	status   byte // of the transaction: T where one is open, E where it failed, I where there is none
	tag      string
	failure  *pgconn.PgError
	complete bool
	changed  bool
}

func (a *answer) read() error {
	for a.at < a.last {
		kind, length, err := a.wire.header()
		if err != nil {
			return err
		}
		if kind == 'D' && a.at == answerStatement && !a.changed && !a.result.stopped {
			err = a.row(length)
		} else if kind == 'D' {
			err = a.wire.skip(length)
		} else {
			err = a.message(kind, length)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *answer) row(length int) error {
	r := &a.result
	data, big, err := a.wire.row(r.data, length, a.statement.keep)
	if err != nil {
		return err
	}
	r.data = data
	r.ends = append(r.ends, len(data))
	if big {
		if r.big == nil {
			r.big = map[int]int{}
		}
		r.big[len(r.ends)-1] = length
	}
	a.wire.rows++
	a.wire.rowBytes += length + 5
	if st := a.statement; exceeds(len(r.ends)-1, st.maxRows) || exceeds(a.wire.rowBytes, st.maxBytes) || exceeds(len(data), st.maxKept) {
		r.stopped = true
		if a.toCome() > cheapToSkip {
			a.stop()
		}
	}
	return nil
}

// toCome estimates how many bytes of rows are still to come.
func (a *answer) toCome() int {
	left := a.statement.expect - a.wire.rows
	if left < 0 { // more rows than expected share the last position
		left = maxTies
	}
	return left * (a.wire.rowBytes / a.wire.rows)
}

func exceeds(n, limit int) bool { return limit > 0 && n >= limit }

func (a *answer) message(kind byte, length int) error {
	body, err := a.wire.body(length)
	if err != nil {
		return err
	}
	switch kind {
	case 'Z':
		a.at++
		if len(body) > 0 {
			a.status = body[0]
		}
	case 'C':
		a.complete = a.complete || a.at == answerStatement
		a.tag = string(bytes.TrimRight(body, "\x00"))
	case 'T':
		if a.at == answerStatement {
			return a.describe(body)
		}
	case 'E':
		var told pgproto3.ErrorResponse
		if err := told.Decode(body); err != nil {
			return fmt.Errorf("read the server's error: %w", err)
		}
		if a.failure == nil {
			a.failure = pgconn.ErrorResponseToPgError(&told)
		}
	case '1', '2', 'I', 'N', 'n', 's', 'S', 'A', 't':
	default:
		return fmt.Errorf("message %q is not one that answers a SELECT", kind)
	}
	return nil
}

func (a *answer) describe(body []byte) error {
	var told pgproto3.RowDescription
	if err := told.Decode(body); err != nil {
		return fmt.Errorf("read the result's columns: %w", err)
	}
	types := make([]uint32, len(told.Fields))
	for i, f := range told.Fields {
		types[i] = f.DataTypeOID
		a.result.fields = append(a.result.fields, field{name: string(f.Name), typ: f.DataTypeOID, modifier: f.TypeModifier})
	}
	a.changed = a.statement.types != nil && !slices.Equal(types, a.statement.types)
	return nil
}
