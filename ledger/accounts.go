package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"plumbline/access"
)

// Account is somebody who may sign in.
type Account struct {
	ID, Name  string
	Role      access.Role
	Disabled  bool
	CreatedAt time.Time
	ChangedAt time.Time
	SeenAt    time.Time // zero for never
}

// AccountChange says what of an account becomes what; what is nil stays.
type AccountChange struct {
	Role     *access.Role
	Disabled *bool
	Password *string
}

const selectAccount = `SELECT id, name, role, disabled, created_at, changed_at, seen_at FROM accounts`

func scanAccount(rows *sql.Rows) (a Account, err error) {
	var created, changed, seen int64
	err = rows.Scan(&a.ID, &a.Name, &a.Role, &a.Disabled, &created, &changed, &seen)
	a.CreatedAt, a.ChangedAt, a.SeenAt = timeOf(created), timeOf(changed), timeOf(seen)
	return a, err
}

// HasAccounts says whether there are any accounts: whether people must sign in.
func (l *Ledger) HasAccounts(ctx context.Context) (bool, error) {
	has, err := hasAccounts(ctx, l.read)
	if err != nil {
		return false, fmt.Errorf("look for accounts: %w", err)
	}
	return has, nil
}

func hasAccounts(ctx context.Context, from querier) (bool, error) {
	var n int64
	err := from.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT id FROM accounts LIMIT 1) AS one`).Scan(&n)
	return n > 0, err
}

// Accounts lists the accounts by name.
func (l *Ledger) Accounts(ctx context.Context) ([]Account, error) {
	list, err := collect(ctx, l.read, scanAccount, selectAccount+` ORDER BY folded`)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return list, nil
}

// Account finds an account by its id, or else by its name. *NotFoundError.
func (l *Ledger) Account(ctx context.Context, nameOrID string) (Account, error) {
	return accountBy(ctx, l.read, nameOrID)
}

func accountBy(ctx context.Context, from querier, nameOrID string) (Account, error) {
	list, err := collect(ctx, from, scanAccount, selectAccount+` WHERE id = $1 OR folded = $2 ORDER BY CASE WHEN id = $3 THEN 0 ELSE 1 END LIMIT 1`,
		text(nameOrID), text(access.FoldName(nameOrID)), text(nameOrID))
	switch {
	case err != nil:
		return Account{}, fmt.Errorf("find an account: %w", err)
	case len(list) == 0:
		return Account{}, &NotFoundError{What: "account", Name: nameOrID}
	}
	return list[0], nil
}

// lockAccounts makes this transaction the only one that changes accounts until it ends.
func (tx *Tx) lockAccounts(ctx context.Context) error {
	_, err := tx.next(ctx, "accounts")
	return err
}

// chosen checks what somebody chose for a new account. *UnfitError.
func chosen(name string, role access.Role, password string) (kept string, err error) {
	kept, err = access.CheckName(name)
	if err == nil {
		_, err = access.ParseRole(string(role))
	}
	if err == nil {
		err = access.CheckPassword(kept, password)
	}
	if err != nil {
		return "", &UnfitError{err}
	}
	return kept, nil
}

// CreateAccount makes an account. *NameTakenError; *UnfitError for a name, role or
// password that nobody may have.
func (l *Ledger) CreateAccount(ctx context.Context, name string, role access.Role, password string) (a Account, err error) {
	if name, err = chosen(name, role, password); err != nil {
		return Account{}, err
	}
	hash, err := l.options.Passwords.Hash(ctx, password) // while nobody waits for the ledger
	if err != nil {
		return Account{}, err
	}
	err = l.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockAccounts(ctx); err != nil {
			return err
		}
		a, err = tx.insertAccount(ctx, name, role, hash, "add account")
		return err
	})
	if err != nil {
		return Account{}, fmt.Errorf("add account %s: %w", name, err)
	}
	return a, nil
}

// SetUp makes the first account, an admin, for whoever holds the set-up code.
// ErrNoCode, also once there is an account; *UnfitError.
func (l *Ledger) SetUp(ctx context.Context, code, name, password string) (a Account, err error) {
	if _, err := l.LookCode(ctx, SetUpCode, code); err != nil { // hash for nobody else
		return Account{}, err
	}
	if name, err = chosen(name, access.Admin, password); err != nil {
		return Account{}, err
	}
	hash, err := l.options.Passwords.Hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	err = l.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockAccounts(ctx); err != nil {
			return err
		}
		if has, err := hasAccounts(ctx, tx.sql); err != nil || has {
			return cmp.Or(err, ErrNoCode)
		}
		if _, err := tx.useCode(ctx, SetUpCode, code); err != nil {
			return err
		}
		a, err = tx.insertAccount(ctx, name, access.Admin, hash, "set up")
		return err
	})
	if err != nil {
		return Account{}, fmt.Errorf("make the first account: %w", err)
	}
	return a, nil
}

func (tx *Tx) insertAccount(ctx context.Context, name string, role access.Role, hash, action string) (Account, error) {
	now := timeOf(millis(tx.now()))
	a := Account{ID: rand.Text()[:16], Name: name, Role: role, CreatedAt: now, ChangedAt: now}
	n, err := tx.exec(ctx, `INSERT INTO accounts (id, name, folded, role, password, disabled, created_at, changed_at, seen_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) ON CONFLICT (folded) DO NOTHING`,
		a.ID, a.Name, access.FoldName(name), string(role), hash, false, millis(now), millis(now))
	if err != nil {
		return Account{}, err
	}
	if n == 0 {
		return Account{}, &NameTakenError{Name: name}
	}
	return a, tx.attest(ctx, actionOr(ctx, action), "account "+a.Name, "role "+string(role))
}

// ChangeAccount changes an account, and ends its sessions. *NotFoundError;
// *LastAdminError where nobody would be left to manage accounts; *UnfitError.
func (l *Ledger) ChangeAccount(ctx context.Context, id string, c AccountChange) (a Account, err error) {
	before, err := l.Account(ctx, id)
	if err != nil {
		return Account{}, err
	}
	hash := ""
	if c.Password != nil {
		if err := access.CheckPassword(before.Name, *c.Password); err != nil {
			return Account{}, &UnfitError{err}
		}
		if hash, err = l.options.Passwords.Hash(ctx, *c.Password); err != nil {
			return Account{}, err
		}
	}
	if c.Role != nil {
		if _, err := access.ParseRole(string(*c.Role)); err != nil {
			return Account{}, &UnfitError{err}
		}
	}
	err = l.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockAccounts(ctx); err != nil {
			return err
		}
		if a, err = accountBy(ctx, tx.sql, before.ID); err != nil {
			return err
		}
		return tx.changeAccount(ctx, &a, c, hash)
	})
	if err != nil {
		return Account{}, fmt.Errorf("change account %s: %w", before.Name, err)
	}
	return a, nil
}

// changeAccount writes what changes; nothing where nothing does.
func (tx *Tx) changeAccount(ctx context.Context, a *Account, c AccountChange, hash string) error {
	led := a.Role == access.Admin && !a.Disabled
	var what []string
	if c.Role != nil && *c.Role != a.Role {
		what = append(what, fmt.Sprintf("role %s, was %s", *c.Role, a.Role))
		a.Role = *c.Role
	}
	if c.Disabled != nil && *c.Disabled != a.Disabled {
		what = append(what, map[bool]string{true: "disabled", false: "enabled"}[*c.Disabled])
		a.Disabled = *c.Disabled
	}
	if hash != "" {
		what = append(what, "password")
		if _, err := tx.exec(ctx, `UPDATE accounts SET password = $1 WHERE id = $2`, hash, a.ID); err != nil {
			return err
		}
	}
	if len(what) == 0 {
		return nil
	}
	a.ChangedAt = timeOf(millis(tx.now()))
	if _, err := tx.exec(ctx, `UPDATE accounts SET role = $1, disabled = $2, changed_at = $3 WHERE id = $4`,
		string(a.Role), a.Disabled, millis(a.ChangedAt), a.ID); err != nil {
		return err
	}
	if led && (a.Role != access.Admin || a.Disabled) {
		var admins int64
		if err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM accounts WHERE role = 'admin' AND NOT disabled`).Scan(&admins); err != nil {
			return err
		}
		if admins == 0 {
			return &LastAdminError{Name: a.Name}
		}
	}
	if _, err := tx.exec(ctx, `DELETE FROM sessions WHERE account = $1`, a.ID); err != nil {
		return err
	}
	return tx.attest(ctx, actionOr(ctx, "change account"), "account "+a.Name, strings.Join(what, "; "))
}
