package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/alerts/slack"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/web"
)

// office is what Slack has of us: the desk where people act, and the book of how
// things stand, in Slack's own words.
type office struct {
	ledger   *ledger.Ledger
	desk     *auditor.Desk
	declared func() *web.Declared
	sources  func() map[string]web.SourceState
	next     func(check string) time.Time
	now      func() time.Time
}

var (
	_ slack.Inbox = (*ledger.Ledger)(nil)
	_ slack.Door  = (*office)(nil)
	_ slack.Desk  = (*office)(nil)
)

// SlackActor implements slack.Door.
func (o *office) SlackActor(ctx context.Context, team, person string) (access.Actor, error) {
	a, err := o.ledger.SlackActor(ctx, team, person)
	if errors.Is(err, ledger.ErrNotLinked) {
		err = slack.ErrNotLinked
	}
	return a, err
}

// LinkCode implements slack.Door.
func (o *office) LinkCode(ctx context.Context, team, person string, life time.Duration) (string, error) {
	there, err := o.ledger.HasAccounts(ctx)
	if err != nil {
		return "", err
	}
	if !there {
		return "", &slack.Refusal{Why: "There are no accounts yet. Whoever runs Plumbline makes the first by the link that plumbline serve writes when it starts, or with plumbline user add."}
	}
	return o.ledger.MakeCode(ctx, ledger.SlackLinkCode, team+" "+person, life)
}

// Attest implements slack.Door.
func (o *office) Attest(ctx context.Context, a *access.Attempt, outcome access.Outcome) error {
	return o.ledger.Attest(ctx, a, outcome)
}

// Acknowledge implements slack.Desk.
func (o *office) Acknowledge(ctx context.Context, incident string, revision int64, note string) (*alerts.Incident, error) {
	i, err := o.desk.Acknowledge(ctx, incident, revision, note)
	var stale *ledger.StaleError
	var impossible *alerts.NotPossible
	if errors.As(err, &stale) || errors.As(err, &impossible) {
		return nil, slack.ErrStale
	}
	return i, answerOf(err)
}

// Mute implements slack.Desk.
func (o *office) Mute(ctx context.Context, check string, until time.Time, untilGrows bool, reason string) (*alerts.Mute, error) {
	m, err := o.desk.Mute(ctx, check, until, untilGrows, reason)
	return m, answerOf(err)
}

// Unmute implements slack.Desk.
func (o *office) Unmute(ctx context.Context, check string) error {
	return answerOf(o.desk.Unmute(ctx, check))
}

// Run implements slack.Desk.
func (o *office) Run(ctx context.Context, check, key string) ([]slack.Run, error) {
	if key == "" {
		return runsOf(o.desk.Run(ctx, check, nil))
	}
	return runsOf(o.desk.RunKey(ctx, check, key))
}

// RunSample implements slack.Desk.
func (o *office) RunSample(ctx context.Context, check string, keys int) ([]slack.Run, error) {
	return runsOf(o.desk.RunAsked(ctx, check, ledger.Asked{Sample: keys, Full: keys == 0}))
}

// Recheck implements slack.Desk.
func (o *office) Recheck(ctx context.Context, incident string) ([]slack.Run, error) {
	return runsOf(o.desk.Recheck(ctx, incident))
}

// answerOf makes an answer of what a desk refuses.
func answerOf(err error) error {
	var denied *access.DeniedError
	var notFound *ledger.NotFoundError
	switch {
	case errors.As(err, &denied):
		return denied
	case errors.As(err, &notFound):
		return &slack.Refusal{Why: "There is no " + notFound.What + " of that name."}
	case auditor.Refused(err):
		return &slack.Refusal{Why: innermost(err).Error()}
	}
	return err
}

// innermost is what an error comes from, without where it came by.
func innermost(err error) error {
	for {
		inside := errors.Unwrap(err)
		if inside == nil {
			return err
		}
		err = inside
	}
}

func runsOf(list []*ledger.Run, err error) (runs []slack.Run, _ error) {
	if err != nil {
		return nil, answerOf(err)
	}
	for _, r := range list {
		runs = append(runs, runOf(r))
	}
	return runs, nil
}

func runOf(r *ledger.Run) slack.Run {
	return slack.Run{ID: r.ID, Number: r.Number, Check: r.Check, Replica: r.Replica, Ended: r.State == ledger.Finished,
		Result: r.Result, Findings: r.Counts.Differences(), Pending: r.Pending}
}

// book reads for Slack; who asks must be allowed to look.
type book struct{ *office }

