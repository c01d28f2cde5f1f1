package configs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/configs"
)

// anyAddress gives every address of an example a value.
func anyAddress(name string) (string, bool) {
	if !strings.HasSuffix(name, "_URL") {
		return "", false
	}
	return "somewhere", true
}

// Every example loads, and has what its stores are made of and what a run must find.
func TestExamples(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(examples) != 6 {
		t.Fatal(len(examples), "examples", err)
	}
	endings := map[string]string{"postgres": ".postgres.sql", "sqlite": ".sqlite.sql", "mongodb": ".mongodb.json", "redis": ".redis.json"}
	for _, path := range examples {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			c, err := configs.Load(path, anyAddress, secretFile)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Join("examples", "testdata", strings.TrimSuffix(filepath.Base(path), ".yaml"))
			for _, s := range c.Sources {
				if _, err := os.Stat(base + endings[s.Kind]); err != nil {
					t.Error(err)
				}
			}
			text, err := os.ReadFile(base + ".expect.txt")
			if err != nil {
				t.Fatal(err)
			}
			var expected, declared []string
			for line := range strings.Lines(string(text)) {
				if words := strings.Fields(line); !strings.HasPrefix(line, "#") {
					if len(words) != 7 || words[2] != "drift" {
						t.Fatalf("expected is %q", line)
					}
					expected = append(expected, words[0]+" "+words[1])
				}
			}
			for _, check := range c.Checks {
				for _, e := range check.Edges {
					declared = append(declared, check.Name+" "+e.Name)
				}
			}
			slices.Sort(expected)
			slices.Sort(declared)
			if !slices.Equal(expected, declared) {
				t.Errorf("expected are %v, declared are %v", expected, declared)
			}
		})
	}
}

func TestStarterLoads(t *testing.T) {
	t.Parallel()
	c, err := configs.Parse([]configs.File{{Name: "plumbline.yaml", Data: configs.Starter()}}, anyAddress, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Sources) != 2 || len(c.Checks) != 1 {
		t.Errorf("got %d sources and %d checks", len(c.Sources), len(c.Checks))
	}
}

// What the starting configuration shows as comments loads as well.
func TestStarterLoadsWithItsComments(t *testing.T) {
	t.Parallel()
	var text string
	for line := range strings.Lines(string(configs.Starter())) {
		if shown, comment := strings.CutPrefix(strings.TrimLeft(line, " "), "# "); comment && strings.HasPrefix(line, "    ") {
			line = line[:len(line)-len(shown)-2] + shown
		}
		text += line
	}
	c, err := configs.Parse([]configs.File{{Name: "plumbline.yaml", Data: []byte(text)}}, anyAddress, secretFile)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if rules := c.Checks[0].Edges[0].Rules; len(rules) != 5 {
		t.Errorf("got %d rules", len(rules))
	}
}

// So do the alerts that stand below it as comments.
func TestStarterLoadsWithItsAlerts(t *testing.T) {
	t.Parallel()
	text, shown, found := strings.Cut(string(configs.Starter()), "\n# alerts:\n")
	if !found {
		t.Fatal("the starting configuration shows no alerts")
	}
	text += "\nalerts:\n"
	for line := range strings.Lines(shown) {
		text += strings.TrimPrefix(line, "# ")
	}
	environment := func(name string) (string, bool) {
		return "xoxb-somewhere", strings.HasSuffix(name, "_URL") || strings.HasPrefix(name, "SLACK_")
	}
	c, err := configs.Parse([]configs.File{{Name: "plumbline.yaml", Data: []byte(text)}}, environment, secretFile)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if c.Alerts.Slack == nil || len(c.Alerts.Routes) != 1 || c.Alerts.Digest == nil || len(c.Notes) > 0 {
		t.Errorf("got %+v with the notes %v", c.Alerts, c.Notes)
	}
}
