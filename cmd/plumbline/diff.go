package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"plumbline/checks"
	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/service"
	"plumbline/drift"
	"plumbline/sources"
)

// diffFlags are what `plumbline diff` is asked for.
type diffFlags struct {
	replica string
	all     bool
	format  string
}

func (c *cli) diffCommand() *cobra.Command {
	var flags diffFlags
	cmd := &cobra.Command{
		Use:   "diff CHECK KEY",
		Short: "Show one record of both sides, side by side, read just now",
		Long: `Show one record of both sides, side by side, read just now: the replica first,
then the owner. KEY is written as the owner writes it, parts divided by commas.

Exit codes: 0 equal, 1 differs, 2 could not be read, 3 nothing was compared.`,
		Example: `  plumbline diff basket-prices 42
  plumbline diff order-lines 1007,3 --replica search --all`,
		Args: exactly("CHECK", "KEY"), ValidArgsFunction: c.completeChecks(1),
	}
	cmd.Flags().StringVar(&flags.replica, "replica", "", "only this replica of the check")
	cmd.Flags().BoolVar(&flags.all, "all", false, "show equal fields too")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		flags.format = format.word
		return c.diff(cmd.Context(), args[0], args[1], flags)
	}
	return cmd
}

func (c *cli) diff(ctx context.Context, name, text string, flags diffFlags) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	picked, err := pick(config, []string{name})
	if err != nil {
		return err
	}
	check := picked[0]
	edges, err := edgesOf(check, flags.replica)
	if err != nil {
		return err
	}
	r := newReaders(config, 0, nil)
	defer c.close(r)
	kinds, err := ownerKinds(ctx, r, check)
	if err != nil {
		return err
	}
	key, err := checks.ParseKey(text, kinds)
	if err != nil {
		return fmt.Errorf("check %s: %w", check.Name, err)
	}
	builder := report.Builder{Lens: drift.Lens{Masker: drift.NewMasker(drift.NewMaskKey()), Scrub: c.scrub}}
	diff := report.Diff{SchemaVersion: 1, Check: check.Name, Result: "equal", Copies: []report.Copy{}}
	for _, i := range edges {
		if err := c.inspect(ctx, check, i, r, key, builder, &diff); err != nil {
			return err
		}
	}
	if err := c.written(c.writeDiff(&diff, text, flags)); err != nil {
		return err
	}
	return diffExit(diff.Result)
}

func diffExit(result string) error {
	switch result {
	case "equal":
		return nil
	case "differs":
		return exit(report.ExitDrift)
	}
	return exit(report.ExitIncomplete) // neither side has it, or it was not compared
}

// inspect adds what one replica holds for the key.
func (c *cli) inspect(ctx context.Context, check *checks.Check, i int, r *service.Readers, key sources.Key, b report.Builder, diff *report.Diff) error {
	edge := &check.Edges[i]
	began := c.now()
	pairs, err := checks.Inspect(ctx, check, i, r.Find, key)
	if err != nil {
		return err
	}
	for n := range pairs {
		diff.Add(b.Copy(check, edge, &pairs[n], began))
	}
	return nil
}

func (c *cli) writeDiff(diff *report.Diff, key string, flags diffFlags) error {
	if flags.format == "json" {
		return report.WriteJSON(c.stdout, diff)
	}
	if err := report.WriteDiff(c.stdout, diff, flags.all, c.style); err != nil {
		return err
	}
	if diff.Result == "differs" {
		word := report.ShellWord(key)
		if diff.HidesKey() {
			word = "KEY"
		}
		c.console.Note(fmt.Sprintf("read once just now: a difference may still be in flight; `plumbline run %s --key %s` waits for it to settle",
			diff.Check, word))
	}
	return nil
}

// edgesOf are the edges of a check: all, or that of the replica named.
func edgesOf(check *checks.Check, replica string) ([]int, error) {
	var edges []int
	var names []string
	for i := range check.Edges {
		names = append(names, check.Edges[i].Name)
		if replica == "" || check.Edges[i].Name == replica {
			edges = append(edges, i)
		}
	}
	if len(edges) == 0 {
		return nil, errors.New(noSuch("replica", replica, names, "check "+check.Name+" has "+listed(names)))
	}
	return edges, nil
}
