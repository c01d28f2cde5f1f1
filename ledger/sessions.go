package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"time"

	"plumbline/access"
)

// How long a session lives: without being used, and at most.
const (
	idleAfter  = time.Hour
	sessionFor = 12 * time.Hour
)

const (
	// skew is how far the clocks of two processes may be apart. What bears a time
	// later than that is of a clock that was set back, and gives nobody more time.
	skew = time.Minute
	// usedEvery is how often it is noted that a session or token is in use.
	usedEvery = time.Minute
)

// Session is one sign-in of an account.
type Session struct {
	Name      string // what it is called on pages and in the audit log; it opens nothing
	Account   string
	Address   string // where it came from when it began
	Agent     string
	CreatedAt time.Time
	UsedAt    time.Time
}

// newSession begins a session and returns its cookie, of which the fingerprint
// alone is kept.
func (tx *Tx) newSession(ctx context.Context, account, address, agent string) (cookie, name string, err error) {
	cookie, name = access.NewSecret(), rand.Text()[:10]
	now := millis(tx.now())
	_, err = tx.exec(ctx, `INSERT INTO sessions (id, name, account, address, agent, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		access.Fingerprint(cookie), name, account, bounded(address, longestObject), bounded(agent, longestObject), now, now)
	return cookie, name, err
}

// inTime chooses sessions s that are not over; its parameters are inTimeAt.
const inTime = `s.used_at > $1 AND s.created_at > $2 AND s.used_at <= $3`

func inTimeAt(now time.Time) []any {
	return []any{millis(now.Add(-idleAfter)), millis(now.Add(-sessionFor)), millis(now.Add(skew))}
}

// SessionActor is who the cookie of a session is of, as their account is at this
// moment. A session is over an hour after it was last used, and 12 hours after it
// began. ErrNoSession.
func (l *Ledger) SessionActor(ctx context.Context, cookie, address string) (access.Actor, error) {
	now := l.now()
	a := access.Actor{Via: access.ByPage, Address: address}
	var used int64
	err := l.read.QueryRowContext(ctx, `SELECT a.id, a.name, a.role, s.name, s.used_at FROM sessions s JOIN accounts a ON a.id = s.account
		WHERE `+inTime+` AND s.id = $4 AND NOT a.disabled`, append(inTimeAt(now), access.Fingerprint(cookie))...).
		Scan(&a.Account, &a.Name, &a.Role, &a.Session, &used)
	switch {
	case nothing(err):
		return access.Actor{}, ErrNoSession
	case err != nil:
		return access.Actor{}, fmt.Errorf("look for a session: %w", err)
	}
	if now.Sub(timeOf(used)) >= usedEvery {
		if err := l.sessionUsed(ctx, &a, now); err != nil {
			return access.Actor{}, err
		}
	}
	return a, nil
}

func (l *Ledger) sessionUsed(ctx context.Context, a *access.Actor, now time.Time) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE sessions SET used_at = $1 WHERE name = $2 AND used_at < $1`, millis(now), a.Session); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE accounts SET seen_at = $1 WHERE id = $2 AND seen_at < $1`, millis(now), a.Account)
		return err
	})
	if err != nil {
		return fmt.Errorf("note that a session is in use: %w", err)
	}
	return nil
}

// Sessions lists the sessions of an account that are not over, the last used first.
func (l *Ledger) Sessions(ctx context.Context, account string) ([]Session, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (s Session, err error) {
		var created, used int64
		err = rows.Scan(&s.Name, &s.Account, &s.Address, &s.Agent, &created, &used)
		s.CreatedAt, s.UsedAt = timeOf(created), timeOf(used)
		return s, err
	}, `SELECT name, account, address, agent, created_at, used_at FROM sessions s WHERE `+inTime+` AND account = $4
		ORDER BY used_at DESC, name`, append(inTimeAt(l.now()), account)...)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// EndSession ends a session of an account by its name. *NotFoundError.
func (l *Ledger) EndSession(ctx context.Context, account, name string) error {
	n, err := l.endSessions(ctx, "end session", `DELETE FROM sessions WHERE account = $1 AND name = $2`, account, name)
	if err == nil && n == 0 {
		return &NotFoundError{What: "session", Name: name}
	}
	return err
}

// EndSessions ends all sessions of an account.
func (l *Ledger) EndSessions(ctx context.Context, account string) error {
	_, err := l.endSessions(ctx, "end sessions", `DELETE FROM sessions WHERE account = $1`, account)
	return err
}

func (l *Ledger) endSessions(ctx context.Context, action, statement string, args ...any) (n int64, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		if n, err = tx.exec(ctx, statement, args...); err != nil || n == 0 {
			return err
		}
		var name string
		if err := tx.sql.QueryRowContext(ctx, `SELECT name FROM accounts WHERE id = $1`, args[0]).Scan(&name); err != nil {
			return err
		}
		return tx.attest(ctx, actionOr(ctx, action), "account "+name, fmt.Sprintf("sessions ended: %d", n))
	})
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return n, nil
}
