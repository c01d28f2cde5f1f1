package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/terminal"
	"plumbline/demo"
	"plumbline/sources/all"
)

func (c *cli) demoCommand() *cobra.Command {
	var dir string
	var seed uint64
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a small shop whose copies drift, audited while it runs",
		Long: `Make a small shop of several services on SQLite files, whose copies drift while
you watch, and audit it. It needs no server and no configuration, and runs until
Ctrl-C.`,
		Example: "  plumbline demo\n  plumbline demo --duration 1m --seed 7",
		Args:    atMost(0),
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "keep the shop's files here (default a temporary directory that is removed)")
	f.Uint64Var(&seed, "seed", 0, "do the same as the demo that printed this seed")
	f.DurationVar(&duration, "duration", 0, "end after this time (default at Ctrl-C)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if duration < 0 {
			return fmt.Errorf("--duration %s: want a time to come, such as 1m", duration)
		}
		live := terminal.IsTerminal(c.stdout) && c.getenv("TERM") != "dumb"
		o := demo.Options{Dir: dir, Seed: seed, Duration: duration, Interactive: live,
			Color: live && c.getenv("NO_COLOR") == "", Openers: all.Kinds()}
		if live {
			o.Width = terminal.Columns(c.stdout)
		}
		return demo.Run(cmd.Context(), c.stdout, o)
	}
	return cmd
}
