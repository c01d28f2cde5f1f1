package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseArgsSplitsServersFromCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args    string
		servers string
		command string
		err     string
	}{
		{args: "-- go test -race ./...", servers: "postgres mongodb mysql redis chromium promtool", command: "go test -race ./..."},
		{args: "env", servers: "postgres mongodb mysql redis chromium promtool", command: "env"},
		{args: "-only mongodb -- env -i", servers: "mongodb", command: "env -i"},
		{args: "-only=mongodb,postgres -- env", servers: "postgres mongodb", command: "env"},
		{args: "-- -only postgres", servers: "postgres mongodb mysql redis chromium promtool", command: "-only postgres"},
		{args: "-only oracle -- env", err: `no server is called "oracle": choose from postgres, mongodb, mysql, redis, chromium, promtool`},
		{args: "-only postgres, -- env", err: `no server is called ""`},
		{args: "-only postgres --", err: "no command given"},
		{args: "", err: "no command given"},
		{args: "-keep -- env", err: "not defined: -keep"},
	} {
		chosen, command, err := parseArgs(strings.Fields(c.args), knownServers(), io.Discard)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want one with %q", c.args, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
		}
		if got := strings.Join(names(chosen), " "); got != c.servers {
			t.Errorf("%q: servers %q, want %q", c.args, got, c.servers)
		}
		if got := strings.Join(command, " "); got != c.command {
			t.Errorf("%q: command %q, want %q", c.args, got, c.command)
		}
	}
	if _, _, err := parseArgs([]string{"-h"}, knownServers(), io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v, want flag.ErrHelp", err)
	}
}

