package plumbline

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms lists the house's rooms from core to edge. A room may import those
// before it and nothing after it.
func rooms() []string {
	return []string{"sources", "checks", "drift", "access", "reconciler", "alerts", "ledger", "auditor", "web", "configs", "demo", "cmd"}
}

// Only cmd and the list of adapters name an adapter; only adapters, their tests'
// suite and what makes data for it name a driver.
func TestImportsPointInwards(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		files++
		room := strings.Split(filepath.ToSlash(file), "/")[0]
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := outwards(filepath.ToSlash(file), room, name); why != "" {
				t.Errorf("%s imports %s: %s", file, name, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 30 {
		t.Fatalf("read %d files: the test must stand at the top of the house", files)
	}
}

func outwards(file, room, imported string) string {
	target, ours := strings.CutPrefix(imported, "plumbline/")
	test := strings.HasSuffix(file, "_test.go")
	if !ours {
		return ""
	}
	to := strings.Split(target, "/")[0]
	from, into := slices.Index(rooms(), room), slices.Index(rooms(), to)
	switch {
	case test || room == "bench":
		return "" // tests and measurements stand outside and may use everything
	case into < 0:
		return "no such room"
	case into > from:
		return to + " lies further out than " + room
	case isSender(target) && room != "cmd" && !strings.HasPrefix(file, target+"/"):
		return "only cmd names a sender"
	case isAdapter(target) && room != "cmd" && path.Dir(file) != "sources/all" && !strings.HasPrefix(file, target+"/"):
		return "only cmd and sources/all name an adapter"
	case room == "sources" && strings.Count(file, "/") == 1 && strings.HasPrefix(target, "sources/"):
		return "the contract knows no adapter"
	}
	return ""
}

func isAdapter(target string) bool {
	return slices.Contains([]string{"sources/postgres", "sources/mongodb", "sources/sqlite", "sources/memory", "sources/http", "sources/mysql", "sources/redis"}, target)
}

func isSender(target string) bool {
	return slices.Contains([]string{"alerts/slack", "alerts/webhook"}, target)
}

// Every direct dependency says what it saves us, and nothing else is listed.
func TestDependenciesAreAccountedFor(t *testing.T) {
	t.Parallel()
	mod := read(t, "go.mod")
	doc := read(t, "docs/decisions/dependencies.md")
	direct := 0
	for line := range strings.Lines(mod) {
		words := strings.Fields(line)
		if len(words) != 2 || !strings.Contains(words[0], "/") {
			continue // the module itself, or an indirect one
		}
		direct++
		if !strings.Contains(doc, "| `"+words[0]+"` |") {
			t.Errorf("docs/decisions/dependencies.md does not say what %s saves us", words[0])
		}
	}
	if listed := strings.Count(doc, "\n| `"); listed != direct {
		t.Errorf("docs/decisions/dependencies.md lists %d dependencies, go.mod requires %d", listed, direct)
	}
}

// The rooms that docs/architecture.md names are those that are there, and the
// files it points at exist.
func TestArchitectureIsTrue(t *testing.T) {
	t.Parallel()
	doc := read(t, "docs/architecture.md")
	for _, room := range append(rooms(), "bench") {
		if !strings.Contains(doc, "`"+room+"/") {
			t.Errorf("docs/architecture.md does not name the room %s", room)
		}
	}
	for _, quoted := range regexp.MustCompile("`([a-z]+/[a-z./]+)`").FindAllStringSubmatch(doc, -1) {
		if _, err := os.Stat(quoted[1]); err != nil {
			t.Errorf("docs/architecture.md points at %s: %v", quoted[1], err)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
