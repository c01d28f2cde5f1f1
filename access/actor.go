package access

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
)

// Via is the way somebody came.
type Via string

// The ways.
const (
	ByPage    Via = "page"
	ByAPI     Via = "api"
	ByCommand Via = "command"
	BySlack   Via = "slack"
)

// Actor is who asks for something.
type Actor struct {
	// Account is the id of an account; "" for the local user and for Plumbline itself.
	Account string
	// Name is how timelines and the audit log name them.
	Name string
	Role Role
	// Scopes narrow what a token may do; nil is all of the role's.
	Scopes []Permission
	Via    Via
	// Address is the network address they came from; "" for none.
	Address string
	// Session is the session, Token the token by which they came; "" for none.
	Session, Token string
}

// LocalUser is the name of whoever uses pages, API or commands while there are
// no accounts: anybody on this machine.
const LocalUser = "local user"

// Local is that user. It may do all but what needs an account of its own.
func Local(via Via, address string) Actor {
	return Actor{Name: LocalUser, Role: Admin, Via: via, Address: address}
}

// May says whether the actor holds a permission.
func (a Actor) May(p Permission) bool {
	if p == Public {
		return true
	}
	if a.Scopes != nil && !slices.Contains(a.Scopes, p) {
		return false
	}
	return a.Role.May(p)
}

// Anonymous says whether nobody is known to ask.
func (a Actor) Anonymous() bool { return a.Role == "" }

// DeniedError is an act that the actor may not do.
type DeniedError struct {
	Actor Actor
	Needs Permission
}

func (e *DeniedError) Error() string {
	switch {
	case e.Actor.Anonymous():
		return "sign in first"
	case e.Actor.Scopes != nil && e.Needs == Reveal:
		return "this token may not: no token may, it is for people who signed in"
	case e.Actor.Scopes != nil && e.Actor.Role.May(e.Needs):
		return fmt.Sprintf("this token may not: it needs the scope %s", e.Needs)
	}
	return fmt.Sprintf("%s may not: it needs the role %s", e.Actor.Name, Least(e.Needs))
}

// Require is a *DeniedError where the actor behind ctx does not hold a permission.
func Require(ctx context.Context, p Permission) error {
	if a := ActorOf(ctx); !a.May(p) {
		return &DeniedError{a, p}
	}
	return nil
}

// Attempt is what somebody is about to do. Who changes the ledger on their behalf
// writes its entry of the audit log in the same transaction and says so; whoever
// began the attempt writes the entry of one that nobody recorded: it was denied,
// it failed, or it changed nothing in the ledger.
type Attempt struct {
	Actor  Actor
	Action string // a verb of the field: acknowledge, mute, run, sign in
	Object string // what it is done to: finding F-812, check prices
	Detail string // anything more, without a value of a record

	recorded atomic.Bool
}

// Record marks the attempt's entry as written.
func (a *Attempt) Record() { a.recorded.Store(true) }

// Forget takes Record back: the transaction that wrote the entry was undone.
func (a *Attempt) Forget() { a.recorded.Store(false) }

// Recorded says whether the entry is written.
func (a *Attempt) Recorded() bool { return a.recorded.Load() }

type attemptKey struct{}

// With carries an attempt. It is of the request's own scope, like its deadline:
// every layer in between only hands it on.
func With(ctx context.Context, a *Attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// AttemptOf is the attempt that ctx carries; nil where Plumbline acts by itself.
func AttemptOf(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}

// ActorOf is who asks; an anonymous Actor where ctx carries no attempt.
func ActorOf(ctx context.Context) Actor {
	if a := AttemptOf(ctx); a != nil {
		return a.Actor
	}
	return Actor{}
}
