package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumbline/sources"
)

var (
	errNotWritable = errors.New("the source was opened without leave to write")
	errNoRow       = errors.New("the record is not there as it was")
	errLate        = errors.New("the server's clock is past the time of the change")
	errMadeOther   = errors.New("the server made something else of the record than was shown (a trigger of the table, or how it stores values, changes what is written)")
)

// Preview is the statement as it is sent. The place of the time until which it
// may be made has no value yet.
func (s *source) Preview(d *sources.Dataset, c *sources.Change) (sources.Preview, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	p, err := s.planFor(ctx, d)
	if err != nil {
		return sources.Preview{}, err
	}
	l, err := p.layoutFor(ctx, s, false)
	if err != nil {
		return sources.Preview{}, s.failed(p, err)
	}
	composed, err := p.composeChange(l, c, time.Time{})
	if err != nil {
		return sources.Preview{}, err
	}
	return composed.preview, nil
}

// Write makes a change in a transaction and a session of its own: the record is
// locked and looked at, changed, looked at again, and committed only if it became
// what it was to become and the server's clock is still before until.
func (s *source) Write(ctx context.Context, d *sources.Dataset, c *sources.Change, until time.Time) error {
	if !s.writable {
		return &sources.NotWritten{Err: sources.Final(errNotWritable)}
	}
	p, err := s.planFor(ctx, d)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	err = s.write(ctx, p, c, until)
	if errors.Is(err, errChanged) {
		s.forget(d)
	}
	return err
}

func (s *source) write(ctx context.Context, p *plan, c *sources.Change, until time.Time) error {
	l, err := p.layoutFor(ctx, s, c.Kind() != sources.Update)
	if err == nil {
		err = s.writableTable(ctx, p, l)
	}
	if err != nil {
		return notWritten(s.failed(p, err))
	}
	composed, err := p.composeChange(l, c, until)
	if err != nil {
		return notWritten(err)
	}
	w, err := s.beginWriting(ctx, c.Kind())
	if err != nil {
		return notWritten(err)
	}
	defer w.end()
	err = w.make(ctx, p, c, composed, until)
	if err != nil {
		return notWritten(s.failed(p, err))
	}
	return w.commit(ctx, until)
}

// notWritten says of an error that came before the commit what it means.
func notWritten(err error) error {
	stale := errors.Is(err, errNoRow) || errors.Is(err, errChanged)
	return &sources.NotWritten{Stale: stale, Late: !stale && errors.Is(err, errLate), Err: err}
}

// make does all but the commit.
func (w *writing) make(ctx context.Context, p *plan, c *sources.Change, composed *change, until time.Time) error {
	now, err := w.conn.lookAt(ctx, p, c.Key, c.ID, composed.imaged, true)
	switch {
	case err != nil:
		return err
	case !now.same(composed.before):
		return errNoRow
	case !now.ReadAt.Before(until):
		return errLate
	}
	rows, err := w.conn.affect(ctx, composed.text)
	switch {
	case err != nil:
		return err
	case rows > 1:
		return sources.Final(&sources.ManyError{In: p.title()})
	case rows == 0:
		return w.whyNone(ctx, until)
	}
	if now, err = w.conn.lookAt(ctx, p, c.Key, c.ID, composed.imaged, true); err != nil {
		return err
	}
	if !now.same(composed.becomes) {
		return sources.Final(errMadeOther)
	}
	return nil
}

// same says whether a record is what an image says, or, for nil, is not there.
func (n *looked) same(as *native) bool {
	if !n.Exists || as == nil {
		return n.Exists == (as != nil)
	}
	return string(n.Native) == string(as.encode())
}

// whyNone tells, of a record that is locked and as it was, why the change found none.
func (w *writing) whyNone(ctx context.Context, until time.Time) error {
	at, err := w.conn.clock(ctx)
	switch {
	case err != nil:
		return err
	case !at.Before(until):
		return errLate
	}
	return sources.Final(errors.New("the server did not take it, though the record is as it was"))
}

// How long a transaction that writes may wait for a lock, run a statement, and
// stand idle because whoever runs it has frozen: then the server ends it.
const (
	writeLock      = 2 * time.Second
	writeStatement = 4 * time.Second
	writeIdle      = 3 * time.Second
	// settleTimeout is longer than such a transaction can last.
	settleTimeout = 15 * time.Second
)

// writing is one transaction that writes, in a session that ends with it.
type writing struct {
	pool *pool
	conn *conn
}

// beginWriting opens a session for one change. An insert guards the gap where
// there is no record; everything else locks records alone.
func (s *source) beginWriting(ctx context.Context, kind sources.ChangeKind) (*writing, error) {
	connection, err := s.writers.acquire(ctx)
	if err != nil {
		return nil, err
	}
	w := &writing{pool: s.writers, conn: connection}
	isolation := "READ COMMITTED"
	if kind == sources.Insert {
		isolation = "REPEATABLE READ"
	}
	settings := fmt.Sprintf("SET SESSION wait_timeout = %d, SESSION innodb_lock_wait_timeout = %d, SESSION lock_wait_timeout = %[2]d, "+
		"SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_VALUE_ON_ZERO')", int(writeIdle.Seconds()), int(writeLock.Seconds()))
	if connection.mariadb {
		settings += fmt.Sprintf(", SESSION max_statement_time = %d", int(writeStatement.Seconds()))
	}
	err = connection.exec(ctx, settings+"; SET TRANSACTION ISOLATION LEVEL "+isolation+"; START TRANSACTION READ WRITE")
	if err != nil {
		w.end()
		return nil, fmt.Errorf("begin to write: %w", err)
	}
	return w, nil
}

// end closes the session; what is not committed is rolled back with it.
func (w *writing) end() {
	w.conn.broken = true
	w.pool.release(w.conn)
}

// commit commits unless it is too late: a commit that was held up on its way must
// not take effect after its time. The overflow that a late one runs into ends
// both statements. What the server refused is not written; what it does not
// answer, nobody knows.
func (w *writing) commit(ctx context.Context, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return notWritten(err)
	}
	err := w.conn.exec(ctx, "SELECT EXP(710 * (SYSDATE(6) >= "+moment(until)+")); COMMIT")
	switch number(err) {
	case 0, // done, or the line broke
		errQueryInterrupted, errShutdown, errKilled, errStatementTimeout: // which may strike once it is done
		return err
	case errValueOutOfRange:
		return notWritten(errLate)
	}
	return notWritten(err)
}

// errValueOutOfRange is what a commit that comes too late fails with.
const errValueOutOfRange = 1690
