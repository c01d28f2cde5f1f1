package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"plumbline/checks"
	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/service"
	"plumbline/drift"
	"plumbline/sources"
)

// runFlags are what `plumbline run` is asked for.
type runFlags struct {
	keys   []string
	maxRPS int
	failOn report.FailOn
	format string
}

func (c *cli) runCommand() *cobra.Command {
	var flags runFlags
	var failOn string
	cmd := &cobra.Command{
		Use:   "run [CHECK…]",
		Short: "Compare owners with their replicas",
		Long: `Compare owners with their replicas: all checks, or those named. A difference
counts once it outlived the check's settle time, read again on both sides.

Exit codes: 0 in sync, 1 confirmed drift, 2 could not run, 3 incomplete and no
drift seen, 130 interrupted. With several checks 2 beats 1 beats 3 beats 0.`,
		Example: `  plumbline run
  plumbline run basket-prices --key 42 --key 43
  plumbline run -o junit > plumbline.xml
  plumbline run --fail-on drift --max-rps 5000`,
		Args: cobra.ArbitraryArgs, ValidArgsFunction: c.completeChecks(0),
	}
	f := cmd.Flags()
	f.Bool("full", true, "compare whole datasets; the default")
	f.String("sample", "", "not yet supported")
	f.String("since", "", "not yet supported")
	f.StringArrayVar(&flags.keys, "key", nil, "compare this key of the one check named, as the owner writes it; parts divided by commas")
	f.IntVar(&flags.maxRPS, "max-rps", 0, "read at most so many records a second from each source")
	f.StringVar(&failOn, "fail-on", "drift,incomplete", "what to exit with 1 or 3 for: drift, incomplete, drift,incomplete, or none")
	format := output(cmd, "table", "json", "ndjson", "csv", "junit", "md")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, later := range []string{"sample", "since"} {
			if f.Changed(later) {
				return fmt.Errorf("--%s is not yet supported: leave it out, and everything is compared", later)
			}
		}
		if full, err := f.GetBool("full"); err != nil || !full {
			return errors.Join(err, errors.New("--full=false is not yet supported: leave it out, and everything is compared"))
		}
		if f.Changed("max-rps") && flags.maxRPS < 1 {
			return fmt.Errorf("--max-rps %d: want at least 1", flags.maxRPS)
		}
		var err error
		if flags.failOn, err = report.ParseFailOn(failOn); err != nil {
			return err
		}
		flags.format = format.word
		return c.runChecks(cmd.Context(), args, flags)
	}
	return cmd
}

func (c *cli) runChecks(ctx context.Context, names []string, flags runFlags) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	picked, err := pick(config, names)
	if err != nil {
		return err
	}
	if len(flags.keys) > 0 && len(picked) != 1 {
		return errors.New("--key compares one check: name it")
	}
	teller := &teller{cli: c, told: map[string]bool{}}
	r := newReaders(config, flags.maxRPS, teller.waits)
	defer c.close(r)
	s := &session{cli: c, readers: r, flags: flags, teller: teller,
		builder: report.Builder{Lens: drift.Lens{Masker: drift.NewMasker(drift.NewMaskKey()), Scrub: c.scrub}}}
	c.interrupts.finishPages()
	c.console.Start(teller.progress.Line)
	runs, err := s.runAll(ctx, picked)
	c.console.Stop()
	if err != nil {
		return err
	}
	if err := s.write(runs); err != nil {
		return err
	}
	return exit(flags.failOn.ExitCode(runs))
}

// session is one `plumbline run`.
type session struct {
	*cli
	readers *service.Readers
	flags   runFlags
	teller  *teller
	builder report.Builder
}

