package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	readyWithin = 60 * time.Second      // a server that says nothing for so long has failed
	readyPoll   = 20 * time.Millisecond // between two questions whether it is ready
	stopWithin  = 10 * time.Second      // after that it is killed
)

// launch says how to start a server.
type launch struct {
	name string
	as   *account // nil: ourselves
	dir  string   // its working directory, which also takes its log
	argv []string
	env  []string // beyond serverEnv
	quit syscall.Signal
	// tether connects its standard input to a pipe that closes when we are gone.
	tether bool
	within time.Duration // to get ready; 0: readyWithin
	// cleanup runs after it has ended.
	cleanup func()
}

// daemon is a server process that we started and shall stop.
type daemon struct {
	launch
	cmd   *exec.Cmd
	log   string
	input io.Closer
	done  chan struct{} // closed once the process is gone
}

// launch starts a server in the foreground as our own child. It is stopped by
// host.close, and it is reported when it ends before that.
func (h *host) launch(l launch) (*daemon, error) {
	d := &daemon{launch: l, log: filepath.Join(h.dir, filepath.Base(l.dir)+".log"), done: make(chan struct{})}
	log, err := os.Create(d.log)
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", l.name, err)
	}
	defer log.Close()
	d.cmd = exec.Command(l.argv[0], l.argv[1:]...)
	d.cmd.Dir = l.dir
	d.cmd.Env = append(serverEnv(), l.env...)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = serverAttr(l.as, l.quit)
	if l.tether {
		if d.input, err = d.cmd.StdinPipe(); err != nil {
			return nil, fmt.Errorf("start %s: %w", l.name, err)
		}
	}
	// Registered in the same breath as started, so that close cannot miss it.
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return nil, context.Canceled
	}
	if err := h.starter.start(d.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", l.name, err)
	}
	h.daemons = append(h.daemons, d)
	go func() {
		_ = d.cmd.Wait() // how it ended is told by the log and by who waits for done
		close(d.done)
	}()
	return d, nil
}

// logText answers what the server printed so far.
func (d *daemon) logText() string {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// ready asks probe until it answers a version, the server ends, or time is up.
func (d *daemon) ready(ctx context.Context, probe func(context.Context) (string, error)) (string, error) {
	within := d.within
	if within == 0 {
		within = readyWithin
	}
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		version, err := probe(limited)
		if err == nil {
			return version, nil
		}
		select {
		case <-tick.C:
		case <-d.done:
			return "", fmt.Errorf("%s ended at once: %s%s", d.name, d.cmd.ProcessState, lastLines(d.logText()))
		case <-limited.Done():
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return "", fmt.Errorf("%s did not get ready in %s: %w%s", d.name, within, err, lastLines(d.logText()))
		}
	}
}

// stop ends the server, forcibly if it takes too long, and waits for its end. It
// is an error if the server had ended by itself, and the error shows its log.
func (d *daemon) stop() error {
	var err error
	select {
	case <-d.done:
		err = fmt.Errorf("%s had ended before it was stopped: %s%s", d.name, d.cmd.ProcessState, lastLines(d.logText()))
	default:
		_ = d.cmd.Process.Signal(d.quit)
		select {
		case <-d.done:
		case <-time.After(stopWithin):
			killGroup(d.cmd.Process)
			<-d.done
		}
	}
	if d.input != nil {
		_ = d.input.Close()
	}
	if d.cleanup != nil {
		d.cleanup()
	}
	return err
}

// forget stops a server that is not wanted after all.
func (h *host) forget(d *daemon) {
	_ = d.stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.daemons {
		if h.daemons[i] == d {
			h.daemons = append(h.daemons[:i], h.daemons[i+1:]...)
			return
		}
	}
}

// launchOnFreePort starts a server that must be told its port, and waits for it.
// Another process may take the port first; then the next port is tried.
func (h *host) launchOnFreePort(ctx context.Context, build func(port string) launch,
	probe func(ctx context.Context, address string) (string, error)) (address, version string, err error) {
	for attempt := 1; ; attempt++ {
		address, err = freeAddress()
		if err != nil {
			return "", "", err
		}
		_, port, _ := strings.Cut(address, ":")
		d, err := h.launch(build(port))
		if err != nil {
			return "", "", err
		}
		version, err = d.ready(ctx, func(ctx context.Context) (string, error) { return probe(ctx, address) })
		if err == nil {
			return address, version, nil
		}
		taken := strings.Contains(strings.ToLower(d.logText()), "address already in use")
		h.forget(d)
		if !taken || attempt == 3 {
			return "", "", err
		}
	}
}

// freeAddress answers a loopback address that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("look for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// starter starts processes from one operating system thread that lives as long
// as we do: on Linux a child that asked to be told of its parent's death is told
// when the thread that started it ends.
type starter struct {
	requests chan func()
}

func newStarter() *starter {
	s := &starter{requests: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for request := range s.requests {
			request()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	result := make(chan error)
	s.requests <- func() { result <- cmd.Start() }
	return <-result
}
