package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumbline/alerts"
	"plumbline/alerts/slack"
	"plumbline/alerts/webhook"
	"plumbline/checks"
	"plumbline/cmd/plumbline/report"
	"plumbline/configs"
	"plumbline/drift"
	"plumbline/ledger"
)

func (c *cli) alertsCommand() *cobra.Command {
	return c.group(&cobra.Command{Use: "alerts", Short: "See and try how people are told"}, c.previewCommand(), c.testAlertsCommand())
}

func (c *cli) previewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preview CHECK",
		Short: "Show what people would be told of a check now, whom, and why them",
		Long: `Show what people would be told of a check now, whom, and why them. It tells of
the check's open incidents, and without one of an example. Nothing is sent.`,
		Example: "  plumbline alerts preview basket-prices\n  plumbline alerts preview basket-prices -o json",
		Args:    exactly("CHECK"), ValidArgsFunction: c.completeChecks(1),
	}
	format := output(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.preview(cmd.Context(), args[0], format.word)
	}
	return cmd
}

// preview is what `plumbline alerts preview -o json` writes.
type preview struct {
	SchemaVersion int       `json:"schema_version"`
	Check         string    `json:"check"`
	Example       bool      `json:"example"` // no incident is open
	Messages      []message `json:"messages"`
}

// message is what one target would be told of one incident.
type message struct {
	Incident    string          `json:"incident"`
	Integration string          `json:"integration"`
	Address     string          `json:"address"`
	Mention     string          `json:"mention"`
	Why         string          `json:"why"`
	Text        string          `json:"text"`
	Payload     json.RawMessage `json:"payload"`
}

func (c *cli) preview(ctx context.Context, name, format string) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	picked, err := pick(config, []string{name})
	if err != nil {
		return err
	}
	c.noteConfig(config)
	incidents, muted, err := c.openIncidents(ctx, config, name)
	if err != nil {
		return err
	}
	out := preview{SchemaVersion: 1, Check: name, Example: len(incidents) == 0, Messages: []message{}}
	policy, _ := config.Policies()(name)
	if out.Example {
		incidents = []*alerts.Incident{exampleIncident(picked[0], c.now())}
	}
	for _, incident := range incidents {
		for _, to := range config.Destinations(name) {
			m, err := render(&alerts.Delivery{ID: "preview", Step: alerts.Post, Target: to.Target, Incident: incident, Policy: policy, Muted: muted,
				Milestones: []alerts.Milestone{{Event: alerts.WasOpened, At: incident.OpenedAt, Counted: incident.First}}, Now: c.now()}, config.Server.PublicURL)
			if err != nil {
				return err
			}
			m.Why = to.Why
			out.Messages = append(out.Messages, m)
		}
	}
	if format == "json" {
		return c.written(report.WriteJSON(c.stdout, out))
	}
	return c.writePreview(&out)
}

// render writes a delivery as its integration would.
func render(d *alerts.Delivery, publicURL string) (message, error) {
	m := message{Incident: d.Incident.ID, Integration: d.Target.Integration, Address: d.Target.Address, Mention: d.Target.Mention}
	var err error
	if d.Target.Integration == configs.ToSlack {
		written := slack.Render(d, publicURL)
		m.Text = written.Plain()
		m.Payload, err = json.Marshal(map[string]any{"channel": d.Target.Address, "text": written.Text, "blocks": written.Blocks})
	} else {
		m.Payload, err = webhook.Body(d, publicURL)
	}
	if err != nil {
		return m, fmt.Errorf("write what %s %s would be told: %w", d.Target.Integration, d.Target.Address, err)
	}
	return m, nil
}

func (c *cli) writePreview(out *preview) error {
	if len(out.Messages) == 0 {
		return c.say("nobody is told of %s: name a channel or webhooks in its alert, in defaults or in alerts.routes", out.Check)
	}
	if out.Example {
		if err := c.say("No incident of %s is open. An example:", out.Check); err != nil {
			return err
		}
	}
	for i := range out.Messages {
		m := &out.Messages[i]
		text := m.Text
		if text == "" {
			indented, err := json.MarshalIndent(m.Payload, "", "  ")
			if err != nil {
				return err
			}
			text = string(indented) + "\n"
		}
		if err := c.say("\n%s  (%s)\n%s", c.style.Strong(m.Integration+" "+drift.Visible(m.Address)), drift.Visible(m.Why), indent(text)); err != nil {
			return err
		}
	}
	return nil
}

// indent sets lines in, with what a terminal would obey made visible.
func indent(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = "  " + drift.Visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// noteConfig tells what is worth knowing of a configuration.
func (c *cli) noteConfig(config *configs.Config) {
	for i := range config.Notes {
		c.console.Note("note: " + config.Notes[i].Error())
	}
}

// openIncidents are those of a check that the ledger knows; none where there is
// no ledger yet.
func (c *cli) openIncidents(ctx context.Context, config *configs.Config, check string) (list []*alerts.Incident, muted *alerts.Mute, err error) {
	if path, ok := strings.CutPrefix(config.Ledger.Reveal(), "sqlite://"); ok {
		path, _, _ = strings.Cut(path, "?")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, nil
		}
	}
	l, err := c.openLedger(ctx, config, false)
	if err != nil {
		return nil, nil, err
	}
	list, _, err = l.Incidents(ctx, ledger.IncidentFilter{Check: check, State: string(alerts.Open)})
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	mutes, err := l.Mutes(ctx)
	return list, mutes[check], errors.Join(err, l.Close())
}

// exampleIncident is one that a check could have.
func exampleIncident(check *checks.Check, now time.Time) *alerts.Incident {
	opened := now.Add(-14 * time.Minute)
	facts := alerts.Facts{Counted: 4, Loud: 4, Compared: 10_000, Kinds: []alerts.Count{{Name: "mismatch", N: 3}, {Name: "missing", N: 1}}}
	for i := range check.Edges {
		edge := alerts.EdgeFacts{Replica: check.Edges[i].Name, Consistency: drift.InSync, Since: opened, Coverage: 1}
		if i == 0 {
			edge.Consistency, edge.Findings = drift.Drifted, facts.Counted
			if rules := check.Edges[i].Rules; len(rules) > 0 {
				facts.Fields = []alerts.Count{{Name: rules[0].Owner.Name, N: 3}}
			}
		}
		facts.Edges = append(facts.Edges, edge)
	}
	return &alerts.Incident{ID: "I-0", Check: check.Name, Kind: alerts.Drift, State: alerts.Open, OpenedAt: opened, ChangedAt: opened,
		Facts: facts, First: facts.Counted, Peak: facts.Counted, Told: facts.Counted, ToldAt: opened, Revision: 1}
}

// targetsOf are all whom a configuration tells, or only of one check, each once.
func targetsOf(config *configs.Config, check string) []alerts.Target {
	var all []alerts.Target
	add := func(list ...alerts.Target) {
		for _, t := range list {
			t.Mention = "" // nobody is called for a test
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	for i := range config.Checks {
		if name := config.Checks[i].Name; check == "" || check == name {
			for _, to := range config.Destinations(name) {
				add(to.Target)
			}
		}
	}
	if check == "" {
		if config.Alerts.Digest != nil {
			add(config.Alerts.Digest.Targets()...)
		}
		for i := range config.Alerts.Webhooks {
			add(alerts.Target{Integration: configs.ToWebhook, Address: config.Alerts.Webhooks[i].Name})
		}
	}
	return all
}
