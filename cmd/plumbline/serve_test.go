package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// served is a `plumbline serve` under test.
type served struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	said    string // what it said besides its address
	exited  chan error

	mu  sync.Mutex
	log bytes.Buffer
}

// Write keeps what the process logs.
func (s *served) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *served) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// serveIn starts the program in dir and waits until it says where it serves.
func serveIn(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	s := &served{t: t, exited: make(chan error, 1)}
	s.cmd = exec.Command("plumbline", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Dir, s.cmd.Stderr = dir, s
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill() // it may have ended just now
			<-s.exited
		}
	})
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	more, _ := said.Peek(said.Buffered()) // all is said at once
	s.said = string(more)
	go func() { s.exited <- s.cmd.Wait() }()
	_, address, found := strings.Cut(strings.TrimSpace(line), " on ")
	if err != nil || !found {
		t.Fatalf("it said %q, %v, and logged\n%s", line, err, s.logged())
	}
	s.address = address
	return s
}

// stop sends a signal, waits for the end and returns the exit code.
func (s *served) stop(signals ...os.Signal) (code int, took time.Duration) {
	s.t.Helper()
	began := time.Now()
	for _, signal := range signals {
		if err := s.cmd.Process.Signal(signal); err != nil {
			s.t.Fatal(err)
		}
	}
	select {
	case err := <-s.exited:
		s.exited <- err // for whoever asks again
		var failed *exec.ExitError
		if err != nil && !errors.As(err, &failed) {
			s.t.Fatal(err)
		}
		return s.cmd.ProcessState.ExitCode(), time.Since(began)
	case <-time.After(40 * time.Second):
		s.t.Fatalf("it did not end\n%s", s.logged())
		return 0, 0
	}
}

func (s *served) get(path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// eventually polls until it holds, and fails with what was last seen.
func (s *served) eventually(what string, holds func() (seen string, ok bool)) {
	s.t.Helper()
	var seen string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var ok bool
		if seen, ok = holds(); ok {
			return
		}
	}
	s.t.Fatalf("%s: never came; last seen %s\nlog:\n%s", what, seen, s.logged())
}

// says waits until a page answers 200 with all of these words.
func (s *served) says(path string, words ...string) {
	s.t.Helper()
	s.eventually(path+" says "+strings.Join(words, ", "), func() (string, bool) {
		status, body, err := s.get(path)
		for _, word := range words {
			if !strings.Contains(body, word) {
				return fmt.Sprintf("%d %v without %q: %s", status, err, word, body), false
			}
		}
		return "", err == nil && status == http.StatusOK
	})
}

// shopIn makes a small shop in dir: its copy 2 drifts.
func shopIn(t *testing.T, dir string) {
	t.Helper()
	execute(t, filepath.Join(dir, "shop.db"), `CREATE TABLE products (id INTEGER PRIMARY KEY, price TEXT);
		CREATE TABLE copies (id INTEGER PRIMARY KEY, price TEXT);
		INSERT INTO products VALUES (1, '10.00'), (2, '20.00'), (3, '30.00');
		INSERT INTO copies VALUES (1, '10.00'), (2, '19.00'), (3, '30.00')`)
}

const servedConfig = `
sources: {shop: {kind: sqlite, url: "sqlite://shop.db", team: shop}}
defaults: {schedule: "@every 1s", settle: 0s}
checks:
  prices: {owner: {source: shop, dataset: products, key: [id]}, replica: {source: shop, dataset: copies, key: [id]}, fields: [price]}
`

func writeConfig(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "plumbline.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestServe walks a service through its life: it finds what drifts and sees it
// heal, takes a changed configuration over and refuses a broken one, remembers
// over a restart, and ends when it is told to.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shopIn(t, dir)
	writeConfig(t, dir, servedConfig)
	s := serveIn(t, dir)
	s.says("/livez", "ok")
	s.says("/readyz", "ok")
	s.says("/", "prices")
	s.says("/api/v1/findings?state=confirmed", `"check":"prices"`)
	s.says("/sources", "shop", "up")
	s.says("/metrics", "plumbline_config_last_reload_successful 1", `plumbline_source_up{source="shop"} 1`)

	writeConfig(t, dir, strings.ReplaceAll(servedConfig, "dataset:", "datset:"))
	s.says("/readyz", "unknown key", "datset", "dataset")
	s.says("/metrics", "plumbline_config_last_reload_successful 0")
	s.says("/", "last good one stays in force", "prices")
	writeConfig(t, dir, strings.Replace(servedConfig, "  prices:", "  tariffs:", 1))
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil { // need not wait for the file to be looked at
		t.Fatal(err)
	}
	s.says("/api/v1/checks", `"tariffs"`)
	s.says("/metrics", "plumbline_config_last_reload_successful 1")
	writeConfig(t, dir, servedConfig)
	s.says("/api/v1/checks", `"prices"`) // by its own looking
	if code, took := s.stop(syscall.SIGTERM); code != 0 || took > 25*time.Second {
		t.Errorf("exit code %d after %s\n%s", code, took, s.logged())
	}
	wantJSONLines(t, s.logged())

	execute(t, filepath.Join(dir, "shop.db"), `UPDATE copies SET price = '20.00' WHERE id = 2`)
	again := serveIn(t, dir)
	again.says("/api/v1/findings?state=resolved", `"check":"prices"`, "19.00")
	if code, _ := again.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// wantJSONLines fails for a log line that is no JSON object.
func wantJSONLines(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["msg"] == nil {
			t.Errorf("logged %q: %v", line, err)
		}
	}
}

