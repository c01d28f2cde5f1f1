package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// host is the machine as one run sees it: the run's temporary directory, the
// processes it started and the package manager. It is safe for concurrent use.
type host struct {
	dir     string // every account may pass through it, none but ours may list it
	starter *starter

	mu        sync.Mutex // guards out and daemons
	out       io.Writer
	daemons   []*daemon
	closing   bool
	packages  sync.Mutex // the system's package manager takes one caller at a time
	refreshed bool       // guarded by packages
}

func newHost(out io.Writer) (*host, error) {
	dir, err := makeRunDir()
	if err != nil {
		return nil, err
	}
	return &host{dir: dir, starter: newStarter(), out: out}, nil
}

// makeRunDir makes the run's directory where the servers' accounts can reach it.
func makeRunDir() (string, error) {
	parent := os.TempDir()
	if runsAsRoot() && !reachable(parent) {
		parent = "/var/tmp"
	}
	dir, err := os.MkdirTemp(parent, "plumbline-test-")
	if err != nil {
		return "", fmt.Errorf("make a temporary directory: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", fmt.Errorf("open the temporary directory to the servers: %w", err)
	}
	return dir, nil
}

// say prints one line for the person who watches the run.
func (h *host) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(h.out, "withservers: "+format+"\n", args...)
}

// close stops every server, the last one first, and removes the directory.
func (h *host) close() {
	h.mu.Lock()
	h.closing = true
	daemons := slices.Clone(h.daemons)
	h.mu.Unlock()
	for _, d := range slices.Backward(daemons) {
		if err := d.stop(); err != nil {
			h.say("%v", err)
		}
	}
	if err := os.RemoveAll(h.dir); err != nil {
		h.say("remove the temporary directory: %v", err)
	}
}

// home makes a private directory for a server that runs under the account.
func (h *host) home(name string, as *account) (string, error) {
	dir, err := os.MkdirTemp(h.dir, name+"-")
	if err != nil {
		return "", fmt.Errorf("make a directory for %s: %w", name, err)
	}
	if as != nil {
		if err := os.Chown(dir, as.uid, as.gid); err != nil {
			return "", fmt.Errorf("hand %s to %s: %w", dir, as.name, err)
		}
	}
	return dir, nil
}

// run runs a helper to its end in dir, as the account, with extra variables, and
// answers what it printed. It ends the helper, and what that started, with ctx.
// The error carries the end of what the helper printed.
func (h *host) run(ctx context.Context, as *account, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(serverEnv(), env...)
	cmd.SysProcAttr = serverAttr(as, syscall.SIGKILL)
	cmd.Cancel = func() error {
		killGroup(cmd.Process)
		return nil
	}
	cmd.WaitDelay = 5 * time.Second
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err := h.starter.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("run %s: %w%s", filepath.Base(name), err, lastLines(out.String()))
	}
	return out.String(), nil
}

// serverEnv is our environment without the variables that would change what a
// server or its tools do.
func serverEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PG") || strings.HasPrefix(kv, "NODE_OPTIONS=")
	})
}

// lastLines answers the end of a program's output, ready to follow a message.
func lastLines(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return ""
	}
	if len(lines) > 12 {
		lines = lines[len(lines)-12:]
	}
	return "\n    " + strings.Join(lines, "\n    ")
}
