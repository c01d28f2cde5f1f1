package configs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plumbline/configs"
)

const tiny = `
sources: {shop: {kind: sqlite, url: "${VIEW_URL}"}}
checks: {orders: {owner: {source: shop, dataset: orders, key: [id]}, replica: {source: shop, dataset: copies, key: [id]}, fields: []}}
`

// What no text editor shows is refused with its place.
func TestUnseenCharacters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "c.yaml:1:1: is empty: declare sources and checks, or remove the file"},
		"only separators":  {"---\n---\n...\n", "c.yaml:1:1: is empty: declare sources and checks, or remove the file"},
		"byte order mark":  {"\xef\xbb\xbfchecks: {}", "c.yaml:1:1: begins with a byte order mark: save the file as UTF-8 without one"},
		"latin-1":          {"checks:\n  caf\xe9: {}", "c.yaml:2:6: is no valid UTF-8: save the file as UTF-8"},
		"NUL":              {"checks: {}\n# a\x00b", "c.yaml:2:4: invisible character U+0000: remove it, or write it as an escape in double quotes"},
		"escape":           {"checks: {} # \x1b[2J", "c.yaml:1:14: invisible character U+001B: remove it, or write it as an escape in double quotes"},
		"inner BOM":        {"checks: {\ufeffa: {}}", "c.yaml:1:10: invisible character U+FEFF: remove it, or write it as an escape in double quotes"},
		"lone return":      {"checks:\r  a: {}", "c.yaml:1:8: invisible character U+000D: remove it, or write it as an escape in double quotes"},
		"too large":        {strings.Repeat("# long\n", 200_000), "c.yaml:1:1: is larger than 1048576 bytes: split it into several files of a directory"},
		"too many words":   {"checks: [" + strings.Repeat("1,", 200_000) + "]", "c.yaml:1:1: holds more than 200000 words and signs: split it into several files of a directory"},
		"too many aliases": {"a: &a 1\nb: [" + strings.Repeat("*a, ", 1001) + "]", "c.yaml:2:4005: more than 1000 aliases: write the values out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := configs.Parse([]configs.File{{Name: "c.yaml", Data: []byte(c.text)}}, environment, secretFile)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %v", err, c.want)
			}
		})
	}
}

func TestWindowsLineEnds(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(tiny, "\n", "\r\n")
	if _, err := configs.Parse([]configs.File{{Name: "c.yaml", Data: []byte(text)}}, environment, secretFile); err != nil {
		t.Error(err)
	}
}

func TestLoadReadsEveryYAMLFileOfADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sources, checks, _ := strings.Cut(strings.TrimSpace(tiny), "\n")
	write(t, dir, "b.yaml", sources)
	write(t, dir, "a.yaml", checks)
	write(t, dir, "README.md", "not a configuration")
	write(t, dir, ".hidden.yaml", "nor: this")
	c, err := configs.Load(dir, environment, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Sources) != 1 || len(c.Checks) != 1 {
		t.Errorf("got %d sources and %d checks", len(c.Sources), len(c.Checks))
	}
	write(t, dir, "c.yaml", sources)
	_, err = configs.Load(dir, environment, secretFile)
	first, second := filepath.Join(dir, "b.yaml"), filepath.Join(dir, "c.yaml")
	want := fmt.Sprintf("%s:1:11: sources.shop: is declared twice, first at %s:1:11: rename or remove one", second, first)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
	write(t, dir, "d.yml", checks)
	if _, err = configs.Load(dir, environment, secretFile); err == nil || !strings.Contains(err.Error(), "d.yml: only *.yaml files of a directory are read: rename it to d.yaml") {
		t.Errorf("a .yml file: got %v", err)
	}
}

func TestLoadOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	if _, err := configs.Parse(nil, environment, secretFile); err == nil {
		t.Error("no files at all: no error")
	}
	empty := t.TempDir()
	if _, err := configs.Load(empty, environment, secretFile); err == nil || !strings.Contains(err.Error(), "holds no *.yaml file") {
		t.Errorf("empty directory: got %v", err)
	}
	if _, err := configs.Load(filepath.Join(empty, "absent.yaml"), environment, secretFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: got %v", err)
	}
	if err := os.Mkdir(filepath.Join(empty, "d.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	var problems configs.Problems
	if _, err := configs.Load(empty, environment, secretFile); err == nil || errors.As(err, &problems) {
		t.Errorf("directory with a file's name: got %v", err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// An address never shows, however a configuration is printed.
func TestAddressesNeverPrint(t *testing.T) {
	t.Parallel()
	c, err := configs.Parse([]configs.File{{Name: "whole.yaml", Data: []byte(wholeConfiguration)}}, environment, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	source := c.Sources["catalog"]
	for _, shown := range []string{string(encoded), fmt.Sprintf("%v %+v %#v", c, c, c),
		fmt.Sprintf("%v %+v %#v", *c, *c, *c), fmt.Sprintf("%v %+v %#v %x", source, source, source, source.URL)} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74657232") {
			t.Errorf("an address is shown: %s", shown)
		}
	}
}

// Whatever word of a configuration stands for a secret, no problem shows it.
func TestProblemsNeverShowWhatIsExpanded(t *testing.T) {
	t.Parallel()
	words := regexp.MustCompile(`[A-Za-z0-9_./-]+`).FindAllStringIndex(wholeConfiguration, -1)
	for _, replacement := range []string{`"${PASSWORD}"`, `"${PASSWORD} ${file:/run/secrets/catalog}"`, `postgres://reader:hunter2@host/db`} {
		failed := 0
		for _, at := range words {
			text := wholeConfiguration[:at[0]] + replacement + wholeConfiguration[at[1]:]
			_, err := configs.Parse([]configs.File{{Name: "whole.yaml", Data: []byte(text)}}, environment, secretFile)
			if err == nil {
				continue
			}
			failed++
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("with %s at byte %d: %v", replacement, at[0], err)
			}
		}
		if failed < len(words)/2 {
			t.Errorf("only %d of %d places made a problem", failed, len(words))
		}
	}
}