var _ slack.Book = book{}

// Checks implements slack.Book.
func (b book) Checks(ctx context.Context) ([]slack.CheckState, error) {
	if err := access.Require(ctx, access.View); err != nil {
		return nil, err
	}
	edges, err := b.ledger.Edges(ctx)
	if err != nil {
		return nil, err
	}
	mutes, err := b.ledger.Mutes(ctx)
	if err != nil {
		return nil, err
	}
	open, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	declared := b.declared()
	list := make([]slack.CheckState, len(declared.Checks))
	for i := range declared.Checks {
		list[i] = b.check(&declared.Checks[i], edges)
		list[i].Incidents = open[list[i].Name]
		if m := mutes[list[i].Name]; m != nil && m.On(0, b.now()) {
			list[i].Mute = m
		}
	}
	return list, nil
}

// open are the open incidents by their checks.
func (b book) open(ctx context.Context) (map[string][]*alerts.Incident, error) {
	open := map[string][]*alerts.Incident{}
	for after := ""; ; {
		list, next, err := b.ledger.Incidents(ctx, ledger.IncidentFilter{State: "open", After: after})
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			open[i.Check] = append(open[i.Check], i)
		}
		if after = next; after == "" {
			return open, nil
		}
	}
}

func (b book) check(c *web.DeclaredCheck, edges []ledger.Edge) slack.CheckState {
	state := slack.CheckState{Name: c.Name, Description: c.Description, Severity: c.Severity, Team: c.Team, Runbook: c.Runbook,
		Owner: c.Owner.Source + "." + c.Owner.Dataset.Name, Next: b.next(c.Name)}
	for i := range c.Edges {
		facts := alerts.EdgeFacts{Replica: c.Edges[i].Name, Consistency: drift.Unknown, Cause: "it has not run yet"}
		at := slices.IndexFunc(edges, func(e ledger.Edge) bool { return e.Check == c.Name && e.Replica == facts.Replica })
		if at >= 0 && edges[at].Consistency != "" {
			e := &edges[at]
			facts = alerts.EdgeFacts{Replica: e.Replica, Consistency: e.Consistency, Since: e.Since, Coverage: e.Coverage, Findings: e.OpenFindings() + e.Omitted}
			begun := e.Begun
			if c.Since.After(begun) {
				begun = c.Since
			}
			if health := e.Health(b.now(), begun, c.StaleAt); state.Health == "" || health != drift.OK {
				state.Health = string(health)
			}
		}
		state.Edges = append(state.Edges, facts)
	}
	return state
}

// Sources implements slack.Book.
func (b book) Sources(ctx context.Context) (list []slack.SourceState, err error) {
	if err := access.Require(ctx, access.View); err != nil {
		return nil, err
	}
	declared, seen := b.declared(), b.sources()
	for i := range declared.Sources {
		s := &declared.Sources[i]
		state := slack.SourceState{Name: s.Name, Kind: s.Kind, Team: s.Team, State: web.SourceUnknown, UsedBy: declared.UsedBy(s.Name)}
		if last, ok := seen[s.Name]; ok {
			state.State, state.Since, state.Latency = last.State, last.Since, last.Latency
		}
		list = append(list, state)
	}
	return list, nil
}

// Incident implements slack.Book.
func (b book) Incident(ctx context.Context, id string) (*alerts.Incident, error) {
	if err := access.Require(ctx, access.View); err != nil {
		return nil, err
	}
	i, err := b.ledger.Incident(ctx, id)
	return i, answerOf(err)
}

// Finding implements slack.Book.
func (b book) Finding(ctx context.Context, id string) (*slack.FindingState, error) {
	if err := access.Require(ctx, access.View); err != nil {
		return nil, err
	}
	f, err := b.ledger.Finding(ctx, id)
	if err != nil {
		return nil, answerOf(err)
	}
	state := &slack.FindingState{ID: f.ID, Check: f.Check, Replica: f.Replica, Kind: f.Kind, State: string(f.State), FirstSeen: f.FirstSeen, Seen: f.Seen}
	for i := range f.Fields {
		state.Fields = append(state.Fields, f.Fields[i].Title())
	}
	return state, nil
}

// Run implements slack.Book. It needs nobody: who is told of a run asked for it.
func (b book) Run(ctx context.Context, id string) (slack.Run, error) {
	r, err := b.ledger.Run(ctx, id)
	if err != nil {
		return slack.Run{}, answerOf(err)
	}
	return runOf(r), nil
}
