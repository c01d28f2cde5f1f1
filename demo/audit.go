package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/configs"
	"plumbline/sources"
)

// betweenRuns is how long a check rests after a run.
const betweenRuns = 2 * time.Second

// loadConfig puts the shop's configuration beside its files and reads it as
// every other command would.
func loadConfig(dir string) (*configs.Config, error) {
	file := filepath.Join(dir, "plumbline.yaml")
	if err := os.WriteFile(file, []byte(shopYAML), 0o600); err != nil {
		return nil, fmt.Errorf("write the shop's configuration: %w", err)
	}
	return configs.Load(file, func(name string) (string, bool) {
		if name == "SHOP_DIR" {
			return dir, true
		}
		return os.LookupEnv(name)
	}, os.ReadFile)
}

// readers are Plumbline's own, read-only ways into the shop's files.
type readers map[string]*sources.Reader

func openReaders(list map[string]configs.Source, openers map[string]sources.Opener) (readers, error) {
	rs := readers{}
	for name, s := range list {
		open := openers[s.Kind]
		if open == nil {
			return nil, errors.Join(fmt.Errorf("source %s: this build has no adapter for %s", name, s.Kind), rs.close())
		}
		source, err := open(sources.Options{Name: name, URL: s.URL, Connections: s.Connections, StatementTimeout: s.StatementTimeout})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("source %s: open: %w", name, err), rs.close())
		}
		rs[name] = sources.NewReader(name, source, sources.Limits{Page: s.Page, RecordsPerSecond: s.RecordsPerSecond, Statement: s.StatementTimeout}, nil)
	}
	return rs, nil
}

func (rs readers) find(source string) (*sources.Reader, error) {
	if r := rs[source]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("source %s is not declared", source)
}

func (rs readers) close() error {
	var errs []error
	for name, r := range rs {
		if err := r.Close(); err != nil {
			errs = append(errs, fmt.Errorf("source %s: close: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// audit runs a check again and again until ctx ends. It fails where a run could
// not read what it had to.
func audit(ctx context.Context, check *checks.Check, rs readers, v *view, first time.Duration) error {
	for pause := first; wait(ctx, pause); pause = betweenRuns {
		run := checks.Run(ctx, check, 0, rs.find, checks.Options{Progress: v.progress})
		if ctx.Err() != nil {
			return nil
		}
		if err := unfinished(run); err != nil {
			return err
		}
		v.run(run, time.Now())
		if err := v.err(); err != nil {
			return err
		}
	}
	return nil
}

// unfinished says why a run did not read all it had to. Records that do not hold
// still are no fault of the run's.
func unfinished(run checks.EdgeRun) error {
	switch {
	case run.Err != nil:
		return fmt.Errorf("audit %s: %w", run.Check, run.Err)
	case run.Result == checks.Error, run.Result == checks.Cancelled, run.Unread > 0, run.Pending > 0,
		run.Counts.Skipped > run.Counts.Unsettled, run.Result == checks.Incomplete && run.Counts.Unsettled == 0:
		return fmt.Errorf("audit %s: %s", run.Check, strings.Join(run.ReasonList(), "; "))
	}
	return nil
}

// wait waits; false says that ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
