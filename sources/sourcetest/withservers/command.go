package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// runCommand runs the command to its end and answers its exit code, 128 and the
// signal's number if a signal ended it. Every signal that arrives is passed on;
// a command that does not end within stopWithin of the first one is killed.
func runCommand(h *host, command, env []string, stdout, stderr io.Writer, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = commandAttr()
	if err := h.starter.start(cmd); err != nil {
		return 0, fmt.Errorf("run %s: %w", command[0], err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var overdue <-chan time.Time
	for {
		select {
		case err := <-done:
			return exitCode(err)
		case sig := <-signals:
			signalGroup(cmd.Process, sig)
			if overdue == nil {
				overdue = time.After(stopWithin)
			}
		case <-overdue:
			killGroup(cmd.Process)
		}
	}
}

// exitCode turns the outcome of a command into the code a shell would report.
func exitCode(err error) (int, error) {
	if err == nil {
		return 0, nil
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, fmt.Errorf("wait for the command: %w", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signalled(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

func signalled(sig os.Signal) int {
	if s, ok := sig.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 1
}
