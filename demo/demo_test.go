package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serveOn audits as `plumbline demo` does, on any free port, and tells started where.
func serveOn(started func(Service)) func(context.Context, string, string, func(ledger.Change)) (Service, error) {
	return func(ctx context.Context, path, dir string, watch func(ledger.Change)) (Service, error) {
		load := func() (*configs.Config, error) {
			return configs.Load(path, func(name string) (string, bool) {
				value, known := map[string]string{"SHOP_DIR": dir}[name]
				return value, known
			}, os.ReadFile)
		}
		config, err := load()
		if err != nil {
			return nil, err
		}
		s, err := service.Start(ctx, service.Options{Config: config, Load: load, Stamp: func() string { return "" }, Listen: "127.0.0.1:0", Version: "test",
			Scrub: func(s string) string { return s }, Log: slog.New(slog.DiscardHandler), Watch: watch, ProbeEvery: 5 * time.Second})
		if err != nil {
			return nil, err
		}
		started(s)
		return s, nil
	}
}

func serveAnywhere() func(context.Context, string, string, func(ledger.Change)) (Service, error) {
	return serveOn(func(Service) {})
}

// items asks the API for a list.
func items(ctx context.Context, url string) (list []map[string]any, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body struct {
		Items []map[string]any `json:"items"`
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return body.Items, json.NewDecoder(response.Body).Decode(&body)
}

// promises are what anybody who looks at the API of a demo has seen within a
// minute: when each was met, counted from the process's start.
type promises struct{ confirmed, cleared, resolved, down time.Duration }

// watchPromises looks at the API twice a second until all are met or ctx ends.
func watchPromises(ctx context.Context, address string, began time.Time) (p promises, err error) {
	met := func(at *time.Duration) {
		if *at == 0 {
			*at = time.Since(began)
		}
	}
	for p.confirmed == 0 || p.cleared == 0 || p.resolved == 0 || p.down == 0 {
		if !wait(ctx, 500*time.Millisecond) {
			return p, err
		}
		var confirmed, runs, resolved, sources []map[string]any
		if confirmed, err = items(ctx, address+"/api/v1/findings?state=confirmed"); err != nil {
			continue
		}
		if len(confirmed) > 0 {
			met(&p.confirmed)
		}
		if runs, err = items(ctx, address+"/api/v1/runs"); err != nil {
			continue
		}
		for _, run := range runs {
			if counts, ok := run["counts"].(map[string]any); ok && counts["suspects_cleared"] != 0.0 {
				met(&p.cleared)
			}
		}
		if resolved, err = items(ctx, address+"/api/v1/findings?state=resolved"); err != nil {
			continue
		}
		if len(resolved) > 0 {
			met(&p.resolved)
		}
		if sources, err = items(ctx, address+"/api/v1/sources"); err != nil {
			continue
		}
		for _, source := range sources {
			if source["name"] == maintained && source["state"] == "down" {
				met(&p.down)
			}
		}
	}
	return p, nil
}

// The demo's promise: within a minute there are confirmed differences, a suspect
// that was merely late and a finding that resolved by itself, on the screen and
// in the API; nothing is made up and nothing passed over.
func TestShowsWhatDriftsAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out bytes.Buffer
	const seed = 4711
	began := time.Now()
	watching, enough := context.WithCancel(t.Context())
	defer enough()
	var seen promises
	var seenErr error
	looked := make(chan struct{})
	serve := serveOn(func(s Service) {
		go func() {
			defer close(looked)
			seen, seenErr = watchPromises(watching, s.Address(), began)
		}()
	})
	r, err := run(t.Context(), &out, Options{Dir: dir + "/shop", Seed: seed, Duration: 58 * time.Second, Serve: serve})
	enough()
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, out.String())
	}
	<-looked
	http.DefaultClient.CloseIdleConnections()
	t.Logf("seed %d; seen after %+v\n%s", seed, seen, out.String())
	if seen.confirmed == 0 || seen.cleared == 0 || seen.resolved == 0 || seen.down == 0 {
		t.Errorf("the API did not show all within a minute: %+v, last error %v", seen, seenErr)
	}
	for _, want := range []string{" confirmed ", "merely late: different when first read", " healed ", "lost batch of events", " more",
		"loyalty locks its store", "http://127.0.0.1:"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the terminal never showed %q", want)
		}
	}
	for _, f := range r.unexplained {
		t.Errorf("false alarm: %s %s %s %s", f.Check, f.Kind, f.Key, values(f.Finding))
	}
	if r.faults.missed > 0 || r.faults.found == 0 {
		t.Errorf("%d of %d faults were missed, %d found", r.faults.missed, r.faults.letIn, r.faults.found)
	}
	if _, err := os.Stat(dir + "/shop/plumbline.db"); err != nil {
		t.Errorf("the named directory does not keep the ledger: %v", err)
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
			if err := Run(ctx, out, Options{Serve: serveAnywhere()}); err != nil {
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
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "crm.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "plumbline.db"), []byte(strings.Repeat("no ledger at all", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string
		out        io.Writer
		options    Options
	}{
		{"a directory in use", "crm.db is there already: name an empty directory", io.Discard, Options{Dir: taken, Serve: serveAnywhere()}},
		{"a ledger that is none", "open the ledger", io.Discard, Options{Dir: broken, Serve: serveAnywhere()}},
		{"no terminal", "write to the terminal", closed{}, Options{Serve: serveAnywhere()}},
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