func TestNewestPostgresComesFirst(t *testing.T) {
	t.Parallel()
	dir := func(version string) string { return "/usr/lib/postgresql/" + version + "/bin" }
	got := newestFirst([]string{dir("15"), dir("9.6"), dir("local"), dir("17"), dir("10")})
	want := []string{dir("17"), dir("15"), dir("10"), dir("9.6"), dir("local")}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

const machineSources = `Types: deb
# URIs: http://old.example.org/debian
URIs: http://archive.example.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/example.gpg

Types: deb
URIs: http://archive.example.org/debian-security
Suites: bookworm-security
Components: main
`

func TestSourcesForTakesTheArchiveOfTheMachinesOwnSuite(t *testing.T) {
	t.Parallel()
	const plain = "Types: deb\nURIs: http://archive.example.org/debian\nSuites: trixie\nComponents: main\n"
	for name, c := range map[string]struct{ text, want string }{
		"a comment between the fields is no address": {machineSources, plain + "Signed-By: /usr/share/keyrings/example.gpg\n"},
		"the entry may come second, in any case of letters": {
			"types: deb-src deb\nuris: http://other.example.org/x\nsuites: sid\ncomponents: main\n\n" +
				"types: deb\nuris: http://archive.example.org/debian\nsuites: bookworm\ncomponents: main contrib\n", plain},
		"a key inside the file is left out": {
			"Types: deb\nURIs: http://archive.example.org/debian\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN\n .\n -----END\n", plain},
		"continued lines belong to the field": {
			"Types: deb\nURIs:\n http://archive.example.org/debian\nSuites: sid\n bookworm\nComponents: main\n", plain},
		"disabled entries and sources of code are passed over": {
			"Enabled: no\n" + machineSources + "\nTypes: deb-src\nURIs: http://code.example.org\nSuites: bookworm\nComponents: main\n", ""},
		"another distribution's archive is refused": {
			"Types: deb\nURIs: http://archive.example.org/ubuntu\nSuites: jammy\nComponents: main\n", ""},
		"no file, no entry": {"", ""},
	} {
		got, err := sourcesFor(c.text, "bookworm", "trixie")
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestOSReleaseValuesMayBeQuoted(t *testing.T) {
	t.Parallel()
	text := "PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_CODENAME=bookworm\nID='debian'\n"
	for name, want := range map[string]string{"ID": "debian", "VERSION_CODENAME": "bookworm", "CODENAME": ""} {
		if got := osRelease(text, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestOldCLibrariesBorrowNewerOnes(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]bool{
		"glibc 2.36\n": true, "glibc 2.38\n": false, "glibc 2.41\n": false, "glibc 2.4\n": true,
		"glibc 3.0\n": false, "glibc 1.99\n": true, "musl\n": true, "": true,
	} {
		if got := olderGlibc(out, 2, 38); got != want {
			t.Errorf("%q: got %t, want %t", out, got, want)
		}
	}
}

func TestNodeMajorReadsVersions(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]int{"v20.1.0": 20, "v9.11.2": 9, "v101.0.0-pre": 101, "": 0, "node?": 0} {
		if got := nodeMajor(out); got != want {
			t.Errorf("%q: got %d, want %d", out, got, want)
		}
	}
}

func TestPrintedAddressWaitsForTheWholeLine(t *testing.T) {
	t.Parallel()
	for log, want := range map[string]string{
		"port 40123\n": "127.0.0.1:40123", "a warning\nport 1\n": "127.0.0.1:1", "port 401": "", "": "",
	} {
		if got, err := printedAddress(log); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", log, got, err, want)
		}
	}
}

func TestServicesAreForbiddenWhileAPackageIsInstalled(t *testing.T) {
	t.Parallel()
	policy := filepath.Join(t.TempDir(), "policy-rc.d")
	allow, err := forbidServices(policy)
	if err != nil || !isExecutable(policy) {
		t.Fatalf("no policy was made: %v", err)
	}
	if err := allow(); err != nil || isExecutable(policy) {
		t.Errorf("the policy stayed: %v", err)
	}
	if err := os.WriteFile(policy, []byte("the machine's own"), 0o644); err != nil {
		t.Fatal(err)
	}
	if allow, err = forbidServices(policy); err != nil {
		t.Fatal(err)
	}
	err = allow()
	if text, readErr := os.ReadFile(policy); err != nil || readErr != nil || string(text) != "the machine's own" {
		t.Errorf("the machine's own policy became %q: %v, %v", text, err, readErr)
	}
}

func TestReachableAsksEveryDirectoryOnTheWay(t *testing.T) {
	t.Parallel()
	top, err := os.MkdirTemp("", "withservers-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	inner := filepath.Join(top, "closed", "open")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(top, 0o711); err != nil {
		t.Fatal(err)
	}
	if !reachable(os.TempDir()) {
		t.Skip("the temporary directory itself is closed")
	}
	if !reachable(inner) || !reachable(filepath.Join(inner, "not", "there")) {
		t.Error("every directory lets anyone pass, yet it is said to be out of reach")
	}
	if err := os.Chmod(filepath.Join(top, "closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	if reachable(inner) || reachable(filepath.Join(inner, "not", "there")) {
		t.Error("a closed directory is on the way, yet it is said to be reachable")
	}
}

func TestLastLinesKeepsTheEnd(t *testing.T) {
	t.Parallel()
	if got := lastLines(" \n"); got != "" {
		t.Errorf("got %q for no output", got)
	}
	got := lastLines(strings.Repeat("early\n", 20) + "last\n")
	if strings.Count(got, "\n") != 12 || !strings.HasSuffix(got, "\n    last") {
		t.Errorf("got %q", got)
	}
}

func TestStartAllReportsEveryFailureAndEndsTheRest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := &host{out: &out}
	broken := errors.New("out of order")
	_, err := startAll(t.Context(), h, []server{
		{name: "good", env: "WITHSERVERS_GOOD", start: func(context.Context, *host) (endpoint, error) {
			return endpoint{url: "good://", version: "1", origin: "a test"}, nil
		}},
		{name: "broken", env: "WITHSERVERS_BROKEN", start: func(context.Context, *host) (endpoint, error) {
			return endpoint{}, broken
		}},
		{name: "panicking", env: "WITHSERVERS_PANICKING", start: func(context.Context, *host) (endpoint, error) {
			panic("oh")
		}},
		{name: "waiting", env: "WITHSERVERS_WAITING", start: func(ctx context.Context, _ *host) (endpoint, error) {
			<-ctx.Done()
			return endpoint{}, ctx.Err()
		}},
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "start panicking: panic: oh") || strings.Contains(err.Error(), "waiting") {
		t.Errorf("got %v", err)
	}
	if !strings.HasPrefix(out.String(), "withservers: good 1 from a test, ready in ") {
		t.Errorf("printed %q", out.String())
	}
}

func TestAServerInTheEnvironmentIsLeftAlone(t *testing.T) {
	t.Setenv("WITHSERVERS_GIVEN", "given://user:secret@host")
	var out bytes.Buffer
	env, err := startAll(t.Context(), &host{out: &out}, []server{{name: "given", env: "WITHSERVERS_GIVEN"}})
	if err != nil || !slices.Equal(env, []string{"WITHSERVERS_GIVEN=given://user:secret@host"}) {
		t.Errorf("got %v, %v", env, err)
	}
	if strings.Contains(out.String(), "secret") || !strings.Contains(out.String(), "nothing started") {
		t.Errorf("printed %q", out.String())
	}
}

func TestCommandKeepsItsExitCodeAndGetsSignals(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	h := &host{out: io.Discard, starter: newStarter()}
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137} {
		code, err := runCommand(h, []string{"sh", "-c", script}, os.Environ(), io.Discard, io.Discard, nil)
		if code != want || err != nil {
			t.Errorf("%q: got %d, %v, want %d", script, code, err, want)
		}
	}
	if _, err := runCommand(h, []string{"/no/such/command"}, nil, io.Discard, io.Discard, nil); err == nil {
		t.Error("a command that is not there: no error")
	}

	signals := make(chan os.Signal, 1)
	listening := writerFunc(func(p []byte) { signals <- os.Interrupt })
	script := `trap 'kill $!; exit 9' INT; sleep 60 & echo listening; wait`
	code, err := runCommand(h, []string{"sh", "-c", script}, os.Environ(), listening, io.Discard, signals)
	if code != 9 || err != nil {
		t.Errorf("interrupted: got %d, %v, want 9", code, err)
	}
}

// writerFunc is called with everything that is written.
type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestBrowsersTellTheirVersion(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		"Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)\n": "156.0.8078.79",
		"find: '/x': no such file\nGoogle Chrome 140.0.1 \n":               "140.0.1",
		"Chromium\n": "of unknown version",
		"":           "of unknown version",
	} {
		if got := browserVersion(out); got != want {
			t.Errorf("browserVersion(%q) = %q, want %q", out, got, want)
		}
	}
}

func TestPromtoolTellsItsVersion(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		"promtool, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5)\n  platform: linux/amd64\n": "2.42.0+ds",
		"promtool, version 3.5.0\n": "3.5.0",
		"version ":                  "of unknown version",
		"":                          "of unknown version",
	} {
		if got := promtoolVersion(out); got != want {
			t.Errorf("promtoolVersion(%q) = %q, want %q", out, got, want)
		}
	}
}
