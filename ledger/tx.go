package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"plumbline/access"
)

// Tx is a transaction of the ledger.
type Tx struct {
	sql     *sql.Tx
	engine  engine
	keys    *keyring
	now     func() time.Time
	changes []Change
	// marks are the checks of which something changed that is told.
	marks map[string]*mark
	// attested are the attempts whose entries of the audit log this writes.
	attested []*access.Attempt
}

// SQL is the transaction itself, for the job engine to insert jobs in.
func (tx *Tx) SQL() *sql.Tx { return tx.sql }

// tell notes a change that is told of once it is committed.
func (tx *Tx) tell(c Change) {
	for _, told := range tx.changes {
		if told == c {
			return
		}
	}
	tx.changes = append(tx.changes, c)
}

func (tx *Tx) exec(ctx context.Context, statement string, args ...any) (affected int64, err error) {
	result, err := tx.sql.ExecContext(ctx, tx.engine.form(statement), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// attempts is how often a transaction is run that meets another each time.
const attempts = 8

// InTx runs do in one transaction. It may run do again, a bounded number of
// times, where the engine says that the transaction met another. Within do the
// ledger's own methods must not be called: with SQLite they would wait for it.
func (l *Ledger) InTx(ctx context.Context, do func(*Tx) error) error {
	return l.repeat(ctx, func() error { return l.once(ctx, l.write, do) })
}

// repeat runs a transaction until it met no other.
func (l *Ledger) repeat(ctx context.Context, once func() error) error {
	for try := 1; ; try++ {
		err := once()
		if err == nil || try == attempts || !l.engine.again(err) {
			return l.engine.explain(err)
		}
		pause := time.Duration(try) * (10 + time.Duration(rand.IntN(20))) * time.Millisecond
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

func (l *Ledger) once(ctx context.Context, from beginner, do func(*Tx) error) (err error) {
	begun, err := from.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	tx := &Tx{sql: begun, engine: l.engine, keys: l.keys, now: l.now}
	defer func() {
		if tx.sql != nil { // also where do panicked
			if undone := begun.Rollback(); undone != nil && !errors.Is(undone, sql.ErrTxDone) {
				err = errors.Join(err, fmt.Errorf("roll back: %w", undone))
			}
		}
	}()
	if err := do(tx); err != nil {
		return err
	}
	if err := l.realert(ctx, tx); err != nil {
		return err
	}
	if err := begun.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	tx.sql = nil
	for _, a := range tx.attested {
		a.Record()
	}
	if l.options.Watch != nil {
		for _, c := range tx.changes {
			l.options.Watch(c)
		}
	}
	return nil
}
