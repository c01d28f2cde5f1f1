package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/drift"
	"plumbline/web"
)

// planAct is a command that does one thing to a plan, and then tells where it is.
func (c *cli) planAct(use, short string, argument string, ask func(ctx context.Context, cl *client, plan *web.FixBody) (*web.FixBody, error)) *cobra.Command {
	cmd := &cobra.Command{Use: use + " " + argument, Short: short, Args: exactly(argument)}
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			plan, err := planned(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			if plan, err = ask(cmd.Context(), cl, plan); err != nil {
				return err
			}
			return c.writeFixLine(plan, format.word)
		})
	}
	return cmd
}

// writeFixLine says where a plan is, and what to do next.
func (c *cli) writeFixLine(plan *web.FixBody, format string) error {
	if format == "json" {
		return c.written(report.WriteJSON(c.stdout, plan))
	}
	return c.written(report.WriteFixLine(c.stdout, plan, c.style))
}

// postHash asks for an act on the plan that has this hash.
func postHash(ctx context.Context, cl *client, plan *web.FixBody, act string) (*web.FixBody, error) {
	after := &web.FixBody{}
	return after, cl.post(ctx, fixPath(plan.Plan)+"/"+act, web.FixHashBody{Hash: plan.Hash}, after)
}

func (c *cli) askFixCommand() *cobra.Command {
	return c.planAct("ask", "Ask others to approve a plan", "PLAN|FILE", func(ctx context.Context, cl *client, plan *web.FixBody) (*web.FixBody, error) {
		return postHash(ctx, cl, plan, "ask")
	})
}

func (c *cli) approveFixCommand() *cobra.Command {
	cmd := c.planAct("approve", "Approve exactly this plan", "PLAN|FILE", func(ctx context.Context, cl *client, plan *web.FixBody) (*web.FixBody, error) {
		return postHash(ctx, cl, plan, "approve")
	})
	cmd.Long = `Approve exactly this plan. Whoever drafted it cannot approve it. A plan from a file
is refused where the file does not say what the ledger says.`
	return cmd
}

func (c *cli) withdrawFixCommand() *cobra.Command {
	var reason string
	cmd := c.planAct("withdraw", "Withdraw or reject a plan: nothing more of it is done", "PLAN", func(ctx context.Context, cl *client, plan *web.FixBody) (*web.FixBody, error) {
		after := &web.FixBody{}
		return after, cl.post(ctx, fixPath(plan.Plan)+"/withdraw", web.FixReasonBody{Reason: reason}, after)
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever drafted it")
	return cmd
}

func (c *cli) rehearseFixCommand() *cobra.Command {
	limit := itemsShown
	cmd := &cobra.Command{Use: "rehearse PLAN", Short: "Read both sides again, and say which records would not be touched any more", Args: exactly("PLAN"),
		Long: "Read both sides again, with credentials that cannot write, and say which records\nwould not be touched any more since they changed. Exit code 3 where there are any."}
	cmd.Flags().IntVar(&limit, "limit", limit, "how many records to show at most; 0 is all")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var rehearsed web.FixRehearsalBody
			if err := cl.post(cmd.Context(), fixPath(args[0])+"/rehearse", nil, &rehearsed); err != nil {
				return err
			}
			var err error
			if format.word == "json" {
				err = report.WriteJSON(c.stdout, &rehearsed)
			} else {
				err = report.WriteRehearsal(c.stdout, &rehearsed, limit, c.style)
			}
			if err := c.written(err); err != nil {
				return err
			}
			return fixExit(&rehearsed.Would, true)
		})
	}
	return cmd
}

func (c *cli) undoFixCommand() *cobra.Command {
	var out string
	limit := itemsShown
	cmd := &cobra.Command{Use: "undo PLAN", Short: "Draft the plan that takes another back, to be approved and applied like any", Args: exactly("PLAN"),
		Long: `Draft the plan that takes another back. It is approved and applied like any other.
A record that changed since it was fixed is left alone, and shown as it was before,
after and now.`}
	cmd.Flags().StringVar(&out, "out", "", "also write the plan to this file, to be reviewed, approved and applied")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many records to show at most; 0 is all")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var draft web.FixDraftBody
			if err := cl.post(cmd.Context(), fixPath(args[0])+"/undo", nil, &draft); err != nil {
				return err
			}
			return c.drafted(cmd.Context(), cl, &draft, out, limit, format.word)
		})
	}
	return cmd
}

func (c *cli) freezeFixesCommand() *cobra.Command {
	var reason string
	cmd := c.freezing("freeze [CHECK]", "Freeze fixes at once, of one check or of all: nothing more is written", func(check string) web.FreezeRequestBody {
		return web.FreezeRequestBody{Check: check, Reason: reason, Freeze: true}
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever wonders")
	return cmd
}

func (c *cli) unfreezeFixesCommand() *cobra.Command {
	return c.freezing("unfreeze [CHECK]", "Let fixes go on that were frozen", func(check string) web.FreezeRequestBody {
		return web.FreezeRequestBody{Check: check}
	})
}

func (c *cli) freezing(use, short string, body func(check string) web.FreezeRequestBody) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: atMost(1)}
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		check := ""
		if len(args) > 0 {
			check = args[0]
		}
		return c.with(cmd.Context(), func(cl *client) error {
			ask := body(check)
			var stopped web.FreezesBody
			if err := cl.post(cmd.Context(), "/freeze", &ask, &stopped); err != nil {
				return err
			}
			if format.word == "json" {
				return c.written(report.WriteJSON(c.stdout, &stopped))
			}
			return c.written(report.WriteFrozen(c.stdout, check, ask.Freeze, &stopped))
		})
	}
	return cmd
}

func (c *cli) resumeFixesCommand() *cobra.Command {
	return &cobra.Command{Use: "resume CHECK", Short: "Let Plumbline fix a check by itself again that it paused", Args: exactly("CHECK"), RunE: func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var stopped web.FreezesBody
			if err := cl.post(cmd.Context(), "/checks/"+url.PathEscape(args[0])+"/fixes/resume", nil, &stopped); err != nil {
				return err
			}
			text := "fixes of " + drift.Visible(args[0]) + " are made by Plumbline again\n"
			if !stopped.Changed {
				text = "fixes of " + drift.Visible(args[0]) + " were not paused\n"
			}
			_, err := fmt.Fprint(c.stdout, text+report.StopWords(&stopped))
			return c.written(err)
		})
	}}
}
