package ledger

import (
	"context"
	"fmt"
	"time"

	"plumbline/access"
)

// The purposes of codes.
const (
	SetUpCode     = "setup"      // makes the first account; its subject is ""
	SlackLinkCode = "slack link" // its subject is "TEAM USER"
)

// MakeCode makes a code that may be used once, for one purpose, within its life.
// It is kept as its fingerprint alone.
func (l *Ledger) MakeCode(ctx context.Context, purpose, subject string, life time.Duration) (plain string, err error) {
	plain = access.NewSecret()
	now := l.now()
	err = l.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `INSERT INTO codes (hash, purpose, subject, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, 0)`,
			access.Fingerprint(plain), purpose, text(subject), millis(now), millis(now.Add(life)))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	return plain, nil
}

// goodCode chooses a code that may still be used; one made after now is of a
// clock that was set back since, and is good for nothing.
const goodCode = ` WHERE hash = $1 AND purpose = $2 AND used_at = 0 AND expires_at > $3 AND created_at <= $4`

// LookCode says what a code is for, and leaves it as it is. ErrNoCode.
func (l *Ledger) LookCode(ctx context.Context, purpose, plain string) (subject string, err error) {
	now := millis(l.now())
	return subjectOf(ctx, l.read, `SELECT subject FROM codes`+goodCode, access.Fingerprint(plain), purpose, now, now+skew.Milliseconds())
}

// UseCode says what a code is for, once. ErrNoCode.
func (l *Ledger) UseCode(ctx context.Context, purpose, plain string) (subject string, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		subject, err = tx.useCode(ctx, purpose, plain)
		return err
	})
	return subject, err
}

func (tx *Tx) useCode(ctx context.Context, purpose, plain string) (subject string, err error) {
	now := millis(tx.now())
	return subjectOf(ctx, tx.sql, `UPDATE codes SET used_at = $3`+goodCode+` RETURNING subject`, access.Fingerprint(plain), purpose, now, now+skew.Milliseconds())
}

func subjectOf(ctx context.Context, from querier, statement string, args ...any) (subject string, err error) {
	err = from.QueryRowContext(ctx, statement, args...).Scan(&subject)
	switch {
	case nothing(err):
		return "", ErrNoCode
	case err != nil:
		return "", fmt.Errorf("look for a code: %w", err)
	}
	return subject, nil
}
