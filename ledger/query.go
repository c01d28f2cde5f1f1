package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// querier is a pool of connections, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// collect reads all rows of a statement.
func collect[T any](ctx context.Context, from querier, one func(*sql.Rows) (T, error), statement string, args ...any) (list []T, err error) {
	rows, err := from.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := rows.Close(); err == nil && cerr != nil {
			list, err = nil, cerr
		}
	}()
	for rows.Next() {
		item, err := one(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}

// next raises a counter and returns it.
func (tx *Tx) next(ctx context.Context, counter string) (value int64, err error) {
	err = tx.sql.QueryRowContext(ctx, `INSERT INTO counters (name, value) VALUES ($1, 1)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value`, counter).Scan(&value)
	if err != nil {
		return 0, fmt.Errorf("raise the counter of %s: %w", counter, err)
	}
	return value, nil
}

// lockEdge makes this transaction the only one that records anything of an edge
// until it ends; known is false where there is no such edge. Edges are locked in
// the order of check and replica, and before anything else but a schedule.
func (tx *Tx) lockEdge(ctx context.Context, check, replica string) (known bool, err error) {
	n, err := tx.exec(ctx, `UPDATE edges SET locks = locks + 1 WHERE check_name = $1 AND replica = $2`, check, replica)
	if err != nil {
		return false, fmt.Errorf("lock edge %s/%s: %w", check, replica, err)
	}
	return n > 0, nil
}

// nothing says whether an error is that no row was found.
func nothing(err error) bool { return errors.Is(err, sql.ErrNoRows) }
