package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"plumbline": main})
}

// TestScripts runs the program as people do. Besides testscript's own, there
// are the commands
//
//	sqlite FILE SQL           runs the statements in the file SQL on an SQLite file
//	exits CODE COMMAND…       runs a command that must exit with just this code
//	interrupt CODE WORDS COMMAND…
//	                          runs a command, interrupts it once it said WORDS on standard error
//	                          (again for each further "then" in WORDS), and checks its code
//	keep VARIABLE PATTERN     sets a variable to what a group matches in the output before
//	normal FROM TO            copies a file, times, run ids and durations made alike
//
// PLUMBLINE_UPDATE_SCRIPTS=1 rewrites what scripts expect; read what it wrote.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("PLUMBLINE_UPDATE_SCRIPTS") != "",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"sqlite": sqlite, "exits": exits, "interrupt": interrupt, "normal": normal, "keep": keep,
		},
	})
}

func sqlite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite FILE SQL")
	}
	ts.Check(executeIn(ts.MkAbs(args[0]), ts.ReadFile(args[1])))
}

// executeIn runs statements on an SQLite file.
func executeIn(file, statements string) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	_, err = db.Exec(statements)
	return errors.Join(err, db.Close())
}

func execute(t *testing.T, file, statements string) {
	t.Helper()
	if err := executeIn(file, statements); err != nil {
		t.Fatal(err)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	checkCode(ts, args[0], ts.Exec(args[1], args[2:]...))
}

// keep sets a variable to what the group of a pattern matches in the output before.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep VARIABLE PATTERN")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("no match for %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func checkCode(ts *testscript.TestScript, want string, err error) {
	code := 0
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		code = exited.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt CODE WORDS COMMAND…")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(ts, args[2]), args[3:]...)
	cmd.Dir, cmd.Stdout = ts.MkAbs("."), ts.Stdout()
	cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	pipe, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	waitFor := strings.Split(args[1], " then ")
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		_, err := io.WriteString(ts.Stderr(), lines.Text()+"\n")
		ts.Check(err)
		if len(waitFor) > 0 && strings.Contains(lines.Text(), waitFor[0]) {
			waitFor = waitFor[1:]
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	err = errors.Join(lines.Err(), cmd.Wait())
	if len(waitFor) > 0 {
		ts.Fatalf("never said %q", waitFor[0])
	}
	checkCode(ts, args[0], err)
}

// program finds a command where the script would.
func program(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return filepath.Join(dir, name)
		}
	}
	ts.Fatalf("no command %s", name)
	return ""
}

func normal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: normal FROM TO")
	}
	text := ts.ReadFile(args[0])
	for _, alike := range []struct{ pattern, to string }{
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`, "2026-01-01T00:00:00.000Z"},
		{`"(id|run)": ?"[A-Z2-7]{16}"`, `"$1": "RUN"`},
		{`"(duration_seconds|latency_seconds)": ?[0-9.e-]+`, `"$1": 0`},
		{`\b[0-9.]+(µs|ms)\b`, "0ms"},
		{`time="[0-9.]+"`, `time="0"`},
		{`\b[0-9]+\.[0-9]s`, "0.0s"},
		{`\b[0-9]+\.[0-9] s \|`, "0.0 s |"},
		{`SQLite [0-9.]+`, "SQLite 3"},
		{`"version": "3[0-9.]+"`, `"version": "3"`},
		{`#[0-9a-f]{8}`, "#hash"},
		{`\r\n`, "\n"},
	} {
		text = regexp.MustCompile(alike.pattern).ReplaceAllString(text, alike.to)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
