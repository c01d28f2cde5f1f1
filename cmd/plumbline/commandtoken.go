package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumbline/access"
	"plumbline/ledger"
)

// commandToken is what a command comes with to the plumbline serve beside it. Who
// can write the ledger may do what it holds, so where people sign in a token is
// made in it, for as long as the command takes and for what commands do.
type commandToken struct {
	ledger *ledger.Ledger
	plain  string // given by the environment, or made
	made   string // the id of the token that was made
	now    func() time.Time
}

// commandTokenFor is how long the token lives of a command that is killed.
const commandTokenFor = 5 * time.Minute

// make makes the token where one is needed.
func (t *commandToken) make(ctx context.Context) error {
	if t.plain != "" {
		return nil
	}
	if has, err := t.ledger.HasAccounts(ctx); err != nil || !has {
		return err
	}
	asked := ledger.Token{Name: "command", Role: commandRole, Scopes: []access.Permission{access.View, access.Values, access.Act},
		ExpiresAt: t.now().Add(commandTokenFor)}
	who := operator()
	if name, err := access.CheckLabel(who.Name); err == nil {
		asked.Name = name
	}
	err := attempt(ctx, t.ledger, "create token", "", func(ctx context.Context) error {
		plain, made, err := t.ledger.CreateToken(ctx, asked)
		t.plain, t.made = plain, made.ID
		return err
	})
	if err != nil {
		return fmt.Errorf("make a token for this command: %w", err)
	}
	return nil
}

// actor is who a command is that works on the ledger itself. It may no more than
// beside a plumbline serve: what the token in the environment may, and without one,
// where people have accounts, what the token may that is made for it.
func (t *commandToken) actor(ctx context.Context) (access.Actor, error) {
	if t.plain != "" {
		actor, err := t.ledger.TokenActor(ctx, t.plain, "")
		if errors.Is(err, ledger.ErrNoToken) {
			err = fmt.Errorf("the token in $PLUMBLINE_TOKEN is no token of this ledger, or no longer: %w", err)
		}
		actor.Via = access.ByCommand
		return actor, err
	}
	actor := operator()
	has, err := t.ledger.HasAccounts(ctx)
	if has {
		actor.Role = commandRole
	}
	return actor, err
}

// commandRole is of commands that come with no token of anybody's, where people
// have accounts: who approves is to be known by theirs.
const commandRole = access.Operator

// close revokes the token that was made, also where the command was interrupted.
func (t *commandToken) close(ctx context.Context) error {
	if t.made == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attestWithin)
	defer cancel()
	return attempt(ctx, t.ledger, "revoke token", "", func(ctx context.Context) error { return t.ledger.RevokeToken(ctx, t.made) })
}
