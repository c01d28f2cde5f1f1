package plumbline

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each trap in docs/comparing.md is held by tests that are there.
func TestEveryTrapHasItsTests(t *testing.T) {
	t.Parallel()
	tests := testNames(t)
	row := regexp.MustCompile(`(?m)^\| (R?\d+) \|.*\| ([^|]*) \|$`)
	name := regexp.MustCompile("`([A-Za-z0-9_]+)`")
	var got []string
	for _, m := range row.FindAllStringSubmatch(string(read(t, "docs/comparing.md")), -1) {
		got = append(got, m[1])
		named := name.FindAllStringSubmatch(m[2], -1)
		if len(named) == 0 {
			t.Errorf("trap %s names no test", m[1])
		}
		for _, n := range named {
			if !tests[n[1]] {
				t.Errorf("trap %s names %s, which is no test", m[1], n[1])
			}
		}
	}
	var want []string
	for i := range 37 {
		want = append(want, fmt.Sprint(i+1))
	}
	for i := range 30 {
		want = append(want, fmt.Sprintf("R%d", i+1))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the traps are %v", got)
	}
}

// testNames are the names of all tests and fuzz tests of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]*)\(`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
