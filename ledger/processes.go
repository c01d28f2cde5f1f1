package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// goneAfter is when a process that was not heard of is taken off the list.
const goneAfter = 24 * time.Hour

// Join registers a process. Its generation is the newest one where that was made
// from the same configuration, told by its hash, and otherwise one more.
func (l *Ledger) Join(ctx context.Context, p Process, hash string) (generation int64, err error) {
	now := l.now()
	err = l.InTx(ctx, func(tx *Tx) error {
		// The counter is the lock: of two that join at once, the second sees the first's.
		if _, err := tx.next(ctx, "joins"); err != nil {
			return err
		}
		var newest string
		err := tx.sql.QueryRowContext(ctx, `SELECT number, hash FROM generations ORDER BY number DESC LIMIT 1`).Scan(&generation, &newest)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err != nil || newest != hash {
			generation++
			if _, err := tx.exec(ctx, `INSERT INTO generations (number, hash, made_at) VALUES ($1, $2, $3)`, generation, hash, millis(now)); err != nil {
				return err
			}
			tx.tell(Change{Topic: "config"})
		}
		if _, err := tx.exec(ctx, `DELETE FROM processes WHERE heartbeat < $1`, millis(now.Add(-goneAfter))); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO processes (id, host, pid, version, listen, generation, started_at, heartbeat)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET host = excluded.host, pid = excluded.pid, version = excluded.version,
				listen = excluded.listen, generation = excluded.generation, heartbeat = excluded.heartbeat`,
			p.ID, text(p.Host), p.PID, p.Version, p.Listen, generation, millis(p.StartedAt), millis(now))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("register this process: %w", err)
	}
	return generation, nil
}

// Heartbeat says that a process lives, and returns the newest generation. A
// process that is not on the list is a *NotFoundError: it joins again.
func (l *Ledger) Heartbeat(ctx context.Context, id string) (newest int64, err error) {
	var known int64
	err = l.InTx(ctx, func(tx *Tx) error {
		var err error
		if known, err = tx.exec(ctx, `UPDATE processes SET heartbeat = $1 WHERE id = $2`, millis(l.now()), id); err != nil {
			return err
		}
		return tx.sql.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) FROM generations`).Scan(&newest)
	})
	if err != nil {
		return 0, fmt.Errorf("tell that this process lives: %w", err)
	}
	if known == 0 {
		return newest, &NotFoundError{What: "process", Name: id}
	}
	return newest, nil
}

// Leave takes a process off the list.
func (l *Ledger) Leave(ctx context.Context, id string) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `DELETE FROM processes WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("take this process off the list: %w", err)
	}
	return nil
}

// Processes lists the processes, the oldest first. Whether one still lives is
// told by its Heartbeat.
func (l *Ledger) Processes(ctx context.Context) ([]Process, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (p Process, err error) {
		var started, heartbeat int64
		err = rows.Scan(&p.ID, &p.Host, &p.PID, &p.Version, &p.Listen, &p.Generation, &started, &heartbeat)
		p.StartedAt, p.Heartbeat = timeOf(started), timeOf(heartbeat)
		return p, err
	}, `SELECT id, host, pid, version, listen, generation, started_at, heartbeat FROM processes ORDER BY started_at, id`)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return list, nil
}
