package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"plumbline/access"
)

// How guessing is slowed. Failures are counted for each name from each address,
// and for each address; from so many on each failure locks, for a second, then
// twice as long as before. A name is never locked from everywhere, so that nobody
// can lock another out. All together may compute 50 hashes in any minute.
const (
	pairFailures    = 5
	addressFailures = 20
	longestLock     = 15 * time.Minute
	failuresKept    = 24 * time.Hour

	// One hash every hashEvery, and hashBurst ahead of that, are at most 50 in any
	// minute. Whoever signed in from where they are within goodFor has the last
	// hashReserve of the burst to themselves: a flood of guesses does not keep them out.
	hashEvery   = 2400 * time.Millisecond
	hashBurst   = 25
	hashReserve = 5
	goodFor     = 30 * 24 * time.Hour
)

// signIn is a row of sign_ins.
type signIn struct {
	subject  string
	failures int64
	locked   time.Time // until when
	good     time.Time // when it last succeeded
}

// lockFor is how long the nth failure locks; the first of them that does is the
// one after free - 1 others.
func lockFor(n, free int64) time.Duration {
	if n < free {
		return 0
	}
	return min(longestLock, time.Second<<min(n-free, 20))
}

// SignIn begins a session for whoever knows the password of an account, and
// returns its cookie. ErrWrongPassword says no more: an unknown name, a disabled
// account and a wrong password take the same steps and the same time. *LockedError
// is told before any password is looked at.
func (l *Ledger) SignIn(ctx context.Context, name, password, address, agent string) (cookie string, a Account, err error) {
	a, settle, err := l.tryPassword(ctx, name, password, address)
	if err != nil {
		return "", Account{}, err
	}
	err = l.InTx(ctx, func(tx *Tx) error {
		seen := timeOf(millis(tx.now()))
		// The row is locked before it is read: whoever changes the account now waits, and ends this session too.
		if _, err := tx.exec(ctx, `UPDATE accounts SET seen_at = $1 WHERE id = $2`, millis(seen), a.ID); err != nil {
			return err
		}
		now, err := accountBy(ctx, tx.sql, a.ID) // it may have changed while we hashed
		if err != nil {
			return err
		}
		if now.Disabled || !now.ChangedAt.Equal(a.ChangedAt) {
			return ErrWrongPassword
		}
		a = now
		if err := settle(tx); err != nil {
			return err
		}
		session := ""
		if cookie, session, err = tx.newSession(ctx, a.ID, address, agent); err != nil {
			return err
		}
		return tx.attestSignIn(ctx, &a, address, "session "+session)
	})
	if err != nil {
		return "", Account{}, fmt.Errorf("sign in: %w", err)
	}
	return cookie, a, nil
}

// attestSignIn writes that somebody signed in: from here on it is known who asked.
func (tx *Tx) attestSignIn(ctx context.Context, a *Account, address, detail string) error {
	attempt := access.AttemptOf(ctx)
	if attempt == nil {
		return nil
	}
	e := access.EntryOf(attempt, tx.now(), access.Done)
	e.Actor, e.Account, e.Role, e.Address = a.Name, a.ID, a.Role, address
	e.Action, e.Object, e.Detail = actionOr(ctx, "sign in"), "account "+a.Name, detail
	return tx.enter(ctx, attempt, e)
}

// CheckOwnPassword says whether a password is that of an account, for whoever is
// signed in to it. It is counted and slowed like signing in. ErrWrongPassword;
// *LockedError.
func (l *Ledger) CheckOwnPassword(ctx context.Context, account, password, address string) error {
	a, err := l.Account(ctx, account)
	if err != nil {
		return err
	}
	_, settle, err := l.tryPassword(ctx, a.Name, password, address)
	if err == nil {
		err = l.InTx(ctx, settle)
	}
	if err != nil {
		return fmt.Errorf("check the password: %w", err)
	}
	return nil
}

