package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/web"
)

func (c *cli) runsCommand() *cobra.Command {
	return c.group(&cobra.Command{Use: "runs", Short: "List, show, cancel and resume what plumbline serve runs"},
		c.listRunsCommand(), c.showRunCommand(),
		c.runActCommand("cancel", "Ask a run to stop at its next page"),
		c.runActCommand("resume", "Go on with what a finished run did not read"))
}

func (c *cli) listRunsCommand() *cobra.Command {
	var check, replica string
	var limit int
	cmd := &cobra.Command{Use: "list", Short: "List runs, the newest first", Args: atMost(0)}
	flags := cmd.Flags()
	flags.StringVar(&check, "check", "", "only of this check")
	flags.StringVar(&replica, "replica", "", "only in this replica")
	state := oneOf(cmd, "state", "only in this state; active is queued or running", "", "active", "queued", "running", "settling", "finished")
	result := oneOf(cmd, "result", "only with this result", "", "clean", "drift", "incomplete", "error", "cancelled")
	flags.IntVar(&limit, "limit", 20, "how many at most")
	format := output(cmd, "table", "json", "ndjson")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return fmt.Errorf("--limit %d: want at least 1", limit)
		}
		query := asked("check", check, "replica", replica, "state", state.word, "result", result.word)
		return c.with(cmd.Context(), func(cl *client) error {
			return list(cmd.Context(), c, cl, "/runs", query, limit, format.word, func(all []web.RunBody, more bool) error {
				return report.WriteRuns(c.stdout, all, more, c.now(), c.style)
			})
		})
	}
	return cmd
}

func (c *cli) showRunCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show RUN", Short: "Show a run: what it saw, why it waited, what it could not read",
		Long: "Show a run, named by its id or its number (12 or '#12').", Args: exactly("RUN")}
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var r web.RunDetailBody
			if err := cl.get(cmd.Context(), "/runs/"+runName(args[0]), nil, &r); err != nil {
				return err
			}
			if format.word == "json" {
				return c.written(report.WriteJSON(c.stdout, &r))
			}
			return c.written(report.WriteRun(c.stdout, &r, c.style))
		})
	}
	return cmd
}

// runName is a run's name in a path; a number alone is a run's number.
func runName(arg string) string {
	for _, r := range arg {
		if r < '0' || r > '9' {
			return url.PathEscape(arg)
		}
	}
	return url.PathEscape("#" + arg)
}

func (c *cli) runActCommand(act, short string) *cobra.Command {
	cmd := &cobra.Command{Use: act + " RUN", Short: short, Args: exactly("RUN")}
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var r web.RunBody
			if err := cl.post(cmd.Context(), "/runs/"+runName(args[0])+"/"+act, nil, &r); err != nil {
				return err
			}
			if format.word == "json" {
				return c.written(report.WriteJSON(c.stdout, &r))
			}
			word := r.State
			switch {
			case r.State == "finished":
				word = r.Result
			case r.CancelRequested:
				word = "stopping"
			}
			_, err := fmt.Fprintf(c.stdout, "run #%d of %s in %s: %s\n", r.Number, r.Check, r.Replica, word)
			return c.written(err)
		})
	}
	return cmd
}
