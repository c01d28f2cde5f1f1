package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/web"
)

// itemsShown is how many records of a plan a command shows unless it is told otherwise.
const itemsShown = 20

func (c *cli) fixCommand() *cobra.Command {
	return c.group(&cobra.Command{Use: "fix", Short: "Plan, approve, apply and take back fixes of what drifted",
		Long: `Plan, approve, apply and take back fixes of what drifted.

A plan says for each record what it holds and what it is to hold. Applying it does
exactly that, and only where the record is still what it was when the plan was
drafted; what changed since is left alone. Plans are drafted without writing anything.

Exit codes: 0 done, 1 some records failed, 2 refused or could not be done, 3 some
records are stale or not done yet, 130 interrupted.`,
		Example: `  plumbline fix plan basket-prices --dry-run           what would be done
  plumbline fix plan basket-prices --out plan.json     a plan, and a file for review
  plumbline fix approve plan.json                      by somebody else
  plumbline fix apply P-77                             do exactly what was approved
  plumbline fix undo P-77                              a plan that takes it back`},
		c.planFixCommand(), c.listFixesCommand(), c.showFixCommand(), c.askFixCommand(), c.approveFixCommand(), c.applyFixCommand(),
		c.rehearseFixCommand(), c.undoFixCommand(), c.withdrawFixCommand(), c.freezeFixesCommand(), c.unfreezeFixesCommand(), c.resumeFixesCommand())
}

func (c *cli) planFixCommand() *cobra.Command {
	var ask web.FixRequestBody
	var out string
	var keepGoing bool
	limit := itemsShown
	cmd := &cobra.Command{Use: "plan CHECK", Short: "Draft a plan of fixes: of all open findings, of some, or of one record", Args: exactly("CHECK"),
		Long: `Draft a plan of fixes: of all open findings of a replica, of some of them, or of
one record. Both sides are read, with credentials that cannot write, and nothing is
written. With --dry-run the plan is not kept either.`,
		Example: "  plumbline fix plan basket-prices\n  plumbline fix plan basket-prices --finding F-13eb3a90cd --finding F-8b1f02aa71\n  plumbline fix plan basket-prices --key 42 --dry-run"}
	flags := cmd.Flags()
	flags.StringVar(&ask.Replica, "replica", "", "in this replica, where the check has several")
	flags.StringArrayVar(&ask.Findings, "finding", nil, "only this finding; may be given again")
	flags.StringVar(&ask.Key, "key", "", "only the record of this key, as the owner writes it, its parts divided by commas")
	flags.StringVar(&ask.Pattern, "pattern", "", "only findings that differ in just these words")
	flags.BoolVar(&ask.DryRun, "dry-run", false, "keep nothing: only say what the plan would be")
	flags.StringVar(&out, "out", "", "also write the plan to this file, to be reviewed, approved and applied")
	flags.BoolVar(&keepGoing, "keep-going", false, "when it is applied, go on after a record that failed")
	flags.IntVar(&limit, "limit", limit, "how many records to show at most; 0 is all")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(ask.Findings) > 0 && (ask.Key != "" || ask.Pattern != "") || ask.Key != "" && ask.Pattern != "":
			return errors.New("say --finding, --key or --pattern: one of them chooses what to fix")
		case len(ask.Findings) > mostActedOn:
			return fmt.Errorf("%d findings are too many to name: name at most %d, or a --pattern", len(ask.Findings), mostActedOn)
		case ask.DryRun && out != "":
			return errors.New("--dry-run keeps no plan that a file could stand for: leave out --dry-run or --out")
		case limit < 0:
			return fmt.Errorf("--limit %d: want 0 or more", limit)
		}
		ask.Check = args[0]
		stop := !keepGoing
		ask.StopOnError = &stop
		return c.with(cmd.Context(), func(cl *client) error {
			cl.warnOfCheck(ask.Check)
			var draft web.FixDraftBody
			if err := cl.post(cmd.Context(), "/fixes", &ask, &draft); err != nil {
				return err
			}
			return c.drafted(cmd.Context(), cl, &draft, out, limit, format.word)
		})
	}
	return cmd
}

