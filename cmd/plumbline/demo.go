package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"plumbline/access"
	"plumbline/cmd/plumbline/service"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/configs"
	"plumbline/demo"
	"plumbline/ledger"
)

func (c *cli) demoCommand() *cobra.Command {
	var dir, listen string
	var people bool
	var seed uint64
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a small shop whose copies drift, audited while it runs",
		Long: `Make a small shop of several services on SQLite files, whose copies drift while
you watch, audit it on schedules, and serve the dashboard. It needs no server
and no configuration, and runs until Ctrl-C.`,
		Example: "  plumbline demo\n  plumbline demo --duration 1m --seed 7",
		Args:    atMost(0),
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "keep the shop's files here (default a temporary directory that is removed)")
	f.Uint64Var(&seed, "seed", 0, "do the same as the demo that printed this seed")
	f.DurationVar(&duration, "duration", 0, "end after this time (default at Ctrl-C)")
	f.StringVar(&listen, "listen", "127.0.0.1:8080", "address of the dashboard; a free port beside it where that one is taken")
	f.BoolVar(&people, "people", false, "have two people sign in: one drafts fixes, the other must approve them")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if duration < 0 {
			return fmt.Errorf("--duration %s: want a time to come, such as 1m", duration)
		}
		live := terminal.IsTerminal(c.stdout) && c.getenv("TERM") != "dumb"
		o := demo.Options{Dir: dir, Seed: seed, Duration: duration, Interactive: live,
			Color: live && c.getenv("NO_COLOR") == ""}
		if people {
			o.People = demoPeople()
		}
		o.Serve = func(ctx context.Context, path, dir string, watch func(ledger.Change)) (demo.Service, error) {
			return c.serveDemo(ctx, path, dir, listen, o.People, watch)
		}
		if live {
			o.Width = terminal.Columns(c.stdout)
		}
		return demo.Run(cmd.Context(), c.stdout, o)
	}
	return cmd
}

// demoProbes is how often a demo's sources are asked how they are: its outage
// does not last long.
const demoProbes = 5 * time.Second

// serveDemo audits the demo's shop and serves its dashboard.
func (c *cli) serveDemo(ctx context.Context, path, dir, listen string, people []demo.Person, watch func(ledger.Change)) (demo.Service, error) {
	load := func() (*configs.Config, error) {
		return configs.Load(path, func(name string) (string, bool) {
			switch {
			case name == "SHOP_DIR":
				return dir, true
			case name == "SHOP_APPROVALS" && len(people) > 0:
				return "1", true
			}
			return c.lookupEnv(name)
		}, os.ReadFile)
	}
	config, err := load()
	if err != nil {
		return nil, err
	}
	listener, taken, err := listenSomewhere(listen)
	if err != nil {
		return nil, err
	}
	if taken {
		c.console.Note(fmt.Sprintf("plumbline: another process listens on %s, so the dashboard is at http://%s", listen, listener.Addr()))
	}
	c.allowServing()
	shop := &watchedFile{cli: &cli{configPath: path}}
	// What goes wrong in the shop's stores is the show, and it is on the pages: a
	// log between the demo's lines would only disturb.
	s, err := service.Start(ctx, service.Options{Config: config, Load: load, Stamp: shop.stamp, Listener: listener,
		Version: thisBuild().Version, Scrub: c.scrub, Log: slog.New(slog.DiscardHandler), Watch: watch, ProbeEvery: demoProbes})
	if err != nil {
		return nil, err
	}
	for _, p := range people {
		if _, err := s.Ledger().CreateAccount(ctx, p.Name, access.Role(p.Role), p.Password); err != nil {
			return nil, errors.Join(fmt.Errorf("make the account of %s: %w", p.Name, err), s.Stop())
		}
	}
	return s, nil
}

// demoPeople are who signs in to a demo that has people: who finds something and
// drafts its fix, and who approves it. Their passwords are drawn each time.
func demoPeople() []demo.Person {
	return []demo.Person{
		{Name: "olga", Role: string(access.Operator), Password: rand.Text()[:12]},
		{Name: "anton", Role: string(access.Approver), Password: rand.Text()[:12]},
	}
}
