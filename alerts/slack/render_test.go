package slack

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"plumbline/alerts"
)

var update = flag.Bool("update", false, "write the golden files anew")

const pages = "https://plumbline.example.com"

func sampleTime() time.Time { return time.Date(2026, 11, 21, 10, 55, 0, 0, time.UTC) }

// The messages stand in testdata as Slack gets them and as text.
func TestRenderWritesTheGoldenMessages(t *testing.T) {
	t.Parallel()
	for _, s := range Samples(sampleTime()) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			m := Render(&s.Delivery, pages)
			if err := Check(m); err != nil {
				t.Error(err)
			}
			document, err := json.MarshalIndent(map[string]any{
				"text": m.Text, "blocks": slack.Blocks{BlockSet: m.Blocks}, "metadata": m.Metadata,
			}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join("testdata", strings.ReplaceAll(s.Name, " ", "-"))
			golden(t, name+".json", string(document)+"\n")
			golden(t, name+".txt", m.Plain())
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// A day on which nothing ran is not clear: nothing is known of it.
func TestDigestOfADayWithoutRunsIsNotClear(t *testing.T) {
	t.Parallel()
	for runs, want := range map[int64]string{0: "daily digest: nothing was checked. 1 check, 0 runs", 1: "daily digest: all clear. 1 check, 1 run"} {
		d := &alerts.Delivery{Step: alerts.Notice, Digest: &alerts.Digest{Checks: 1, Runs: runs}}
		if text := Render(d, "").Text; !strings.Contains(text, want) {
			t.Errorf("with %d runs it says %q, want %q", runs, text, want)
		}
	}
}