// drafted tells of a plan that was just drafted, and writes its file where one is
// wanted.
func (c *cli) drafted(ctx context.Context, cl *client, draft *web.FixDraftBody, out string, limit int, format string) error {
	items := draft.PlanItems
	if !draft.DryRun {
		var err error
		if items, err = fixItems(ctx, cl, draft.Plan, "", wanted(out, limit)); err != nil {
			return err
		}
	}
	if out != "" {
		if err := writePlanFile(out, &web.FixFileBody{FixBody: draft.FixBody, PlanItems: items}); err != nil {
			return err
		}
		c.console.Note(fmt.Sprintf("%s is in %s: approve and apply that file, and nothing else is done", draft.Plan, out))
	}
	if format == "json" {
		return c.written(report.WriteJSON(c.stdout, draft))
	}
	return c.written(report.WriteFix(c.stdout, &draft.FixBody, items, report.FixView{Limit: limit, DryRun: draft.DryRun, Now: c.now(), Style: c.style}))
}

// wanted is how many items to ask for; 0 is all.
func wanted(out string, limit int) int {
	if out != "" {
		return 0
	}
	return limit
}

// fixItems are the items of a plan, in order: at most most of them, 0 is all, and
// only those in a state unless that is "".
func fixItems(ctx context.Context, cl *client, plan, state string, most int) (items []web.FixItemBody, err error) {
	_, err = pages(ctx, cl, fixPath(plan)+"/items", asked("state", state), most, func(page []web.FixItemBody) error {
		items = append(items, page...)
		return nil
	})
	return items, err
}

func fixPath(plan string) string {
	if isPlan(plan) {
		plan = strings.ToUpper(plan)
	}
	return "/fixes/" + url.PathEscape(plan)
}

func (c *cli) listFixesCommand() *cobra.Command {
	var check string
	var limit int
	cmd := &cobra.Command{Use: "list", Short: "List plans, the newest first, and what keeps fixes from being made", Args: atMost(0)}
	cmd.Flags().StringVar(&check, "check", "", "only of this check")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many at most")
	state := oneOf(cmd, "state", "only in this state; live are those of which something may still be made", "", "live", "draft", "waiting for approval",
		"approved", "applying", "applied", "partly applied", "stale", "failed", "expired", "undone")
	format := output(cmd, "table", "json", "ndjson")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return fmt.Errorf("--limit %d: want at least 1", limit)
		}
		query := asked("check", check, "state", state.word)
		return c.with(cmd.Context(), func(cl *client) error {
			return list(cmd.Context(), c, cl, "/fixes", query, limit, format.word, func(all []web.FixBody, more bool) error {
				var stopped web.FreezesBody
				if err := cl.get(cmd.Context(), "/freeze", nil, &stopped); err != nil {
					return err
				}
				return report.WriteFixes(c.stdout, all, more, &stopped, c.now(), c.style)
			})
		})
	}
	return cmd
}

func (c *cli) showFixCommand() *cobra.Command {
	limit := itemsShown
	cmd := &cobra.Command{Use: "show PLAN", Short: "Show a plan: what it does to which record, and what became of it", Args: exactly("PLAN")}
	state := oneOf(cmd, "state", "only records in this state", "", "pending", "doubtful", "sent", "applied", "verified", "stale", "failed")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many records to show at most; 0 is all")
	statements := cmd.Flags().Bool("statements", false, "also show the statements or requests")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if limit < 0 {
			return fmt.Errorf("--limit %d: want 0 or more", limit)
		}
		return c.with(cmd.Context(), func(cl *client) error {
			var plan web.FixBody
			if err := cl.get(cmd.Context(), fixPath(args[0]), nil, &plan); err != nil {
				return err
			}
			items, err := fixItems(cmd.Context(), cl, plan.Plan, state.word, limit)
			if err != nil {
				return err
			}
			if format.word == "json" {
				if items == nil {
					items = []web.FixItemBody{}
				}
				return c.written(report.WriteJSON(c.stdout, &web.FixFileBody{FixBody: plan, PlanItems: items}))
			}
			return c.written(report.WriteFix(c.stdout, &plan, items,
				report.FixView{Limit: limit, State: state.word, Statements: *statements, Now: c.now(), Style: c.style}))
		})
	}
	return cmd
}
