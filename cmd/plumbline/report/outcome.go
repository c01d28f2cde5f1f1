package report

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/checks"
	"plumbline/sources"
)

// The exit codes of a run, a promise to scripts.
const (
	ExitClean       = 0
	ExitDrift       = 1
	ExitError       = 2
	ExitIncomplete  = 3
	ExitInterrupted = 130
)

// byWeight lists the results from the one that says most about a run of several
// edges to the one that says least: cancelled, then 2 beats 1 beats 3 beats 0.
func byWeight() []checks.Result {
	return []checks.Result{checks.Cancelled, checks.Error, checks.Drift, checks.Incomplete, checks.Clean}
}

// Overall is the result of several edges together; of none, an error, since
// nothing was compared.
func Overall(runs []*Run) checks.Result {
	for _, result := range byWeight() {
		if slices.ContainsFunc(runs, func(r *Run) bool { return r.Result == result }) {
			return result
		}
	}
	return checks.Error
}

// New puts the runs of a command together.
func New(runs []*Run) *Report {
	return &Report{SchemaVersion: 1, Result: Overall(runs), Runs: runs}
}

// FailOn says which results make a command fail, beside errors and interruption,
// which always do.
type FailOn struct{ Drift, Incomplete bool }

// ParseFailOn reads drift, incomplete, both divided by a comma, or none.
func ParseFailOn(text string) (f FailOn, err error) {
	words := []string{"drift", "incomplete", "none"}
	parts := strings.Split(text, ",")
	for _, part := range parts {
		switch word := strings.TrimSpace(part); {
		case word == "drift":
			f.Drift = true
		case word == "incomplete":
			f.Incomplete = true
		case word == "none" && len(parts) == 1:
		case word == "none":
			return f, fmt.Errorf("--fail-on none stands alone")
		default:
			err := fmt.Errorf("--fail-on %q: want drift, incomplete, drift,incomplete or none", word)
			if near := sources.Nearest(word, words); near != "" {
				err = fmt.Errorf("--fail-on %q: did you mean %q?", word, near)
			}
			return f, err
		}
	}
	return f, nil
}

// ExitCode is how a command with these runs exits.
func (f FailOn) ExitCode(runs []*Run) int {
	if len(runs) == 0 {
		return ExitError
	}
	codes := map[checks.Result]int{checks.Cancelled: ExitInterrupted, checks.Error: ExitError}
	if f.Drift {
		codes[checks.Drift] = ExitDrift
	}
	if f.Incomplete {
		codes[checks.Incomplete] = ExitIncomplete
	}
	for _, result := range byWeight() {
		if code, fails := codes[result]; fails && slices.ContainsFunc(runs, func(r *Run) bool { return r.Result == result }) {
			return code
		}
	}
	return ExitClean
}
