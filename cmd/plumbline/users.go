package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"plumbline/access"
	"plumbline/cmd/plumbline/report"
	"plumbline/ledger"
)

func (c *cli) userCommand() *cobra.Command {
	enable := c.changeCommand("enable", "NAME", "Let an account sign in again", func([]string) (ledger.AccountChange, error) {
		return ledger.AccountChange{Disabled: new(bool)}, nil
	})
	disable := c.changeCommand("disable", "NAME", "Let an account sign in no more; its sessions and tokens end at once", func([]string) (ledger.AccountChange, error) {
		yes := true
		return ledger.AccountChange{Disabled: &yes}, nil
	})
	role := c.changeCommand("role", "NAME ROLE", "Give an account another role; its sessions end", func(args []string) (ledger.AccountChange, error) {
		r, err := access.ParseRole(args[1])
		return ledger.AccountChange{Role: &r}, err
	})
	role.Args = exactly("NAME", "ROLE")
	return c.group(&cobra.Command{Use: "user", Short: "Add, list and change the accounts of people",
		Long: `Add, list and change the accounts of people.

The commands work on the ledger itself, also beside a running serve: whoever may
write the ledger may use them. Each is in the audit log. Once there is an account
everybody signs in.`},
		c.addUserCommand(), c.listUsersCommand(), role, disable, enable, c.passwordCommand(), c.endSessionsCommand())
}

func (c *cli) addUserCommand() *cobra.Command {
	var role, file string
	var first bool
	cmd := &cobra.Command{Use: "add NAME", Short: "Add an account", Args: exactly("NAME"),
		Long:    "Add an account. Its password, of at least 12 characters, is asked for twice on a\nterminal, and otherwise read from the first line of standard input.",
		Example: "  plumbline user add ann --role admin\n  plumbline user add ben --role viewer --password-file ben.txt"}
	cmd.Flags().StringVar(&role, "role", "", "viewer, operator, approver or admin")
	cmd.Flags().StringVar(&file, "password-file", "", "read the password from this file")
	cmd.Flags().BoolVar(&first, "if-none", false, "do nothing where there are accounts: for what prepares a new ledger")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		parsed, err := access.ParseRole(role)
		if err != nil {
			return fmt.Errorf("--role: %w", err)
		}
		password, err := c.choosePassword(cmd.Context(), file)
		if err != nil {
			return err
		}
		return c.onLedger(cmd.Context(), true, func(ctx context.Context, l *ledger.Ledger) error {
			there, err := l.HasAccounts(ctx)
			switch {
			case err != nil:
				return err
			case there && first:
				return c.say("there are accounts: nothing to add")
			case !there && parsed != access.Admin:
				return errors.New("the first account is an admin, who makes the accounts of others: --role admin")
			}
			var a ledger.Account
			err = attempt(ctx, l, "add account", "account "+args[0], func(ctx context.Context) (err error) {
				a, err = l.CreateAccount(ctx, args[0], parsed, password)
				return err
			})
			if err != nil {
				return err
			}
			return c.say("%s is an account with the role %s", a.Name, a.Role)
		})
	}
	return cmd
}

// say writes a line about what was done.
func (c *cli) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.stdout, format+"\n", args...)
	return c.written(err)
}

func (c *cli) listUsersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the accounts", Args: atMost(0)}
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.onLedger(cmd.Context(), false, func(ctx context.Context, l *ledger.Ledger) error {
			list, err := l.Accounts(ctx)
			if err != nil {
				return err
			}
			if format.word == "json" {
				return c.written(report.WriteJSON(c.stdout, report.AccountsOf(list)))
			}
			return c.written(report.WriteAccounts(c.stdout, list, c.now()))
		})
	}
	return cmd
}

// changeCommand is a command that changes one account.
func (c *cli) changeCommand(word, usage, short string, change func(args []string) (ledger.AccountChange, error)) *cobra.Command {
	cmd := &cobra.Command{Use: word + " " + usage, Short: short, Args: exactly("NAME")}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		what, err := change(args)
		if err != nil {
			return err
		}
		return c.onLedger(cmd.Context(), false, func(ctx context.Context, l *ledger.Ledger) error {
			var a ledger.Account
			err := attempt(ctx, l, "change account", "account "+args[0], func(ctx context.Context) (err error) {
				a, err = l.ChangeAccount(ctx, args[0], what)
				return err
			})
			if err != nil {
				return err
			}
			state := ""
			if a.Disabled {
				state = " and is disabled"
			}
			return c.say("%s has the role %s%s", a.Name, a.Role, state)
		})
	}
	return cmd
}

func (c *cli) passwordCommand() *cobra.Command {
	var file string
	cmd := c.changeCommand("password", "NAME", "Give an account another password; its sessions end", nil)
	cmd.Flags().StringVar(&file, "password-file", "", "read the password from this file")
	cmd.RunE = c.changeCommand("password", "NAME", "", func([]string) (ledger.AccountChange, error) {
		password, err := c.choosePassword(cmd.Context(), file)
		return ledger.AccountChange{Password: &password}, err
	}).RunE
	return cmd
}

func (c *cli) endSessionsCommand() *cobra.Command {
	return &cobra.Command{Use: "remove-sessions NAME", Short: "Sign an account out everywhere", Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.onLedger(cmd.Context(), false, func(ctx context.Context, l *ledger.Ledger) error {
				a, err := l.Account(ctx, args[0])
				if err != nil {
					return err
				}
				err = attempt(ctx, l, "end sessions", "account "+a.Name, func(ctx context.Context) error { return l.EndSessions(ctx, a.ID) })
				if err != nil {
					return err
				}
				return c.say("%s is signed out everywhere", a.Name)
			})
		}}
}
