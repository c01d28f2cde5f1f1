package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/service"
	"plumbline/cmd/plumbline/terminal"
)

func (c *cli) serveCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run checks on their schedules, remember what drifts, and show it",
		Long: `Run every check on its schedule, keep what drifts in the ledger, and serve the
dashboard, the API and the metrics. Until there is an account it listens on this
machine alone, and says where the first is made.

It reads the configuration again when its files change, and on SIGHUP; one that
is broken is shown, and the last good one is kept. SIGTERM or Ctrl-C ends it
within 25 seconds, with what was read so far kept; a second one ends it at once.
Any number of processes with the same configuration may share one PostgreSQL
ledger.`,
		Example: "  plumbline serve -c plumbline.yaml\n  plumbline serve -c /etc/plumbline --listen 127.0.0.1:9000",
		Args:    atMost(0),
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "", "address for dashboard, API and metrics (default server.listen, then 127.0.0.1:8080)")
	level := &choice{word: "info", words: []string{"debug", "info", "warn", "error"}}
	f.Var(level, "log-level", "what is logged to standard error, as lines of JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context(), listen, level.word) }
	return cmd
}

func (c *cli) serve(ctx context.Context, listen, level string) error {
	file := &watchedFile{cli: c}
	config, err := file.load()
	if err != nil {
		return err
	}
	if listen == "" {
		listen = config.Server.Listen
	}
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("read --log-level: %w", err)
	}
	log := service.NewLog(c.stderr, least, c.scrub)
	c.interrupts.finishPages()
	c.interrupts.tellWith(func(string) { log.Info("stopping: pages under way are finished; a second signal ends at once") })
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	c.allowServing()
	s, err := service.Start(ctx, service.Options{Config: config, Load: file.load, Stamp: file.stamp, Listen: listen,
		Version: thisBuild().Version, Scrub: c.scrub, Log: log})
	if err != nil {
		return err
	}
	said := append([]string{fmt.Sprintf("plumbline serves %s on %s", terminal.Plural(int64(len(config.Checks)), "check"), s.Address())}, s.Said()...)
	if _, err := fmt.Fprintln(c.stdout, strings.Join(said, "\n")); err != nil {
		log.Warn("say where it serves", "error", err)
	}
	return c.serveUntilStopped(ctx, s, hangups)
}

// allowServing gives the process the memory of one that serves, of which we
// promise 300 MiB. Who sets GOMEMLIMIT knows better.
func (c *cli) allowServing() {
	if c.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(220 << 20)
	}
}

// serveUntilStopped reloads on each hang-up, and ends with the first signal that
// asks for it or with the pages. The second signal ends ctx, and waits for nothing.
func (c *cli) serveUntilStopped(ctx context.Context, s *service.Service, hangups <-chan os.Signal) error {
	var failed error
wait:
	for {
		select {
		case <-hangups:
			s.Reload(ctx)
		case failed = <-s.Failed():
			break wait
		case <-c.interrupts.stop:
			break wait
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	select {
	case err := <-stopped:
		if failed != nil {
			return failed
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// listenSomewhere listens on an address, or where another process has it on any
// free port beside it.
func listenSomewhere(address string) (listener net.Listener, taken bool, err error) {
	listener, _, err = service.Listen(address, false)
	var other *service.TakenError
	if taken = errors.As(err, &other); !taken {
		return listener, false, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, true, err
	}
	listener, _, err = service.Listen(net.JoinHostPort(host, "0"), false)
	return listener, true, err
}
