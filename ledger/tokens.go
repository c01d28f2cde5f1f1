package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"plumbline/access"
)

// tokenFor is how long a token lives that does not say.
const tokenFor = 90 * 24 * time.Hour

// Token is what a program comes with. Account is "" for one that belongs to no
// person.
type Token struct {
	ID, Name, Account string
	Role              access.Role
	Scopes            []access.Permission
	CreatedBy         string
	CreatedAt         time.Time
	ExpiresAt         time.Time
	UsedAt            time.Time // zero for never
	RevokedAt         time.Time // zero for not
}

// State is "valid", "expired" or "revoked" at a time.
func (t Token) State(now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !now.Before(t.ExpiresAt):
		return "expired"
	}
	return "valid"
}

const selectToken = `SELECT id, name, account, role, scopes, created_by, created_at, expires_at, used_at, revoked_at FROM tokens`

func scanToken(rows *sql.Rows) (t Token, err error) {
	var scopes string
	var created, expires, used, revoked int64
	if err = rows.Scan(&t.ID, &t.Name, &t.Account, &t.Role, &scopes, &t.CreatedBy, &created, &expires, &used, &revoked); err != nil {
		return t, err
	}
	t.CreatedAt, t.ExpiresAt, t.UsedAt, t.RevokedAt = timeOf(created), timeOf(expires), timeOf(used), timeOf(revoked)
	t.Scopes, err = access.ParseScopes(scopes)
	return t, err
}

// CreateToken makes a token of a Name, Account, Role, Scopes and ExpiresAt; zero
// is 90 days. One for an account has at most its role, at each moment. plain is
// told to nobody again: the token is kept as its fingerprint. *NotFoundError for
// an account; *UnfitError.
func (l *Ledger) CreateToken(ctx context.Context, t Token) (plain string, made Token, err error) {
	now := timeOf(millis(l.now()))
	made = Token{ID: "T-" + rand.Text()[:10], Account: t.Account, Role: t.Role, CreatedBy: access.ActorOf(ctx).Name, CreatedAt: now, ExpiresAt: timeOf(millis(t.ExpiresAt))}
	if t.ExpiresAt.IsZero() {
		made.ExpiresAt = now.Add(tokenFor)
	}
	if made.Name, err = access.CheckLabel(t.Name); err == nil {
		made.Scopes, err = access.ParseScopes(access.ScopeWords(t.Scopes))
	}
	if err == nil && !made.ExpiresAt.After(now) {
		err = errors.New("the time at which a token expires lies ahead")
	}
	if err != nil {
		return "", Token{}, &UnfitError{err}
	}
	plain = access.NewToken()
	err = l.InTx(ctx, func(tx *Tx) error { return tx.insertToken(ctx, &made, t.Role, plain) })
	if err != nil {
		return "", Token{}, fmt.Errorf("make token %s: %w", made.Name, err)
	}
	return plain, made, nil
}

func (tx *Tx) insertToken(ctx context.Context, t *Token, role access.Role, plain string) error {
	object := "token " + t.Name
	if t.Account != "" {
		a, err := accountBy(ctx, tx.sql, t.Account)
		if err != nil {
			return err
		}
		role = access.Lesser(cmp.Or(role, a.Role), a.Role)
		t.Account, object = a.ID, object+" of account "+a.Name
	}
	parsed, err := access.ParseRole(string(role))
	if err != nil {
		return &UnfitError{err}
	}
	t.Role = parsed
	_, err = tx.exec(ctx, `INSERT INTO tokens (id, hash, name, account, role, scopes, created_by, created_at, expires_at, used_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)`, t.ID, access.Fingerprint(plain), t.Name, t.Account, string(t.Role),
		access.ScopeWords(t.Scopes), text(t.CreatedBy), millis(t.CreatedAt), millis(t.ExpiresAt))
	if err != nil {
		return err
	}
	return tx.attest(ctx, actionOr(ctx, "create token"), object,
		fmt.Sprintf("%s, role %s, scopes %s, until %s", t.ID, t.Role, access.ScopeWords(t.Scopes), t.ExpiresAt.Format(time.RFC3339)))
}

// TokenActor is who comes with a token, with no more than its scopes, its role
// and the role that its account has at this moment. ErrNoToken for one that is
// unknown, expired, revoked, or of an account that is disabled.
func (l *Ledger) TokenActor(ctx context.Context, plain, address string) (access.Actor, error) {
	var account access.Role
	var disabled bool
	var name, owner, scopes string
	var used int64
	now := l.now()
	a := access.Actor{Via: access.ByAPI, Address: address}
	err := l.read.QueryRowContext(ctx, `SELECT t.id, t.name, t.account, t.role, t.scopes, t.used_at, COALESCE(a.name, ''), COALESCE(a.role, ''), COALESCE(a.disabled, $1)
		FROM tokens t LEFT JOIN accounts a ON a.id = t.account
		WHERE t.hash = $2 AND t.revoked_at = 0 AND t.expires_at > $3 AND t.created_at <= $4`, false, access.Fingerprint(plain), millis(now), millis(now.Add(skew))).
		Scan(&a.Token, &name, &a.Account, &a.Role, &scopes, &used, &owner, &account, &disabled)
	switch {
	case nothing(err):
		return access.Actor{}, ErrNoToken
	case err != nil:
		return access.Actor{}, fmt.Errorf("look for a token: %w", err)
	}
	if a.Account != "" {
		a.Role = access.Lesser(a.Role, account)
	}
	if disabled || a.Role == "" {
		return access.Actor{}, ErrNoToken
	}
	if a.Scopes, err = access.ParseScopes(scopes); err != nil {
		return access.Actor{}, fmt.Errorf("read the scopes of a token: %w", err)
	}
	a.Name = access.TokenName(owner, name)
	if now.Sub(timeOf(used)) >= usedEvery {
		err := l.InTx(ctx, func(tx *Tx) error {
			_, err := tx.exec(ctx, `UPDATE tokens SET used_at = $1 WHERE id = $2 AND used_at < $1`, millis(now), a.Token)
			return err
		})
		if err != nil {
			return access.Actor{}, fmt.Errorf("note that a token is in use: %w", err)
		}
	}
	return a, nil
}

// Tokens lists the tokens of an account, "" for all, the newest first.
func (l *Ledger) Tokens(ctx context.Context, account string) ([]Token, error) {
	list, err := collect(ctx, l.read, scanToken, selectToken+` WHERE account = $1 OR $2 = '' ORDER BY created_at DESC, id`, account, account)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return list, nil
}

// RevokeToken ends a token by its id, at once. *NotFoundError.
func (l *Ledger) RevokeToken(ctx context.Context, id string) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		var name string
		err := tx.sql.QueryRowContext(ctx, `SELECT name FROM tokens WHERE id = $1`, text(id)).Scan(&name)
		if nothing(err) {
			return &NotFoundError{What: "token", Name: id}
		}
		if err != nil {
			return err
		}
		n, err := tx.exec(ctx, `UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, millis(tx.now()), text(id))
		if err != nil || n == 0 { // it was revoked before
			return err
		}
		return tx.attest(ctx, actionOr(ctx, "revoke token"), "token "+name, id)
	})
	if err != nil {
		return fmt.Errorf("revoke a token: %w", err)
	}
	return nil
}
