package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/reconciler"
	"plumbline/web"
)

func (c *cli) applyFixCommand() *cobra.Command {
	var leave bool
	limit := itemsShown
	cmd := &cobra.Command{Use: "apply PLAN|FILE", Short: "Do exactly what an approved plan says, and wait for what comes of it", Args: exactly("PLAN|FILE"),
		Long: `Do exactly what an approved plan says, and wait for what comes of it. A record that
is not what it was when the plan was drafted is stale: it alone is left out. Applied
again, a plan goes on with what is left. A plan from a file is refused where the file
does not say what the ledger says.

Exit codes: 0 done, 1 some records failed, 2 refused or could not be done, 3 some
records are stale or not done yet, 130 interrupted.`}
	cmd.Flags().BoolVar(&leave, "no-wait", false, "begin, and do not wait")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many records that were not done to show at most; 0 is all")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			plan, err := planned(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			if plan, err = c.applied(cmd.Context(), cl, plan, !leave); err != nil {
				return err
			}
			if leave {
				return c.writeFixLine(plan, format.word)
			}
			return c.writeOutcome(cmd.Context(), cl, plan, limit, format.word)
		})
	}
	return cmd
}

// lookEvery is how often a plan that is being applied is looked at.
const lookEvery = 250 * time.Millisecond

// applied begins a plan, and where that is wanted waits until it is over or
// cannot go on, with a line of progress. Without a plumbline serve beside it the
// asking itself lasts until then.
func (c *cli) applied(ctx context.Context, cl *client, plan *web.FixBody, wait bool) (*web.FixBody, error) {
	var latest atomic.Pointer[web.FixBody]
	latest.Store(plan)
	c.console.Start(func(time.Time) string { return applyingLine(latest.Load()) })
	defer c.console.Stop()
	type answer struct {
		plan *web.FixBody
		err  error
	}
	begun := make(chan answer, 1)
	go func() {
		plan, err := postHash(ctx, cl, plan, "apply")
		begun <- answer{plan, err}
	}()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for asking := true; ; {
		select {
		case a := <-begun:
			if asking = false; a.err != nil {
				return nil, a.err
			}
			latest.Store(a.plan)
			if !wait || a.plan.State != string(reconciler.Applying) {
				return a.plan, nil
			}
		case <-tick.C:
		case <-ctx.Done():
			if asking {
				<-begun // what is under way ends first
			}
			c.console.Note(fmt.Sprintf("%s goes on where plumbline serve runs, and else when it is applied again: plumbline fix show %s says how far it is", plan.Plan, plan.Plan))
			return nil, ctx.Err()
		}
		now := &web.FixBody{}
		switch err := cl.get(ctx, fixPath(plan.Plan), nil, now); {
		case err != nil && ctx.Err() != nil, asking && err != nil:
			continue
		case err != nil:
			return nil, err
		}
		latest.Store(now)
		if asking {
			continue
		}
		if now.State != string(reconciler.Applying) {
			return now, nil
		}
		if stopped, err := c.standsStill(ctx, cl, now); err != nil || stopped {
			return now, err
		}
	}
}

// standsStill says whether a plan that is being applied is kept from going on,
// and tells by what.
func (c *cli) standsStill(ctx context.Context, cl *client, plan *web.FixBody) (bool, error) {
	var stopped web.FreezesBody
	if err := cl.get(ctx, "/freeze", nil, &stopped); err != nil {
		if ctx.Err() != nil {
			err = nil
		}
		return false, err
	}
	frozen := slices.ContainsFunc(stopped.Frozen, func(f web.FreezeBody) bool { return f.Check == "" || f.Check == plan.Check })
	if frozen {
		c.console.Note("fixes are frozen: the rest goes on once somebody unfreezes them")
	}
	return frozen, nil
}

// applyingLine is how far a plan is: P-77  ████░░  310 of 412, 3 stale.
func applyingLine(p *web.FixBody) string {
	n := &p.Counts
	left := n.Pending + n.Doubtful
	line := fmt.Sprintf("%s  %s  %s of %s", p.Plan, terminal.Bar(share(p.Items-left, p.Items)), terminal.Count(p.Items-left), terminal.Count(p.Items))
	for _, more := range []struct {
		n    int64
		what string
	}{{n.Stale, "stale"}, {n.Failed, "failed"}, {n.Doubtful, "to be looked at again"}} {
		if more.n > 0 {
			line += fmt.Sprintf(", %s %s", terminal.Count(more.n), more.what)
		}
	}
	return line
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// writeOutcome tells what came of a plan, with the records that were not done, and
// ends with the exit code for it.
func (c *cli) writeOutcome(ctx context.Context, cl *client, plan *web.FixBody, limit int, format string) error {
	var left []web.FixItemBody
	if format == "json" {
		if err := c.written(report.WriteJSON(c.stdout, plan)); err != nil {
			return err
		}
		return fixExit(&plan.Counts, false)
	}
	for _, state := range []reconciler.ItemState{reconciler.ItemFailed, reconciler.ItemStale, reconciler.Doubtful, reconciler.Pending} {
		most := limit - len(left)
		if limit > 0 && most <= 0 {
			break
		}
		items, err := fixItems(ctx, cl, plan.Plan, string(state), max(most, 0))
		if err != nil {
			return err
		}
		left = append(left, items...)
	}
	return errors.Join(c.written(report.WriteOutcome(c.stdout, plan, left, c.style)), fixExit(&plan.Counts, false))
}

// fixExit is the exit code for what came of items; of a rehearsal those that are
// pending are those that would be done.
func fixExit(n *web.FixCountsBody, rehearsed bool) error {
	switch {
	case n.Failed > 0:
		return exit(report.ExitDrift)
	case n.Stale > 0, n.Doubtful > 0, n.Pending > 0 && !rehearsed:
		return exit(report.ExitIncomplete)
	}
	return nil
}