// Processes with two configurations on one ledger: the older one says so and
// begins nothing, and when both have the same again both work.
func TestServeBesideAnotherConfiguration(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	shopIn(t, dir)
	ledger := "ledger: sqlite://" + filepath.Join(dir, "shared.db") + "\n"
	absolute := strings.ReplaceAll(servedConfig, "sqlite://shop.db", "sqlite://"+filepath.Join(dir, "shop.db"))
	writeConfig(t, dir, ledger+absolute)
	writeConfig(t, other, ledger+strings.Replace(absolute, "@every 1s", "@every 2s", 1))
	first := serveIn(t, dir)
	first.says("/api/v1/findings?state=confirmed", `"check":"prices"`)
	second := serveIn(t, other)
	second.says("/readyz", "ok")
	if log := second.logged(); !strings.Contains(log, "serves the same SQLite ledger") || strings.Contains(first.logged(), "serves the same SQLite ledger") {
		t.Errorf("the second process on one file logged\n%s", log)
	}
	first.says("/readyz", "another configuration")
	first.says("/", "another configuration")
	writeConfig(t, dir, ledger+strings.Replace(absolute, "@every 1s", "@every 2s", 1))
	first.eventually("the same configuration", func() (string, bool) {
		_, body, err := first.get("/readyz")
		return body, err == nil && !strings.Contains(body, "another configuration")
	})
	for _, s := range []*served{first, second} {
		if code, took := s.stop(syscall.SIGTERM); code != 0 {
			t.Errorf("exit code %d after %s\n%s", code, took, s.logged())
		}
	}
}

// A second signal waits for nothing.
func TestServeEndsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shopIn(t, dir)
	writeConfig(t, dir, servedConfig)
	s := serveIn(t, dir)
	if code, took := s.stop(syscall.SIGTERM, syscall.SIGINT); took > 10*time.Second || code != 130 && code != 0 {
		t.Errorf("exit code %d after %s\n%s", code, took, s.logged())
	}
}

// A port that is taken is named.
func TestServeOnATakenPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shopIn(t, dir)
	writeConfig(t, dir, servedConfig)
	s := serveIn(t, dir)
	taken := strings.TrimPrefix(s.address, "http://")
	cmd := exec.Command("plumbline", "serve", "--listen", taken)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "listen on "+taken+": another process does already") {
		t.Errorf("%v: %s", err, said)
	}
	writeConfig(t, dir, "server: {metrics: \""+taken+"\"}\n"+servedConfig)
	cmd = exec.Command("plumbline", "serve", "--listen", "127.0.0.1:0")
	cmd.Dir = dir
	said, err = cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "serve metrics: listen on "+taken+": it is taken: give server.metrics an address of its own") {
		t.Errorf("for metrics: %v: %s", err, said)
	}
	s.stop(syscall.SIGTERM)
}

// A demo takes another port where its own is taken, and says so.
func TestDemoOnATakenPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shopIn(t, dir)
	writeConfig(t, dir, servedConfig)
	s := serveIn(t, dir)
	taken := strings.TrimPrefix(s.address, "http://")
	said, err := exec.Command("plumbline", "demo", "--duration", "1s", "--listen", taken).CombinedOutput()
	if err != nil || !strings.Contains(string(said), "another process listens on "+taken+", so the dashboard is at http://127.0.0.1:") {
		t.Errorf("%v: %s", err, said)
	}
	s.stop(syscall.SIGTERM)
}

// A ledger of a newer version is named and left as it is.
func TestServeOnANewerLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shopIn(t, dir)
	writeConfig(t, dir, servedConfig)
	s := serveIn(t, dir)
	s.stop(syscall.SIGTERM)
	execute(t, filepath.Join(dir, "plumbline.db"), `INSERT INTO ledger_version (version_id, is_applied) VALUES (9999, true)`)
	cmd := exec.Command("plumbline", "serve", "--listen", "127.0.0.1:0")
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	var exited *exec.ExitError
	if !errors.As(err, &exited) || exited.ExitCode() != 2 || !strings.Contains(string(said), "the ledger is of version 9999") {
		t.Errorf("%v: %s", err, said)
	}
}
