package configs_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"plumbline/configs"
)

var update = flag.Bool("update", false, "write what is reported into testdata/bad; then read every line of the difference")

// environment is what the cases of testdata/bad may refer to.
func environment(name string) (string, bool) {
	value, set := map[string]string{
		"CATALOG_URL": "postgres://reader:hunter2@catalog/shop", "BASKET_URL": "mongodb://reader:hunter2@basket/shop",
		"VIEW_URL": "sqlite:///var/lib/hunter2.db", "SLACK_TOKEN": "xoxb-hunter2", "SLACK_SIGNING_SECRET": "hunter2", "CATALOG_FIX_URL": "postgres://fixer:hunter2@catalog/shop", "PASSWORD": "hunter2", "EMPTY": "",
	}[name]
	return value, set
}

func secretFile(path string) ([]byte, error) {
	switch path {
	case "/run/secrets/catalog", "/run/secrets/loyalty":
		return []byte("postgres://reader:hunter2@catalog/shop\n"), nil
	case "/run/secrets/long":
		return []byte(strings.Repeat("hunter2 ", 10_000)), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// Each archive of testdata/bad holds cases: name.yaml (or name/….yaml for
// several files) and name.want, the problems it must give, to the letter.
func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	common, err := os.ReadFile("testdata/bad/sources.yaml")
	if err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	cases := 0
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		inputs, wants := casesOf(archive)
		cases += len(inputs)
		updated := &txtar.Archive{Comment: archive.Comment}
		for _, c := range inputs {
			files := c.files
			if !declaresSources(files) {
				files = append([]configs.File{{Name: "sources.yaml", Data: common}}, files...)
			}
			got := problemsOf(t, files)
			for _, f := range c.files {
				updated.Files = append(updated.Files, txtar.File{Name: f.Name, Data: f.Data})
			}
			updated.Files = append(updated.Files, txtar.File{Name: c.name + ".want", Data: []byte(got)})
			if *update {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar")+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(wants[c.name], got); diff != "" {
					t.Errorf("problems differ (-want +got):\n%s", diff)
				}
				if strings.Contains(got, "hunter2") {
					t.Error("a secret is shown")
				}
			})
		}
		if *update {
			if err := os.WriteFile(path, txtar.Format(updated), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if cases < 60 {
		t.Errorf("only %d cases", cases)
	}
}

type badCase struct {
	name  string
	files []configs.File
}

func casesOf(archive *txtar.Archive) (inputs []badCase, wants map[string]string) {
	wants = map[string]string{}
	for _, f := range archive.Files {
		if name, ok := strings.CutSuffix(f.Name, ".want"); ok {
			wants[name] = string(f.Data)
			continue
		}
		name, _, several := strings.Cut(f.Name, "/")
		if !several {
			name = strings.TrimSuffix(f.Name, ".yaml")
		}
		file := configs.File{Name: f.Name, Data: f.Data}
		if last := len(inputs) - 1; last >= 0 && inputs[last].name == name {
			inputs[last].files = append(inputs[last].files, file)
			continue
		}
		inputs = append(inputs, badCase{name, []configs.File{file}})
	}
	return inputs, wants
}

func declaresSources(files []configs.File) bool {
	for _, f := range files {
		if strings.HasPrefix(string(f.Data), "source") || strings.Contains(string(f.Data), "\nsource") {
			return true
		}
	}
	return false
}

// problemsOf returns a configuration's problems, a line each, and "" for none.
// Every problem must stand on a line that its file has.
func problemsOf(t *testing.T, files []configs.File) string {
	t.Helper()
	_, err := configs.Parse(files, environment, secretFile)
	if err == nil {
		return ""
	}
	var problems configs.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("not a list of problems: %v", err)
	}
	lines := map[string]int{}
	for _, f := range files {
		lines[f.Name] = strings.Count(string(f.Data), "\n") + 1
	}
	for _, p := range problems {
		if p.Line < 1 || p.Line > lines[p.File] || p.Column < 1 {
			t.Errorf("problem at a place that is not there: %v", p)
		}
	}
	return problems.Error() + "\n"
}
