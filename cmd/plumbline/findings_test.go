package main

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestCommandsBesideAService: beside a running service commands ask its API and
// say so; once it is gone, be it that it was killed and never said so, they work
// on the ledger themselves.
func TestCommandsBesideAService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shopIn(t, dir)
	writeConfig(t, dir, servedConfig)
	s := serveIn(t, dir)
	s.says("/api/v1/findings?state=confirmed", `"check":"prices"`)
	command := func(args ...string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		code = run(t.Context(), process{args: append(args, "-c", dir+"/plumbline.yaml"), stdin: strings.NewReader(""), stdout: &out, stderr: &errs})
		return code, out.String(), errs.String()
	}
	code, stdout, stderr := command("findings", "list", "-o", "ndjson")
	if code != 0 || !strings.Contains(stdout, `"kind":"mismatch"`) || !strings.Contains(stderr, "through plumbline serve at "+strings.TrimPrefix(s.address, "http://")) {
		t.Errorf("beside the service: code %d, %q, %q", code, stdout, stderr)
	}
	if code, _, stderr := command("runs", "resume", "1"); code != 2 || strings.Contains(stderr, "start plumbline serve") {
		t.Errorf("resuming beside the service: code %d, %q", code, stderr)
	}
	s.stop(syscall.SIGKILL)
	code, stdout, stderr = command("findings", "list", "-o", "ndjson")
	if code != 0 || !strings.Contains(stdout, `"kind":"mismatch"`) || stderr != "" {
		t.Errorf("once the service was killed: code %d, %q, %q", code, stdout, stderr)
	}
	if code, _, stderr := command("runs", "resume", "1"); code != 2 || !strings.Contains(stderr, "start plumbline serve") {
		t.Errorf("resuming alone: code %d, %q", code, stderr)
	}
	if _, err := os.Stat(dir + "/plumbline.db"); err != nil {
		t.Error(err)
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"90m": "1h30m0s", "2h": "2h0m0s", "7d": "168h0m0s", "0h": "", "-1h": "", "d": "", "99999d": "", "soon": ""} {
		d, err := parseLength("--for", text)
		if got := d.String(); err == nil && got != want || err != nil && want != "" {
			t.Errorf("%s: got %s, %v, want %q", text, got, err, want)
		}
	}
}

// What the API tells to ask of it is told as commands.
func TestNextStepsAreCommands(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"list them with GET /api/v1/checks; what is long over is deleted":               "plumbline validate",
		"list them with GET /api/v1/runs; what is long over is deleted":                 "plumbline runs list",
		"follow it at /api/v1/runs/201":                                                 "with plumbline runs show 201",
		"look at the check and at GET /api/v1/sources, then ask again":                  "plumbline sources test",
		"read /api/openapi.json, which says what may be asked":                          "--help",
		"try again; if it stays so, ask /readyz and look at the log of plumbline serve": "plumbline doctor",
		"try again; if it stays so, ask /readyz":                                        "plumbline doctor",
	} {
		if got := commandWords(next); !strings.Contains(got, want) || strings.Contains(got, "/api") || strings.Contains(got, "GET ") || strings.Contains(got, "/readyz") {
			t.Errorf("%q became %q, want %q", next, got, want)
		}
	}
}
