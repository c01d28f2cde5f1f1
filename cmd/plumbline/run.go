package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	keys      []string
	sample    int
	full      bool
	since     time.Duration
	stopAfter int64
	maxRPS    int
	failOn    report.FailOn
	format    string
}

// check refuses what cannot be asked for together, or of so little.
func (f *runFlags) check(changed func(string) bool) error {
	switch {
	case changed("max-rps") && f.maxRPS < 1:
		return fmt.Errorf("--max-rps %d: want at least 1", f.maxRPS)
	case changed("sample") && f.sample < 1:
		return fmt.Errorf("--sample %d: want at least 1", f.sample)
	case changed("since") && f.since <= 0:
		return fmt.Errorf("--since %s: want a time such as 24h", f.since)
	case changed("stop-after") && f.stopAfter < 1:
		return fmt.Errorf("--stop-after %d: want at least 1", f.stopAfter)
	case changed("full") && !f.full:
		return errors.New("--full=false says nothing: leave it out, and what each check declares is compared")
	}
	var ways []string
	for _, way := range []string{"key", "sample", "full", "since"} {
		if changed(way) {
			ways = append(ways, "--"+way)
		}
	}
	if len(ways) > 1 {
		return fmt.Errorf("%s cannot be asked for together", strings.Join(ways, " and "))
	}
	if changed("key") && changed("stop-after") {
		return errors.New("--key and --stop-after cannot be asked for together")
	}
	return nil
}

// options are what a run of a check is asked for.
func (f *runFlags) options() (o checks.Options) {
	switch {
	case f.full:
		o.Sample = &checks.Sample{}
	case f.sample > 0:
		o.Sample = &checks.Sample{Keys: f.sample}
	}
	o.Since, o.StopAfter = f.since, f.stopAfter
	return o
}

func (c *cli) runCommand() *cobra.Command {
	var flags runFlags
	var failOn string
	cmd := &cobra.Command{
		Use:   "run [CHECK…]",
		Short: "Compare owners with their replicas",
		Long: `Compare owners with their replicas: all checks, or those named. A difference
counts once it outlived the check's settle time, read again on both sides.

A check compares everything, or the sample that it declares. --sample and --full
replace that; a sample without drift says so ("In sample: ≤ 0.03 %"), and never
that both sides agree.

Exit codes: 0 in sync, 1 confirmed drift, 2 could not run, 3 incomplete and no
drift seen, 130 interrupted. With several checks 2 beats 1 beats 3 beats 0.`,
		Example: `  plumbline run
  plumbline run basket-prices --key 42 --key 43
  plumbline run orders --sample 10000
  plumbline run orders --since 24h
  plumbline run orders --stop-after 100
  plumbline run -o junit > plumbline.xml
  plumbline run --fail-on drift --max-rps 5000`,
		Args: cobra.ArbitraryArgs, ValidArgsFunction: c.completeChecks(0),
	}
	f := cmd.Flags()
	f.BoolVar(&flags.full, "full", false, "compare whole datasets, also of checks that declare a sample")
	f.IntVar(&flags.sample, "sample", 0, "compare so many keys, divided as each check's sample is, else drawn at random")
	f.DurationVar(&flags.since, "since", 0, "compare the keys that changed within this time, such as 24h, by the recent_by of each check's sample")
	f.Int64Var(&flags.stopAfter, "stop-after", 0, "stop reading once so many differences were seen; what is counted until then is exact")
	f.StringArrayVar(&flags.keys, "key", nil, "compare this key of the one check named, as the owner writes it; parts divided by commas")
	f.IntVar(&flags.maxRPS, "max-rps", 0, "read at most so many records a second from each source")
	f.StringVar(&failOn, "fail-on", "drift,incomplete", "what to exit with 1 or 3 for: drift, incomplete, drift,incomplete, or none")
	format := output(cmd, "table", "json", "ndjson", "csv", "junit", "md")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := flags.check(f.Changed)
		if err != nil {
			return err
		}
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
		options := s.flags.options()
		options.Keys, options.Stop, options.Progress = keys, s.interrupts.stop, s.teller.hear
		run = checks.Run(ctx, check, i, s.readers.Find, options)
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
