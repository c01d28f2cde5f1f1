package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/web"
)

const fixedShop = `
sources:
  catalog: {kind: sqlite, url: "sqlite://catalog.db"}
  basket: {kind: sqlite, url: "sqlite://basket.db", fix_url: "sqlite://basket.db"}
defaults: {settle: 0s}
checks:
  prices:
    schedule: "@every 5s"
    owner: {source: catalog, dataset: products, key: [id]}
    replica: {name: basket, source: basket, dataset: items, key: [id]}
    fields: [price]
    fix: {mode: propose, by: write, max_share: 100%}
`

// fixer uses the command beside a plumbline serve, as somebody with a token.
type fixer struct {
	t   *testing.T
	dir string
}

// as runs a command with a token and returns its exit code and what it wrote.
func (f *fixer) as(token string, args ...string) (code int, out string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "plumbline", args...)
	cmd.Dir, cmd.Env = f.dir, append(os.Environ(), "PLUMBLINE_TOKEN="+token)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		f.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), both.String()
}

// wants runs a command that must end with a code and say some words.
func (f *fixer) wants(code int, words, token string, args ...string) string {
	f.t.Helper()
	got, out := f.as(token, args...)
	if got != code || !strings.Contains(out, words) {
		f.t.Fatalf("plumbline %s: exit code %d, want %d with %q:\n%s", strings.Join(args, " "), got, code, words, out)
	}
	return out
}

// One drafts and asks, another approves what is in the file, and whoever of them
// applies it at once: it is done once. Nobody does what they may not.
func TestAPlanGoesFromHandToHandThroughARunningService(t *testing.T) {
	t.Parallel()
	f := &fixer{t, t.TempDir()}
	execute(t, filepath.Join(f.dir, "catalog.db"), `CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER NOT NULL) WITHOUT ROWID; INSERT INTO products VALUES (1, 3), (2, 4), (3, 5)`)
	execute(t, filepath.Join(f.dir, "basket.db"), `CREATE TABLE items (id INTEGER PRIMARY KEY, price INTEGER NOT NULL) WITHOUT ROWID; INSERT INTO items VALUES (1, 3), (2, 44), (3, 55)`)
	for name, text := range map[string]string{"plumbline.yaml": fixedShop, "password": "correct horse battery"} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tokens := map[string]string{}
	command(t, f.dir, "user", "add", "root", "--role", "admin", "--password-file", "password")
	for name, may := range map[string][2]string{
		"ann": {"approver", "view,values,act,approve"}, "bob": {"approver", "view,values,act,approve"}, "otto": {"operator", "view,values,act"},
		"vic": {"viewer", "view"}, "blind": {"approver", "view,act,approve"},
	} {
		command(t, f.dir, "user", "add", name, "--role", may[0], "--password-file", "password")
		made := command(t, f.dir, "token", "add", name, "--for", name, "--scopes", may[1])
		tokens[name] = string(regexp.MustCompile(`plb_[a-z2-7]+`).Find(made))
	}
	s := serveIn(t, f.dir)
	until := time.Now().Add(30 * time.Second)
	for {
		if _, out := f.as(tokens["ann"], "findings", "list"); strings.Contains(out, "id=3") {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("nothing was found\n%s", s.logged())
		}
	}

	f.wants(2, "may not", tokens["vic"], "fix", "plan", "prices")
	out := f.wants(0, "Nothing was written.", tokens["ann"], "fix", "plan", "prices", "--out", "plan.json")
	plan := regexp.MustCompile(`P-[0-9]+`).FindString(out)
	f.wants(2, "approve it first", tokens["ann"], "fix", "apply", plan)
	f.wants(0, plan+" is waiting for approval", tokens["ann"], "fix", "ask", "plan.json")
	f.wants(2, "drafted", tokens["ann"], "fix", "approve", "plan.json")
	for _, name := range []string{"otto", "vic"} {
		f.wants(2, "may not", tokens[name], "fix", "approve", plan)
	}
	f.wants(2, "you may not see values", tokens["blind"], "fix", "approve", "plan.json")
	f.wants(0, plan+" is approved: approved by bob", tokens["bob"], "fix", "approve", "plan.json")
	f.wants(2, "may not", tokens["vic"], "fix", "apply", plan)

	var group sync.WaitGroup
	answers := make([]string, 4)
	codes := make([]int, len(answers))
	for i := range answers {
		group.Go(func() { codes[i], answers[i] = f.as(tokens["otto"], "fix", "apply", "plan.json") })
	}
	group.Wait()
	for i := range answers {
		if codes[i] != 0 || !strings.Contains(answers[i], plan+"  prices in basket is applied: 2 ") {
			t.Errorf("one of four who apply it at once: exit code %d\n%s", codes[i], answers[i])
		}
	}
	f.wants(0, "approved by bob", tokens["vic"], "fix", "show", plan)
	f.wants(2, "may not", tokens["otto"], "fix", "unfreeze")
	f.wants(0, "fixes are frozen", tokens["otto"], "fix", "freeze", "--reason", "a look first")
	f.wants(2, "rozen", tokens["otto"], "fix", "undo", plan)
	f.wants(0, "fixes are not frozen any more", tokens["bob"], "fix", "unfreeze")
	out = f.wants(0, "to undo "+plan, tokens["otto"], "fix", "undo", plan)
	undo := regexp.MustCompile(`P-[0-9]+  prices`).FindString(out)
	undo, _, _ = strings.Cut(undo, " ")
	f.wants(0, "is approved", tokens["ann"], "fix", "approve", undo)
	f.wants(0, undo+"  prices in basket is applied: 2 ", tokens["otto"], "fix", "apply", undo)
	f.wants(0, "undone", tokens["ann"], "fix", "list", "--state", "undone")
	if code, _ := s.stop(os.Interrupt); code != 0 {
		t.Errorf("it ended with %d\n%s", code, s.logged())
	}
}

func TestWhatCameOfAPlanIsAnExitCode(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		counts    web.FixCountsBody
		rehearsed bool
		want      error
	}{
		{web.FixCountsBody{Verified: 2, Applied: 1, Sent: 1}, false, nil},
		{web.FixCountsBody{Verified: 2, Stale: 1}, false, exit(3)},
		{web.FixCountsBody{Verified: 2, Pending: 1}, false, exit(3)},
		{web.FixCountsBody{Verified: 2, Doubtful: 1}, false, exit(3)},
		{web.FixCountsBody{Verified: 2, Stale: 1, Failed: 1}, false, exit(1)},
		{web.FixCountsBody{Pending: 3}, true, nil},
		{web.FixCountsBody{Pending: 3, Stale: 1}, true, exit(3)},
	} {
		if got := fixExit(&row.counts, row.rehearsed); !errors.Is(got, row.want) {
			t.Errorf("%+v, rehearsed %v: %v, want %v", row.counts, row.rehearsed, got, row.want)
		}
	}
}