// tryPassword counts a failure, looks at the password, and returns how to take
// the failure back. It is counted first, so that guesses made at once are too,
// and the ledger is free while a hash is computed.
func (l *Ledger) tryPassword(ctx context.Context, name, password, address string) (a Account, settle func(*Tx) error, err error) {
	long := len(password) > longestTyped
	name, password = typed(name), typed(password)
	pair, from := signInSubjects(name, address) // while nobody waits for the ledger
	var counted failure
	err = l.InTx(ctx, func(tx *Tx) error {
		counted, err = tx.countFailure(ctx, pair, from)
		return err
	})
	if err != nil {
		l.tellLocked(ctx, err)
		return Account{}, nil, fmt.Errorf("sign in: %w", err)
	}
	a, hash, err := l.passwordOf(ctx, name)
	if err != nil {
		return Account{}, nil, err
	}
	if at := access.AttemptOf(ctx); at != nil && a.ID != "" {
		at.Object = "account " + a.Name // what else was typed there may be a password
	}
	matches, err := l.options.Passwords.Match(ctx, hash, password)
	if err != nil {
		return Account{}, nil, err
	}
	if !matches || long || a.ID == "" || a.Disabled {
		return Account{}, nil, fmt.Errorf("sign in: %w", ErrWrongPassword)
	}
	return a, func(tx *Tx) error { return tx.takeBack(ctx, counted) }, nil
}

// longestTyped bounds what is looked at of a name or a password that somebody
// typed, in bytes: what is longer is nobody's, and takes long to fold.
const longestTyped = 2048

func typed(given string) string { return given[:min(len(given), longestTyped)] }

// tellLocked keeps guesses that were not even looked at out of the audit log: the
// entry of the guess that locked stands for them, and nobody can flood it.
func (l *Ledger) tellLocked(ctx context.Context, err error) {
	if a := access.AttemptOf(ctx); a != nil && errors.As(err, new(*LockedError)) {
		a.Record()
	}
}

// passwordOf is the account of a name and the hash of its password; for a name
// that nobody has, no account and a hash that nothing matches.
func (l *Ledger) passwordOf(ctx context.Context, name string) (a Account, hash string, err error) {
	var changed int64
	err = l.read.QueryRowContext(ctx, `SELECT id, name, role, disabled, changed_at, password FROM accounts WHERE folded = $1`, text(access.FoldName(name))).
		Scan(&a.ID, &a.Name, &a.Role, &a.Disabled, &changed, &hash)
	a.ChangedAt = timeOf(changed)
	if nothing(err) {
		return Account{}, access.NobodysHash(), nil
	}
	if err != nil {
		return Account{}, "", fmt.Errorf("look for an account: %w", err)
	}
	return a, hash, nil
}

// signInSubjects are what failures are counted by: the name that was given,
// whether it is there or not, from an address; and the address. Of IPv6 it is the
// network, since one machine has many addresses.
func signInSubjects(name, address string) (pair, from string) {
	if ip, err := netip.ParseAddr(address); err == nil {
		if ip = ip.Unmap().WithZone(""); ip.Is6() {
			ip = netip.PrefixFrom(ip, 64).Masked().Addr()
		}
		address = ip.String()
	}
	short := func(kind, of string) string {
		sum := sha256.Sum256([]byte(of))
		return kind + ":" + hex.EncodeToString(sum[:16])
	}
	return short("pair", access.FoldName(name)+"\x00"+address), short("from", address)
}

// failure is one that was counted in two rows, which are as they became.
type failure struct{ pair, from signIn }

