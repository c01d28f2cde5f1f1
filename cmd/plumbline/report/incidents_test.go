package report

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"plumbline/cmd/plumbline/terminal"
	"plumbline/web"
)

// hostileIncident has a payload wherever people or stores write text.
func hostileIncident(p string, at time.Time) web.IncidentDetailBody {
	mute := web.MuteBody{Check: p, Until: web.Instant(at), Above: 4, Actor: p, Reason: p}
	return web.IncidentDetailBody{IncidentBody: web.IncidentBody{Incident: "I-1", Check: p, Kind: "drift", State: "acknowledged", OpenedAt: web.Instant(at), AcknowledgedBy: p,
		Resolution: p, Growing: true, Muted: &mute, Facts: web.IncidentFactsBody{Counted: 3, Kinds: []web.CountBody{{Name: "mismatch", Count: 3}}, Fields: []web.CountBody{{Name: p, Count: 3}},
			Edges: []web.IncidentEdgeBody{{Replica: p, Consistency: "Drifted", Cause: p}}}},
		Milestones: []web.MilestoneBody{{Event: "acknowledged", At: web.Instant(at), Actor: p, Counted: 3, Note: p}},
		Deliveries: []web.DeliveryBody{{Integration: "slack", Address: p, SentAt: web.Instant(at), Error: p}}}
}

// What people wrote beside incidents moves no cursor and hides nothing.
func TestIncidentsActOnNoTerminal(t *testing.T) {
	t.Parallel()
	seed, now := rand.Uint64(), time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	t.Logf("seed %d", seed)
	for _, p := range hostile(rand.New(rand.NewPCG(seed, 0)), 500) {
		i := hostileIncident(p, now.Add(-time.Hour))
		for name, write := range map[string]func(io.Writer) error{
			"list": func(w io.Writer) error {
				return WriteIncidents(w, []web.IncidentBody{i.IncidentBody}, true, now, terminal.NewStyle(false))
			},
			"show": func(w io.Writer) error { return WriteIncident(w, &i, now, terminal.NewStyle(false)) },
		} {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
			text := out.String()
			if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf) }) {
				t.Errorf("%s of %q holds what acts: %q", name, p, text)
			}
		}
	}
}

// An incident in words: what it counts, who took it on, why it is quiet.
func TestIncidentInWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	i := hostileIncident("prices", now.Add(-time.Hour))
	i.First, i.Peak, i.Resolution = 1, 5, ""
	var out bytes.Buffer
	if err := WriteIncident(&out, &i, now, terminal.NewStyle(false)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"I-1  prices  drift  acknowledged by prices  since 2027-01-09T09:58:03.000Z", "counted  3 now, 1 when it opened, 5 at most, growing", "kinds    mismatch 3",
		"prices is muted by prices until 2027-01-09T09:58:03.000Z, or until more than 4 findings are counted: prices", "slack"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}

// Whoever took an incident on did not resolve it; and of what cannot be checked
// nothing is counted.
func TestIncidentSaysWhatIsTrueOfWhoAndWhat(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	i := hostileIncident("ann", now.Add(-time.Hour))
	i.State, i.Muted, i.Deliveries[0].Error = "resolved", nil, ""
	i.Deliveries[0].DueAt = web.Instant(now)
	said := func() string {
		var out bytes.Buffer
		if err := WriteIncident(&out, &i, now, terminal.NewStyle(false)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, want := range []string{"drift  resolved, acknowledged by ann  since", "kinds    mismatch 3", "slack  ann    waits"} {
		if !strings.Contains(said(), want) {
			t.Errorf("it does not say %q:\n%s", want, said())
		}
	}
	i.Kind = "cannot check"
	if strings.Contains(said(), "mismatch") {
		t.Errorf("it counts what cannot be checked:\n%s", said())
	}
}
