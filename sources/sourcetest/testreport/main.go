// Command testreport reads the output of go test -json and prints what a person
// wants of it: one line a package, the whole output of tests that failed, the
// lines in which the conformance suite names the adapters it ran for and tests
// print their random seeds, and at the end how many tests passed, failed and
// were skipped. It exits with 1 when anything failed or nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	ok, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type tally struct {
	passed, failed, skipped int
	broken                  []string          // packages that failed
	output                  map[string]string // of tests and packages not yet ended
	noted                   []string
}

func report(in io.Reader, out io.Writer) (ok bool, err error) {
	t := tally{output: map[string]string{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // what go prints beside the events
			continue
		}
		t.take(e, out)
	}
	for _, line := range t.noted {
		fmt.Fprintln(out, line)
	}
	for _, name := range t.broken {
		fmt.Fprintln(out, "FAILED", name)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	return t.failed == 0 && len(t.broken) == 0 && t.passed > 0, lines.Err()
}

func (t *tally) take(e event, out io.Writer) {
	id := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		t.output[id+e.ImportPath] += e.Output
		t.note(e.Output)
		return
	case "build-fail":
		fmt.Fprint(out, t.output[" "+e.ImportPath])
	case "pass":
		if e.Test == "" {
			fmt.Fprintf(out, "ok    %s %.1fs\n", e.Package, e.Elapsed)
		} else {
			t.passed++
		}
	case "skip":
		if e.Test != "" {
			t.skipped++
			fmt.Fprintf(out, "skip  %s %s\n%s", e.Package, e.Test, t.output[id])
		}
	case "fail":
		if e.Test == "" {
			t.broken = append(t.broken, e.Package)
			t.unfinished(e.Package, out)
		} else {
			t.failed++
		}
		fmt.Fprintf(out, "FAIL  %s %.1fs\n%s", strings.TrimSpace(id), e.Elapsed, t.output[id])
	default:
		return
	}
	delete(t.output, id)
}

// unfinished prints what the tests said that were still running when their
// package failed: a time-out or a panic ends them without a word of their own.
func (t *tally) unfinished(pkg string, out io.Writer) {
	for _, id := range slices.Sorted(maps.Keys(t.output)) {
		if test, ours := strings.CutPrefix(id, pkg+" "); ours && test != "" {
			fmt.Fprintf(out, "UNFINISHED  %s\n%s", id, t.output[id])
			delete(t.output, id)
		}
	}
}

// note keeps a figure, and the line that names an adapter the conformance suite
// ran for or something it left out.
func (t *tally) note(output string) {
	for _, words := range [][2]string{{"figure:", ""}, {"conformance:", ", seed "}, {"conformance:", " left out: "}} {
		i := strings.Index(output, words[0])
		if i < 0 || !strings.Contains(output[i:], words[1]) {
			continue
		}
		if line := strings.TrimSpace(output[i:]); !slices.Contains(t.noted, line) {
			t.noted = append(t.noted, line)
		}
	}
}
