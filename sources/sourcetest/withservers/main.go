package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// exitUsage is the exit code when withservers itself cannot do its part; every
// other code is the command's own.
const exitUsage = 2

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run starts the servers, runs the command, stops the servers and answers the
// exit code. It stops what it started on every way out, a panic included.
func run(args []string, stdout, stderr io.Writer) int {
	chosen, command, err := parseArgs(args, knownServers(), stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "withservers: %v\n", err)
		return exitUsage
	}

	// Signals that arrive while servers start end the start; signals that arrive
	// later, or in between, wait here until the command can be told.
	watched := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		watched = append(watched, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, watched...)
	defer signal.Stop(signals)
	starting, started := signal.NotifyContext(context.Background(), watched...)
	defer started()

	h, err := newHost(stderr)
	if err != nil {
		fmt.Fprintf(stderr, "withservers: %v\n", err)
		return exitUsage
	}
	defer h.close()

	env, err := startAll(starting, h, chosen)
	if starting.Err() != nil {
		return signalled(<-signals)
	}
	if err != nil {
		fmt.Fprintf(stderr, "withservers: %v\n", err)
		return exitUsage
	}
	started()
	code, err := runCommand(h, command, append(os.Environ(), env...), stdout, stderr, signals)
	if err != nil {
		fmt.Fprintf(stderr, "withservers: %v\n", err)
		return exitUsage
	}
	return code
}

// parseArgs answers the servers to start and the command to run with them. The
// servers come in the order of known, whatever the order of -only.
func parseArgs(args []string, known []server, stderr io.Writer) (chosen []server, command []string, err error) {
	flags := flag.NewFlagSet("withservers", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: withservers [-only NAME,…] -- COMMAND [ARGUMENT…]")
		flags.PrintDefaults()
	}
	only := flags.String("only", "", "start only these servers, of "+strings.Join(names(known), ", ")+" (default all)")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return nil, nil, errors.New("no command given: write it after --")
	}
	chosen, err = choose(*only, known)
	return chosen, flags.Args(), err
}
