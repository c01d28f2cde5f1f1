package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/configs"
	"plumbline/drift"
)

func (c *cli) doctorCommand() *cobra.Command {
	var ready string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what Plumbline needs here, and say what to do about what is missing",
		Long: `Check what Plumbline needs here: a valid configuration, the environment
variables it names, sources that answer, a clock, a temporary directory and time
zones. Every line says what to do. Exit code 2 where something keeps runs from working.

With --ready it asks one that serves whether it is ready, and nothing else: 0
where it is, 2 where not. Containers and load balancers ask so.`,
		Example: "  plumbline doctor -c plumbline.yaml\n  plumbline doctor --ready http://127.0.0.1:8080",
		Args:    atMost(0),
	}
	cmd.Flags().StringVar(&ready, "ready", "", "only ask the one that serves at this address whether it is ready")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("ready") {
			return c.askReady(cmd.Context(), ready)
		}
		return c.doctor(cmd.Context())
	}
	return cmd
}

// examination is what doctor found so far.
type examination struct {
	*cli
	blocked bool
	err     error // of writing
}

func (x *examination) say(mark string, colour func(string) string, format string, args ...any) {
	if x.err == nil {
		_, x.err = fmt.Fprintf(x.stdout, "%s %s\n", colour(mark), drift.Visible(x.scrub(fmt.Sprintf(format, args...))))
	}
}

func (x *examination) good(format string, args ...any) { x.say("✔", x.style.Good, format, args...) }
func (x *examination) mind(format string, args ...any) { x.say("!", x.style.Doubt, format, args...) }
func (x *examination) bad(format string, args ...any) {
	x.blocked = true
	x.say("✘", x.style.Bad, format, args...)
}

func (c *cli) doctor(ctx context.Context) error {
	x := &examination{cli: c}
	x.good("%s", thisBuild())
	x.clock()
	x.zones()
	x.scratch()
	if config := x.configuration(); config != nil {
		x.reach(ctx, config)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := c.written(x.err); err != nil {
		return err
	}
	if x.blocked {
		return exit(report.ExitError)
	}
	return nil
}

// clock doubts a clock that stands before this program was thought of: settle
// and tolerances of time are told by it.
func (x *examination) clock() {
	now := x.now()
	if now.Year() < 2025 {
		x.bad("clock: says %s: set it, or let it be set by NTP", now.UTC().Format(time.RFC3339))
		return
	}
	x.good("clock: %s", now.UTC().Format(time.RFC3339))
}

func (x *examination) zones() {
	if _, err := time.LoadLocation("Europe/Oslo"); err != nil {
		x.mind("time zones: %v: install the tzdata package, or tz: can only be UTC", err)
		return
	}
	x.good("time zones: available")
}

// scratch tries the directory where a run keeps suspects that memory should not hold.
func (x *examination) scratch() {
	f, err := os.CreateTemp("", "plumbline-doctor-*")
	if err == nil {
		_, err = f.WriteString("written by plumbline doctor")
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		x.bad("temporary directory: %v: make it writable, or set TMPDIR to one that is", err)
		return
	}
	x.good("temporary directory: %s is writable", os.TempDir())
}

// configuration loads it and tells each environment variable it lacks.
func (x *examination) configuration() *configs.Config {
	config, err := x.load()
	var problems configs.Problems
	switch {
	case errors.As(err, &problems):
		x.bad("configuration: %s is wrong in %s:", x.path(), terminal.Plural(int64(len(problems)), "place"))
		for _, p := range problems {
			x.bad("  %s", p.Error())
		}
		return nil
	case err != nil:
		x.bad("configuration: %s", strings.TrimPrefix(err.Error(), "no configuration: "))
		return nil
	}
	x.good("configuration: %s, %s, %s", x.path(), terminal.Plural(int64(len(config.Sources)), "source"), terminal.Plural(int64(len(config.Checks)), "check"))
	return config
}

func (x *examination) reach(ctx context.Context, config *configs.Config) {
	r := newReaders(config, 0, nil)
	defer x.close(r)
	for _, name := range sourceNames(config) {
		s := x.probeSource(ctx, config, r, name)
		switch {
		case s.State == "down" && len(s.UsedBy) == 0:
			x.mind("source %s: %s: no check reads it: remove it, or mend it", name, strings.TrimPrefix(s.Error, "source "+name+": "))
		case s.State == "down":
			x.bad("source %s: %s: mend it, or its address; %s", name, strings.TrimPrefix(s.Error, "source "+name+": "), waiting(s.UsedBy))
		default:
			x.good("source %s: %s", name, strings.Join(append([]string{strings.TrimSpace(s.Product + " " + s.Version)}, s.Notes...), "; "))
			if !s.ReadOnly {
				x.mind("source %s: the role may write: give it one that may only read", name)
			}
		}
	}
}

func waiting(checks []string) string {
	return terminal.Plural(int64(len(checks)), "check") + " cannot run without it: " + strings.Join(checks, ", ")
}
