package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"plumbline/sources"
)

// How long a transaction that writes may wait for a lock, run a statement, and
// stand idle because whoever runs it has frozen: then the server ends it.
const (
	writeLock      = 2 * time.Second
	writeStatement = 4 * time.Second
	writeIdle      = 3 * time.Second
	// settleTimeout is longer than such a transaction can last.
	settleTimeout = 10 * time.Second
)

// transaction is one change: begun, made, judged, looked at once all that follows
// it was done, and committed only if both were judged right and the server's clock
// is still before until when it commits.
type transaction struct {
	begin     string // runs first
	statement *statement
	judge     func(*result) error
	look      *statement
	kept      func(*result) error
	until     time.Time
}

// beginWriting begins a transaction that writes. Its settings end with it. A
// commit that is told is on the server's disk, whatever the database is set to.
func (c *conn) beginWriting(t *transaction) string {
	return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL row_security = off" + c.local +
		"; SET LOCAL lock_timeout = " + milliseconds(writeLock) +
		"; SET LOCAL statement_timeout = " + milliseconds(writeStatement) +
		"; SET LOCAL idle_in_transaction_session_timeout = " + milliseconds(writeIdle) +
		"; SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'local' ELSE current_setting('synchronous_commit') END, true)" +
		"; " + t.begin
}

// commit commits unless it is too late: a commit that was held up on its way
// must not take effect after its time.
func (t *transaction) commit() string {
	return fmt.Sprintf("SELECT 1 / (clock_timestamp() < %s::timestamptz)::int; COMMIT", literal(moment(t.until)))
}

// divisionByZero is what a commit that comes too late fails with.
const divisionByZero = "22012"

// change runs a transaction. Until its commit is sent nothing can have been
// written, and every error is a *sources.NotWritten; after that, those are of
// which the server said so.
func (c *conn) change(ctx context.Context, t *transaction) error {
	if err := ctx.Err(); err != nil {
		return &sources.NotWritten{Err: err}
	}
	ended, interrupted := make(chan struct{}), make(chan struct{})
	disarm := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		c.interruptUntil(ended)
	})
	err := c.prepare(ctx, t)
	if err == nil {
		err = c.commit(t)
	}
	if err != nil && !c.broken { // also after a commit that came too late: the transaction is open still
		if _, failure := c.step(&statement{}, &pgproto3.Query{String: "ROLLBACK"}); failure != nil {
			c.broken = true
		}
	}
	close(ended)
	if disarm() {
		return err
	}
	<-interrupted
	c.broken = true // a cancel that comes late must not hit somebody else's statement
	var not *sources.NotWritten
	switch {
	case err == nil || errors.Is(err, errNoRow):
		return err
	case errors.As(err, &not):
		return &sources.NotWritten{Stale: not.Stale, Late: not.Late, Err: ctx.Err()}
	}
	return ctx.Err()
}

// prepare does all but the commit.
func (c *conn) prepare(ctx context.Context, t *transaction) error {
	begun, err := c.step(&statement{}, &pgproto3.Query{String: c.beginWriting(t)})
	if err == nil && begun.status != 'T' {
		c.broken = true
		err = errors.New("the server did not begin a transaction")
	}
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	if err := c.judged(t.statement, t.judge); err != nil {
		return err
	}
	// What was put off to the commit is done now, so that the look sees it.
	if _, err := c.step(&statement{}, &pgproto3.Query{String: "SET CONSTRAINTS ALL IMMEDIATE"}); err != nil {
		return &sources.NotWritten{Err: err}
	}
	if err := c.judged(t.look, t.kept); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return &sources.NotWritten{Err: err}
	}
	return nil
}

// judged runs a statement and has what it returned judged. Every error is a
// *sources.NotWritten.
func (c *conn) judged(st *statement, judge func(*result) error) error {
	parse, bind := st.messages()
	made, err := c.step(st, parse, bind, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
	switch {
	case err != nil:
		return &sources.NotWritten{Err: err}
	case made.changed:
		return &sources.NotWritten{Stale: true, Err: errChanged}
	case !made.complete:
		return &sources.NotWritten{Err: errors.New("the server ended the statement without completing it")}
	}
	if err := judge(&made.result); err != nil {
		return &sources.NotWritten{Err: err}
	}
	return nil
}

// commit asks the server to commit. What it refuses is not written; what it does
// not answer, nobody knows.
func (c *conn) commit(t *transaction) error {
	answer, err := c.step(&statement{}, &pgproto3.Query{String: t.commit()})
	switch {
	case err == nil && answer.tag == "COMMIT":
		return nil
	case answer == nil:
		return err
	case answer.failure == nil && err == nil:
		return &sources.NotWritten{Err: fmt.Errorf("the server answered the commit with %q", answer.tag)}
	case answer.failure == nil:
		return err
	}
	switch failure := answer.failure; {
	case failure.Code == divisionByZero:
		return &sources.NotWritten{Late: true, Err: err}
	case failure.SeverityUnlocalized == "ERROR", failure.Code == idleInTransaction:
		return &sources.NotWritten{Err: err}
	}
	return err
}

// idleInTransaction is what the server ends a transaction with that stood idle:
// before it took another statement.
const idleInTransaction = "25P03"

// step sends messages that the server answers to with one ReadyForQuery, and
// reads the answer. What the server refused is an error, and in the answer.
func (c *conn) step(st *statement, messages ...pgproto3.FrontendMessage) (*answer, error) {
	var out []byte
	var err error
	for _, m := range messages {
		if out, err = m.Encode(out); err != nil {
			return nil, fmt.Errorf("write the statement: %w", err)
		}
	}
	c.wire.rows, c.wire.rowBytes, c.wire.expect = 0, 0, 0
	a := &answer{statement: st, wire: c.wire, at: answerStatement, last: answerCommit, stop: func() {}}
	if _, err := c.wire.net.Write(out); err != nil {
		c.broken, c.hungUp = true, true
		err = fmt.Errorf("write to the server: %w", err)
		if told := a.read(); told != nil && a.failure != nil { // why it hung up
			err = classify(a.failure)
		}
		return a, err
	}
	if err := a.read(); err != nil {
		c.broken, c.hungUp = true, true
		if a.failure == nil {
			return a, err
		}
	}
	if a.failure != nil {
		return a, classify(a.failure)
	}
	return a, nil
}
