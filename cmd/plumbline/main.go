// Command plumbline audits whether copies of data in other services agree with
// their owner.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // for CRON_TZ and tz where the machine has no time zones of its own
)

// version is set by the linker (-X main.version=…) and never by the program.
var version string

func main() {
	boundMemory()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(context.Background(), process{
		args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Environ(), signals: signals,
		// After the second signal the third one ends the process as if we had never listened.
		letGo: func() { signal.Reset(os.Interrupt, syscall.SIGTERM) },
	}))
}

// boundMemory lets the collector run seldom and yet keeps the process small. A
// run lives on pages of up to 8 MiB that are dropped as soon as they are
// compared: the default rate would collect for nearly every page, while a
// higher rate alone would let dead pages pile up beside a large table. So the
// rate is doubled and the soft limit, below the 128 MiB we promise, reins it
// in. Who sets GOGC or GOMEMLIMIT knows better.
func boundMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(96 << 20)
	}
}
