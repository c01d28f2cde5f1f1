package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plumbline/sources"
	"plumbline/sources/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openers() map[string]sources.Opener { return map[string]sources.Opener{"sqlite": sqlite.Open} }

// The demo's promise: within a minute a confirmed difference and a suspect that
// was merely late are on the screen, nothing is made up and nothing passed over.
func TestShowsWhatDriftsAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out bytes.Buffer
	const seed = 4711
	r, err := run(context.Background(), &out, Options{Dir: dir + "/shop", Seed: seed, Duration: 25 * time.Second, Openers: openers()})
	t.Logf("seed %d\n%s", seed, out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), " confirmed ") || r.confirmed == 0 {
		t.Error("no difference was confirmed")
	}
	if !strings.Contains(out.String(), "merely late: different when first read") || r.cleared == 0 {
		t.Error("no suspect was cleared")
	}
	for _, f := range r.unexplained {
		t.Errorf("false alarm: %s %s %s%s", f.check, f.difference.Kind, f.difference.Key, values(f.difference))
	}
	if r.faults.missed > 0 {
		t.Errorf("%d of %d faults were missed", r.faults.missed, r.faults.letIn)
	}
	if _, err := os.Stat(dir + "/shop/plumbline.yaml"); err != nil {
		t.Errorf("the named directory does not keep the shop: %v", err)
	}
}

// ending cancels as soon as it has been shown a text, and keeps all it is shown.
type ending struct {
	shown  bytes.Buffer
	when   string
	cancel context.CancelFunc
}

func (e *ending) Write(p []byte) (int, error) {
	n, err := e.shown.Write(p)
	if strings.Contains(e.shown.String(), e.when) {
		e.cancel()
	}
	return n, err
}

func TestEndsCleanly(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"files in ", "In sync"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(context.Background())
			out := &ending{when: when, cancel: cancel}
			if err := Run(ctx, out, Options{Openers: openers()}); err != nil {
				t.Fatalf("%v\n%s", err, out.shown.String())
			}
			_, after, _ := strings.Cut(out.shown.String(), "files in ")
			dir, _, _ := strings.Cut(after, "\n")
			if _, err := os.Stat(dir); dir == "" || !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the temporary directory %q is still there: %v", dir, err)
			}
		})
	}
}

// closed is a terminal that went away.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWhatFailsIsSaid(t *testing.T) {
	t.Parallel()
	elsewhere := map[string]sources.Opener{"sqlite": func(o sources.Options) (sources.Source, error) {
		if o.Name == "search" {
			o.URL += ".gone"
		}
		return sqlite.Open(o)
	}}
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "crm.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string
		out        io.Writer
		options    Options
	}{
		{"a store that cannot be read", "search.db.gone", io.Discard, Options{Openers: elsewhere}},
		{"no adapter", "no adapter for sqlite", io.Discard, Options{}},
		{"a directory in use", "crm.db is there already: name an empty directory", io.Discard, Options{Dir: taken, Openers: openers()}},
		{"no terminal", "write to the terminal", closed{}, Options{Openers: openers()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := Run(context.Background(), test.out, test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want one that says %q", err, test.want)
			}
		})
	}
}
