package configs_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"plumbline/configs"
)

// FuzzLoad holds that no text makes the loader panic or hang, that what it
// refuses it refuses with a place that is there, and that no problem shows a secret.
func FuzzLoad(f *testing.F) {
	f.Add(wholeConfiguration)
	f.Add(string(configs.Starter()))
	f.Add(bomb())
	for _, name := range []string{"yaml", "keys", "later", "sides", "fields", "expansion", "merge", "alerts", "fixes", "service", "samples", "bare", "sql"} {
		archive, err := txtar.ParseFile("testdata/bad/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(string(file.Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := configs.Parse([]configs.File{{Name: "c.yaml", Data: []byte(text)}}, environment, secretFile)
		if err == nil {
			return
		}
		var problems configs.Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("not a list of problems: %v", err)
		}
		lines := strings.Split(text, "\n")
		for _, p := range problems {
			if p.File != "c.yaml" || p.Message == "" || p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len([]rune(lines[p.Line-1]))+1 {
				t.Errorf("problem at a place that is not there: %v", p)
			}
		}
		if strings.Contains(err.Error(), "hunter2") && !strings.Contains(text, "hunter2") {
			t.Errorf("a secret is shown: %v", err)
		}
	})
}
