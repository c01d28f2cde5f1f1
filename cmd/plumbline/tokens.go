package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumbline/access"
	"plumbline/cmd/plumbline/report"
	"plumbline/ledger"
)

func (c *cli) tokenCommand() *cobra.Command {
	revoke := &cobra.Command{Use: "revoke TOKEN", Short: "Revoke a token by its id, at once", Args: exactly("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.onLedger(cmd.Context(), false, func(ctx context.Context, l *ledger.Ledger) error {
				err := attempt(ctx, l, "revoke token", "token "+args[0], func(ctx context.Context) error { return l.RevokeToken(ctx, args[0]) })
				if err != nil {
					return err
				}
				return c.say("%s is revoked", args[0])
			})
		}}
	return c.group(&cobra.Command{Use: "token", Short: "Add, list and revoke the tokens of programs"},
		c.addTokenCommand(), c.listTokensCommand(), revoke)
}

func (c *cli) addTokenCommand() *cobra.Command {
	var scopes, role, expires, owner string
	cmd := &cobra.Command{Use: "add NAME", Short: "Make a token for the API, and show it once", Args: exactly("NAME"),
		Long: `Make a token for the API. It is written to standard output, once: only its
fingerprint is kept. A program sends it as "Authorization: Bearer plb_…".

Scopes are ` + strings.ReplaceAll(access.ScopeWords(access.Scopes()), ",", ", ") + `.
A token may do what both its scopes and its role allow; one for an account never
more than that account may at the moment.`,
		Example: "  plumbline token add ci --scopes view --expires 30d\n  plumbline token add prometheus --scopes metrics"}
	f := cmd.Flags()
	f.StringVar(&scopes, "scopes", "", "what it may do, divided by commas")
	f.StringVar(&role, "role", "", "at most what this role may (default the least that holds its scopes)")
	f.StringVar(&expires, "expires", "90d", "for how long it is valid, such as 12h or 30d")
	f.StringVar(&owner, "for", "", "the account it belongs to (default nobody's)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := c.askedToken(args[0], scopes, role, expires)
		if err != nil {
			return err
		}
		t.Account = owner
		return c.onLedger(cmd.Context(), false, func(ctx context.Context, l *ledger.Ledger) error {
			var plain string
			err := attempt(ctx, l, "create token", "token "+t.Name, func(ctx context.Context) (err error) {
				plain, t, err = l.CreateToken(ctx, t)
				return err
			})
			if err != nil {
				return err
			}
			c.console.Note(fmt.Sprintf("token %s (%s): role %s, scopes %s, until %s; it is not shown again", t.Name, t.ID, t.Role,
				access.ScopeWords(t.Scopes), t.ExpiresAt.Format(time.RFC3339)))
			return c.say("%s", plain)
		})
	}
	return cmd
}

// askedToken is the token that flags describe.
func (c *cli) askedToken(name, scopes, role, expires string) (t ledger.Token, err error) {
	if scopes == "" {
		return t, errors.New("--scopes is missing: name what the token may do, such as --scopes view")
	}
	t.Name = name
	if t.Scopes, err = access.ParseScopes(scopes); err != nil {
		return t, fmt.Errorf("--scopes: %w", err)
	}
	if t.Role, err = access.ParseRole(cmp.Or(role, string(leastFor(t.Scopes)))); err != nil {
		return t, fmt.Errorf("--role: %w", err)
	}
	length, err := parseLength("--expires", expires)
	t.ExpiresAt = c.now().Add(length)
	return t, err
}

// leastFor is the least role that holds all of some scopes.
func leastFor(scopes []access.Permission) access.Role {
	for _, role := range access.Roles() {
		all := true
		for _, p := range scopes {
			all = all && role.May(p)
		}
		if all {
			return role
		}
	}
	return access.Admin
}

func (c *cli) listTokensCommand() *cobra.Command {
	var owner string
	var all bool
	cmd := &cobra.Command{Use: "list", Short: "List tokens, without what opens them", Args: atMost(0)}
	cmd.Flags().StringVar(&owner, "for", "", "only those of this account")
	cmd.Flags().BoolVar(&all, "all", false, "also those that have expired or were revoked")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.onLedger(cmd.Context(), false, func(ctx context.Context, l *ledger.Ledger) error {
			id := ""
			if owner != "" {
				a, err := l.Account(ctx, owner)
				if err != nil {
					return err
				}
				id = a.ID
			}
			list, err := l.Tokens(ctx, id)
			if err != nil {
				return err
			}
			accounts, err := l.Accounts(ctx)
			if err != nil {
				return err
			}
			lines := report.TokensOf(list, accounts, c.now(), all)
			if format.word == "json" {
				return c.written(report.WriteJSON(c.stdout, lines))
			}
			return c.written(report.WriteTokens(c.stdout, lines, c.now()))
		})
	}
	return cmd
}