// runAll runs one edge after the other. An error is one that keeps the result
// from being told; what befell an edge is in its Run.
func (s *session) runAll(ctx context.Context, picked []*checks.Check) (runs []*report.Run, err error) {
	for _, check := range picked {
		keys, keyErr := s.keysOf(ctx, check)
		var wrong *keyError
		if errors.As(keyErr, &wrong) {
			return nil, wrong
		}
		for i := range check.Edges {
			run := s.runEdge(ctx, check, i, keys, keyErr)
			runs = append(runs, run)
			if s.flags.format == "ndjson" {
				if err := s.written(report.WriteNDJSON(s.stdout, run)); err != nil {
					return nil, err
				}
			}
		}
	}
	return runs, nil
}

func (s *session) runEdge(ctx context.Context, check *checks.Check, i int, keys []sources.Key, keyErr error) *report.Run {
	var run checks.EdgeRun
	share := 1.0
	switch {
	case s.interrupts.came() || ctx.Err() != nil:
		run = checks.NotRun(check, i, nil)
	case keyErr != nil:
		run = checks.NotRun(check, i, keyErr)
	default:
		run = checks.Run(ctx, check, i, s.readers.Find, checks.Options{Keys: keys, Stop: s.interrupts.stop,
			Progress: s.teller.hear})
		if len(keys) > 0 {
			share = s.shareOf(ctx, check, len(keys))
		}
	}
	return s.builder.Run(check, &check.Edges[i], &run, share)
}

// shareOf is about which share of the owner's records n keys are; 0 when unknown.
func (s *session) shareOf(ctx context.Context, check *checks.Check, n int) float64 {
	owner, err := s.readers.Find(check.Owner.Source)
	if err != nil {
		return 0 // the run has told why
	}
	total, known, err := owner.Count(ctx, &checks.Compile(check, 0, s.now()).Owner)
	if err != nil || !known {
		return 0
	}
	return min(1, float64(n)/float64(total))
}

// keyError is a key that cannot be one of the check's: the command is wrong.
type keyError struct{ error }

// keysOf reads the keys of --key as the owner's declared kinds.
func (s *session) keysOf(ctx context.Context, check *checks.Check) ([]sources.Key, error) {
	if len(s.flags.keys) == 0 {
		return nil, nil
	}
	kinds, err := ownerKinds(ctx, s.readers, check)
	if err != nil {
		return nil, err
	}
	keys := make([]sources.Key, len(s.flags.keys))
	for i, text := range s.flags.keys {
		if keys[i], err = checks.ParseKey(text, kinds); err != nil {
			return nil, &keyError{fmt.Errorf("check %s: %w", check.Name, err)}
		}
	}
	return keys, nil
}

// ownerKinds are the kinds that the owner declares for the parts of its key.
func ownerKinds(ctx context.Context, r *service.Readers, check *checks.Check) ([]sources.Kind, error) {
	owner, err := r.Find(check.Owner.Source)
	if err != nil {
		return nil, err
	}
	dataset := checks.Compile(check, 0, time.Now()).Owner
	described, err := owner.Describe(ctx, &dataset)
	if err != nil {
		return nil, err
	}
	kinds := make([]sources.Kind, len(dataset.Key))
	for i, name := range dataset.Key {
		kinds[i] = described.Types[name].Kind
	}
	return kinds, nil
}

// write writes all runs in the format asked for, and on standard error what a
// format that is not for people would leave unsaid.
func (s *session) write(runs []*report.Run) error {
	var err error
	switch s.flags.format {
	case "table":
		err = report.WriteTable(s.stdout, runs, s.style)
	case "json":
		err = report.WriteJSON(s.stdout, report.New(runs))
	case "csv":
		err = report.WriteCSV(s.stdout, runs)
	case "junit":
		err = report.WriteJUnit(s.stdout, runs)
	case "md":
		err = report.WriteMarkdown(s.stdout, report.New(runs))
	}
	if err := s.written(err); err != nil || s.flags.format == "table" {
		return err
	}
	for _, run := range runs {
		if run.Result != checks.Clean {
			s.console.Note(fmt.Sprintf("plumbline: %s in %s: %s: %s", run.Check, run.Replica, run.Result, report.Headline(run)))
		}
	}
	return nil
}
