package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// commandIn runs the program in dir and returns what it wrote and its exit code.
func commandIn(t *testing.T, dir string, env []string, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "plumbline", args...)
	var out, log bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), strings.NewReader(stdin), &out, &log
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return out.String(), log.String(), cmd.ProcessState.ExitCode()
}

// Where people sign in, commands still work beside a running serve for whoever can
// write its ledger; what they do is in the audit log, and the chain holds.
func TestCommandsBesideAServeWithAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shopIn(t, dir)
	writeConfig(t, dir, servedConfig)
	s := serveIn(t, dir)
	s.eventually("a finding", func() (string, bool) {
		out, _, _ := commandIn(t, dir, nil, "", "findings", "list", "-o", "ndjson")
		return out, strings.Contains(out, `"finding":"F-`)
	})
	out, log, code := commandIn(t, dir, nil, "correct horse battery\n", "user", "add", "ann", "--role", "admin")
	if code != 0 || out != "ann is an account with the role admin\n" {
		t.Fatalf("exit %d: %s%s", code, out, log)
	}
	s.eventually("nobody is let in without signing in", func() (string, bool) {
		status, body, err := s.get("/api/v1/findings")
		if err != nil {
			return err.Error(), false
		}
		return body, status == 401
	})
	list, log, code := commandIn(t, dir, nil, "", "findings", "list", "-o", "ndjson")
	if code != 0 || !strings.Contains(log, "through plumbline serve at ") || !strings.Contains(list, `"finding":"F-`) {
		t.Fatalf("exit %d: %s%s", code, list, log)
	}
	_, rest, _ := strings.Cut(list, `"finding":"`)
	finding, _, _ := strings.Cut(rest, `"`)
	if out, log, code := commandIn(t, dir, nil, "", "findings", "ack", finding); code != 0 || out != finding+" is acknowledged\n" {
		t.Errorf("exit %d: %s%s", code, out, log)
	}
	if out, log, code := commandIn(t, dir, []string{"PLUMBLINE_TOKEN=plb_nothing"}, "", "findings", "list"); code != 2 || !strings.Contains(log, "does not take the token in $PLUMBLINE_TOKEN") {
		t.Errorf("with a token that is none: exit %d: %s%s", code, out, log)
	}
	plain, log, code := commandIn(t, dir, nil, "", "token", "add", "ci", "--scopes", "view", "--for", "ann")
	if code != 0 || !strings.HasPrefix(plain, "plb_") {
		t.Fatalf("exit %d: %s%s", code, plain, log)
	}
	asCI := []string{"PLUMBLINE_TOKEN=" + strings.TrimSpace(plain)}
	if out, log, code := commandIn(t, dir, asCI, "", "findings", "show", finding); code != 0 || !strings.Contains(out, "***") {
		t.Errorf("with a token for names alone: exit %d: %s%s", code, out, log)
	}
	if out, log, code := commandIn(t, dir, asCI, "", "findings", "ack", finding); code != 2 || !strings.Contains(log, "it needs the role operator") {
		t.Errorf("with a token that may not: exit %d: %s%s", code, out, log)
	}
	var export string
	s.eventually("all is sealed", func() (string, bool) {
		out, log, code := commandIn(t, dir, nil, "", "audit", "verify")
		return out + log, code == 0 && strings.HasPrefix(out, "the audit log is whole") && !strings.Contains(out, "not sealed")
	})
	export, log, code = commandIn(t, dir, nil, "", "audit", "export")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, log)
	}
	for _, entry := range []string{
		`"action":"add account","object":"account ann","outcome":"ok"`,
		`"actor":"ann (token ci)"`,
		`"action":"acknowledge","object":"finding ` + finding + `","outcome":"ok"`,
		`"outcome":"denied"`,
	} {
		if !strings.Contains(export, entry) {
			t.Errorf("the log does not hold %s:\n%s", entry, export)
		}
	}
	for _, secret := range []string{"correct horse", strings.TrimSpace(plain)} {
		if strings.Contains(export+s.logged(), secret) {
			t.Errorf("a secret is told: %s", secret)
		}
	}
	if code, _ := s.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d\n%s", code, s.logged())
	}
	_, rest, found := strings.Cut(s.logged(), `"audit head","head":"`)
	head, _, _ := strings.Cut(rest, `"`)
	if out, log, code := commandIn(t, dir, nil, "", "audit", "verify", "--head", head); !found || code != 0 {
		t.Errorf("with a head that was logged: exit %d: %s%s", code, out, log)
	}
	wide := serveIn(t, dir, "--listen", "0.0.0.0:0") // which answers for names of this machine alone
	if out, log, code := commandIn(t, dir, nil, "", "findings", "list"); code != 0 || !strings.Contains(log, "through plumbline serve at ") {
		t.Errorf("beside one that others reach: exit %d: %s%s", code, out, log)
	}
	if code, _ := wide.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d\n%s", code, wide.logged())
	}
	execute(t, filepath.Join(dir, "plumbline.db"), `DELETE FROM audit WHERE number >= (SELECT MAX(number) FROM audit)`)
	if _, log, code := commandIn(t, dir, nil, "", "audit", "verify"); code != 1 || !strings.Contains(log, "missing: the log was cut off") {
		t.Errorf("after the tail was cut: exit %d: %s", code, log)
	}
}
