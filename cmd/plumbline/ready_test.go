package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// askedReady is what `plumbline doctor --ready` says of an address, and its exit code.
func askedReady(t *testing.T, address string) (said string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "plumbline", "doctor", "--ready", address)
	cmd.Dir = t.TempDir() // without a configuration: it needs none
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestDoctorTellsWhetherOneThatServesIsReady(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/good/readyz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ready\n") })
	mux.HandleFunc("/bad/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not ready\x1b[31m: ledger", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/moved/readyz", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good/readyz", http.StatusFound) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	gone := httptest.NewServer(mux)
	gone.Close()

	for address, want := range map[string]struct {
		code int
		said string
	}{
		server.URL + "/good":   {0, "✔ ready: "},
		server.URL + "/good/":  {0, "✔ ready: "},
		server.URL + "/bad":    {2, "answers 503: not ready"},
		server.URL + "/moved":  {2, "answers 302"},
		server.URL:             {2, "answers 404"},
		gone.URL:               {2, "does not answer: "},
		"127.0.0.1:8080":       {2, "want the address of one that serves"},
		"":                     {2, "want the address of one that serves"},
		"file:///etc/passwd":   {2, "want the address of one that serves"},
		"http://127.0.0.1:1\n": {2, "want the address of one that serves"},
	} {
		said, code := askedReady(t, address)
		if code != want.code || !strings.Contains(said, want.said) || strings.Contains(said, "\x1b") {
			t.Errorf("%q: exit code %d and %q, want %d and %q", address, code, said, want.code, want.said)
		}
	}
}

func TestOneThatServesIsReady(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shopIn(t, dir)
	writeConfig(t, dir, servedConfig)
	s := serveIn(t, dir)
	s.eventually("doctor --ready says so", func() (string, bool) {
		said, code := askedReady(t, s.address)
		return said, code == 0
	})
}
