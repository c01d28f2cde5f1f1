package ledger

import (
	"errors"
	"fmt"
	"time"
)

// ErrLostTerm is the answer to whoever holds an old term: another has claimed
// what it works on, and nothing of what it brings is recorded.
var ErrLostTerm = errors.New("another worker has taken over")

// TooNewError is a ledger written by a newer version of Plumbline.
type TooNewError struct{ Has, Knows int64 }

func (e *TooNewError) Error() string {
	return fmt.Sprintf("the ledger is of version %d and this Plumbline knows versions up to %d: run the newer Plumbline, or restore a backup made before the upgrade", e.Has, e.Knows)
}

// BusyError is a ledger that another process holds.
type BusyError struct{ Err error }

func (e *BusyError) Error() string { return fmt.Sprintf("another process holds the ledger: %v", e.Err) }

func (e *BusyError) Unwrap() error { return e.Err }

// NotFoundError is what is not in the ledger.
type NotFoundError struct{ What, Name string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("there is no %s %s", e.What, e.Name) }

// Ended is work on a run or segment that is over.
type Ended struct{ What string }

func (e *Ended) Error() string { return e.What + " is finished" }

// OverlapError is a run that was not begun because one of the same check still goes.
type OverlapError struct{ Check, Run string }

func (e *OverlapError) Error() string {
	return fmt.Sprintf("check %s is running already (run %s): wait for it, or cancel it", e.Check, e.Run)
}

// StaleError is an act on a finding that changed meanwhile.
type StaleError struct {
	Finding   string
	Has, Told int64 // revisions
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("%s changed meanwhile (it is at revision %d, not %d): look at it again", e.Finding, e.Has, e.Told)
}

// CursorError is a cursor that no list returned.
type CursorError struct{ Cursor string }

func (e *CursorError) Error() string {
	return fmt.Sprintf("%q is no cursor of this list: begin again without one", e.Cursor)
}

// InProgressError is a request that is being answered at this moment.
type InProgressError struct{ Key string }

func (e *InProgressError) Error() string {
	return fmt.Sprintf("a request with the key %q is being answered: ask again in a moment", e.Key)
}

// The answers to whoever brings a secret that opens nothing. They do not say
// which part of it was wrong.
var (
	ErrWrongPassword = errors.New("the name or the password is wrong")
	ErrNoSession     = errors.New("this session is over: sign in again")
	ErrNoToken       = errors.New("this token is unknown, has expired or was revoked")
	ErrNoCode        = errors.New("this link is unknown, was used or has expired: ask for a new one")
	ErrNotLinked     = errors.New("this Slack user is linked to no account")
)

// NameTakenError is a name that another account has.
type NameTakenError struct{ Name string }

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("there is an account with the name %s already: choose another", e.Name)
}

// WrongAuditKeyError is an audit log that was sealed with another key than is
// configured.
type WrongAuditKeyError struct{}

func (e *WrongAuditKeyError) Error() string {
	return "the audit log was sealed with another access.audit_key than this one: give that one, or none where it began without"
}

// LastAdminError is a change after which nobody could manage accounts.
type LastAdminError struct{ Name string }

func (e *LastAdminError) Error() string {
	return fmt.Sprintf("%s is the last admin: make another account an admin first", e.Name)
}

// LockedError is a password that is not even looked at: too many were wrong.
type LockedError struct{ Until time.Time }

func (e *LockedError) Error() string {
	return "too many passwords were wrong: try again after " + e.Until.UTC().Format("15:04:05 UTC")
}

// UnfitError is a name, password, role or scope that cannot be had.
type UnfitError struct{ Why error }

func (e *UnfitError) Error() string { return e.Why.Error() }

func (e *UnfitError) Unwrap() error { return e.Why }
