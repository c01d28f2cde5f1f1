package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/configs"
	"plumbline/sources"
)

// process is what the operating system gives a command.
type process struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string
	signals        <-chan os.Signal
	letGo          func() // stop listening for signals; nil where there is nothing to stop
}

// cli is one invocation.
type cli struct {
	process
	console    *terminal.Console
	style      terminal.Style // of stdout
	interrupts *interrupts
	configPath string // -c
	hiding     sync.RWMutex
	secrets    secrets
	hidden     []string // what secrets hide
	now        func() time.Time
}

// exit ends a command with a code that is no error of its own: what there is to
// tell has been told.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run is the whole program: it returns the exit code.
func run(ctx context.Context, p process) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &cli{process: p, now: time.Now}
	smart := c.getenv("TERM") != "dumb"
	c.console = terminal.NewConsole(p.stderr, smart && terminal.IsTerminal(p.stderr), func() int { return terminal.Columns(p.stderr) })
	c.style = terminal.NewStyle(smart && c.getenv("NO_COLOR") == "" && terminal.IsTerminal(p.stdout))
	c.interrupts = newInterrupts(cancel, c.console.Note, p.letGo)
	go c.interrupts.watch(ctx, p.signals)
	root := c.rootCommand()
	root.SetArgs(p.args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	return c.conclude(root, root.ExecuteContext(ctx))
}

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "plumbline",
		Short: "Plumbline audits whether copies of data in other services agree with their owner.",
		Long: `Plumbline audits whether copies of data in other services agree with their owner.

Exit codes: 0 in sync, 1 confirmed drift, 2 could not run, 3 incomplete and no
drift seen, 130 interrupted. With several checks 2 beats 1 beats 3 beats 0.`,
		Example: `  plumbline demo                       watch a shop whose copies drift
  plumbline init                       write a commented configuration
  plumbline validate --connect         check it, and the stores it names
  plumbline run                        compare everything
  plumbline diff prices 42             one record, side by side
  plumbline serve                      keep an eye on everything, with a dashboard`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.PersistentFlags().StringVarP(&c.configPath, "config", "c", "",
		"configuration: a file, or a directory of *.yaml (default $PLUMBLINE_CONFIG, then plumbline.yaml)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(cmd, err) })
	root.AddCommand(c.demoCommand(), c.initCommand(), c.validateCommand(), c.schemaCommand(), c.sourcesCommand(),
		c.explainCommand(), c.runCommand(), c.diffCommand(), c.serveCommand(), c.incidentsCommand(), c.findingsCommand(), c.fixCommand(), c.runsCommand(), c.alertsCommand(), c.userCommand(), c.tokenCommand(), c.auditCommand(),
		c.doctorCommand(), c.versionCommand())
	return root
}

// conclude tells what went wrong and returns the exit code.
func (c *cli) conclude(root *cobra.Command, err error) int {
	var code exit
	var problems configs.Problems
	switch {
	case err == nil:
		return report.ExitClean
	case errors.As(err, &code):
		return int(code)
	case c.interrupts.came():
		c.console.Note("plumbline: interrupted")
		return report.ExitInterrupted
	case errors.As(err, &problems):
		c.console.Note(problems.Error())
		c.fail("the configuration is wrong in %s: mend it, then check with plumbline validate", terminal.Plural(int64(len(problems)), "place"))
	case strings.HasPrefix(err.Error(), "unknown command ") && strings.Contains(err.Error(), ` for "`):
		c.fail("%s", unknownCommand(root, err))
	default:
		c.fail("%s", c.scrub(err.Error()))
	}
	return report.ExitError
}

// fail tells one thing that ended the command.
func (c *cli) fail(format string, args ...any) {
	c.console.Note("plumbline: " + fmt.Sprintf(format, args...))
}

func unknownCommand(root *cobra.Command, err error) string {
	var name string
	if _, scanErr := fmt.Sscanf(err.Error(), "unknown command %q", &name); scanErr != nil {
		return err.Error()
	}
	return noSuch("command", name, commandNames(root), "plumbline --help lists the commands")
}

func commandNames(parent *cobra.Command) []string {
	var names []string
	for _, child := range parent.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	return names
}

// noSuch says that a name is unknown, what was probably meant, and else where to look.
func noSuch(what, name string, candidates []string, otherwise string) string {
	if near := sources.Nearest(name, candidates); near != "" {
		return fmt.Sprintf("unknown %s %q: did you mean %q?", what, name, near)
	}
	return fmt.Sprintf("unknown %s %q: %s", what, name, otherwise)
}

func flagError(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return fmt.Errorf("%w: %s --help says more", err, cmd.CommandPath())
	}
	return errors.New(noSuch("flag", "--"+name, flagNames(cmd), cmd.CommandPath()+" --help lists the flags"))
}

// group is a command that only holds others.
func (c *cli) group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return errors.New(noSuch("command", cmd.Name()+" "+args[0], prefixed(cmd.Name()+" ", commandNames(cmd)),
			"plumbline "+cmd.Name()+" --help lists the commands"))
	}
	return cmd
}

func prefixed(prefix string, names []string) []string {
	for i := range names {
		names[i] = prefix + names[i]
	}
	return names
}

// getenv returns an environment variable, "" where it is not set.
func (c *cli) getenv(name string) string {
	value, _ := c.lookupEnv(name)
	return value
}

func (c *cli) lookupEnv(name string) (value string, set bool) {
	for _, entry := range c.env {
		if rest, ok := strings.CutPrefix(entry, name+"="); ok {
			value, set = rest, true
		}
	}
	return value, set
}