// countFailure counts one failure, or is a *LockedError and counts nothing.
func (tx *Tx) countFailure(ctx context.Context, pair, from string) (counted failure, err error) {
	now := timeOf(millis(tx.now()))
	// The row of all is the lock: guesses are counted one after the other.
	_, err = tx.exec(ctx, `INSERT INTO sign_ins (subject, failures, locked_until, good_at, changed_at) VALUES ('all', 0, 0, 0, $1)
		ON CONFLICT (subject) DO UPDATE SET changed_at = excluded.changed_at`, millis(now))
	if err != nil {
		return counted, fmt.Errorf("count guesses: %w", err)
	}
	all, err := tx.signIn(ctx, "all", now)
	if err != nil {
		return counted, err
	}
	if counted.pair, err = tx.signIn(ctx, pair, now); err != nil {
		return counted, err
	}
	if counted.from, err = tx.signIn(ctx, from, now); err != nil {
		return counted, err
	}
	for _, until := range []time.Time{counted.pair.locked, counted.from.locked} {
		if until.After(now) {
			return counted, &LockedError{Until: until}
		}
	}
	if err := tx.takePlace(ctx, all, counted.pair, now); err != nil {
		return counted, err
	}
	if err := tx.fail(ctx, &counted.pair, pairFailures, now); err != nil {
		return counted, err
	}
	return counted, tx.fail(ctx, &counted.from, addressFailures, now)
}

// signIn reads a row; one that is not there has no failures. However the clock
// was set, nobody is locked for longer than the longest lock.
func (tx *Tx) signIn(ctx context.Context, subject string, now time.Time) (row signIn, err error) {
	var locked, good, changed int64
	err = tx.sql.QueryRowContext(ctx, `SELECT failures, locked_until, good_at, changed_at FROM sign_ins WHERE subject = $1`, subject).
		Scan(&row.failures, &locked, &good, &changed)
	if err != nil && !nothing(err) {
		return row, fmt.Errorf("count guesses: %w", err)
	}
	row.subject, row.locked, row.good = subject, timeOf(locked), timeOf(good)
	if row.locked.Sub(now) > longestLock {
		row.locked = time.Time{}
	}
	if now.Sub(timeOf(changed)) > failuresKept {
		row.failures = 0
	}
	return row, nil
}

// fail counts a failure in a row. As many as free lock nothing yet.
func (tx *Tx) fail(ctx context.Context, row *signIn, free int64, now time.Time) error {
	row.failures++
	row.locked = time.Time{}
	if d := lockFor(row.failures, free); d > 0 {
		row.locked = now.Add(d)
	}
	return tx.keepSignIn(ctx, *row, now)
}

// takePlace takes one of the hashes that all may compute. The row's time is when
// those taken would all have been computed, one every hashEvery.
func (tx *Tx) takePlace(ctx context.Context, all, pair signIn, now time.Time) error {
	burst := hashBurst - hashReserve
	if !pair.good.IsZero() && now.Sub(pair.good) < goodFor {
		burst = hashBurst
	}
	ahead := all.locked.Sub(now)
	if ahead < 0 || ahead > hashBurst*hashEvery { // beyond it only a clock that was set back can be
		ahead = 0
	}
	if free := time.Duration(burst-1) * hashEvery; ahead > free {
		return &LockedError{Until: now.Add(ahead - free)}
	}
	all.locked = now.Add(ahead + hashEvery)
	return tx.keepSignIn(ctx, all, now)
}

func (tx *Tx) keepSignIn(ctx context.Context, row signIn, now time.Time) error {
	_, err := tx.exec(ctx, `INSERT INTO sign_ins (subject, failures, locked_until, good_at, changed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until, good_at = excluded.good_at,
			changed_at = excluded.changed_at`, row.subject, row.failures, millis(row.locked), millis(row.good), millis(now))
	if err != nil {
		return fmt.Errorf("count guesses: %w", err)
	}
	return nil
}

// takeBack takes back the failure that was counted for who was right. Their name
// from their address begins anew; the address keeps the failures of others.
func (tx *Tx) takeBack(ctx context.Context, counted failure) error {
	now := tx.now()
	counted.pair.failures, counted.pair.locked, counted.pair.good = 0, time.Time{}, now
	if err := tx.keepSignIn(ctx, counted.pair, now); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `UPDATE sign_ins SET failures = CASE WHEN failures > 0 THEN failures - 1 ELSE 0 END,
		locked_until = CASE WHEN failures > $1 THEN locked_until ELSE 0 END WHERE subject = $2`, counted.from.failures, counted.from.subject)
	if err != nil {
		return fmt.Errorf("count guesses: %w", err)
	}
	return nil
}
