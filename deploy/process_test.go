package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// program builds Plumbline and answers where it is.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plumbline")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./cmd/plumbline")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return file
}

// process is one of the composition's Plumblines.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	metrics string
	token   string
	exited  chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// Write keeps what the process logs.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// serve starts the program with the composition's configuration, whose secrets
// are in dir and whose addresses are free ones of this machine.
func serve(t *testing.T, program, secrets, token string) *process {
	t.Helper()
	p := &process{t: t, metrics: freeAddress(t), token: token, exited: make(chan struct{})}
	p.cmd = exec.Command(program, "serve", "--listen", "127.0.0.1:0")
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append(os.Environ(), "PLUMBLINE_CONFIG="+configured(t, secrets, p.metrics))
	p.cmd.Stderr = p
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(func() {
		p.end(os.Kill)
		if t.Failed() {
			t.Logf("the process at %s logged\n%s", p.address, p.logged())
		}
	})
	// Whatever it says on the way, one line says where it serves.
	lines := bufio.NewScanner(out)
	for p.address == "" && lines.Scan() {
		if _, address, found := strings.Cut(lines.Text(), "plumbline serves 5 checks on "); found {
			p.address = address
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out) // until the process closes it
		_ = p.cmd.Wait()                // how it ended is in ProcessState
		close(p.exited)
	}()
	if p.address == "" {
		t.Fatalf("it never said where it serves\n%s", p.logged())
	}
	return p
}

// end sends a signal and waits for the end.
func (p *process) end(signal os.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(signal) // it may have ended already
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		p.t.Fatalf("it did not end\n%s", p.logged())
	}
}

// configured writes the composition's configuration as it is, but for where its
// secrets are, where it tells its metrics, and that it need not be waited for.
func configured(t *testing.T, secrets, metrics string) string {
	t.Helper()
	text := read(t, "compose/plumbline.yaml")
	for old, changed := range map[string]string{
		"/run/secrets/":          secrets + "/",
		"metrics: 0.0.0.0:9090":  "metrics: " + metrics,
		`schedule: "@every 20s"`: `schedule: "@every 2s"`,
		"settle: 5s":             "settle: 1s",
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("the composition's configuration has no %q", old)
		}
		text = strings.ReplaceAll(text, old, changed)
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "plumbline.yaml"), []byte(text), 0o600))
	return dir
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
}

// command runs the program to its end, as a service of the composition that does
// one thing, and answers what it says.
func command(t *testing.T, program, config string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PLUMBLINE_CONFIG="+config)
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("plumbline %s: %v\n%s%s", strings.Join(args, " "), err, out, wrong.String())
	}
	return strings.TrimSpace(string(out))
}

// ask asks for a path with the process's token, and answers status and text.
func (p *process) ask(path string) (int, string, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, "", err
	}
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token)
	}
	response, err := http.DefaultTransport.RoundTrip(request) // follows nothing
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// list reads a whole list of the API.
func list[T any](p *process, path string) ([]T, error) {
	var all []T
	for after := ""; ; {
		status, text, err := p.ask(p.address + path + after)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("%s answers %d: %s", path, status, text)
		}
		var page struct {
			Items []T
			Next  string
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		after = "&after=" + page.Next
	}
}

// eventually asks until it holds, and fails with what was last seen.
func eventually(t *testing.T, what string, holds func() (seen string, ok bool)) {
	t.Helper()
	var seen string
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var ok bool
		if seen, ok = holds(); ok {
			return
		}
	}
	t.Fatalf("%s: never came; last seen %s", what, seen)
}
