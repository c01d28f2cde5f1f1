package web

import (
	"context"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/drift"
	"plumbline/ledger"
)

// What the pages of other things say about incidents and mutes.

// incidentTile says on the overview how many incidents are open.
func incidentTile(counts ledger.IncidentCounts) tile {
	open, taken := counts.Of(), counts.Of(alerts.Acknowledged)
	t := tile{Name: "Incidents", Number: exact(open), Tone: "drift", Icon: "warn", URL: "/incidents", More: exact(taken) + " acknowledged"}
	switch {
	case open == 0:
		t.Tone, t.Icon, t.More = "ok", "ok", "nothing to be told of"
	case taken == open:
		t.Tone, t.Icon, t.More = "info", "eye", "all acknowledged"
	}
	return t
}

// mutedFor says for how long nothing new is told of a check; "" while it is.
func mutedFor(m *alerts.Mute, now time.Time) string {
	switch {
	case m == nil || !m.On(0, now):
		return ""
	case m.Until.IsZero():
		return "muted until it grows"
	}
	return "muted for " + coarse(m.Until.Sub(now))
}

// quietOf adds to a check's page its open incidents, and how it is muted.
func (s *Server) quietOf(ctx context.Context, v *checkView) error {
	const most = 5
	open, _, err := s.ledger.Incidents(ctx, ledger.IncidentFilter{Check: v.Name, State: "open", Limit: most})
	if err != nil {
		return err
	}
	mutes, err := s.ledger.Mutes(ctx)
	if err != nil {
		return err
	}
	now, declared, m, counted := s.now(), s.o.Declared(), mutes[v.Name], int64(0)
	for _, i := range open {
		v.Told = append(v.Told, incidentRowOf(declared, i, m, now))
		counted = max(counted, i.Facts.Counted)
	}
	v.Mute = muteFormOf(checkURL(v.Name), m, counted, access.ActorOf(ctx).May(access.Act), now)
	return nil
}

// incidentOf adds to a finding's page the incident that it is part of.
func (s *Server) incidentOf(ctx context.Context, v *findingView, f *drift.Finding) error {
	if !f.State.Open() {
		return nil
	}
	open, _, err := s.ledger.Incidents(ctx, ledger.IncidentFilter{Check: f.Check, State: "open", Kind: string(alerts.Drift), Limit: 1})
	if err != nil || len(open) == 0 {
		return err
	}
	i := open[0]
	text := i.ID
	if i.AcknowledgedBy != "" {
		text += ", acknowledged by " + i.AcknowledgedBy
	}
	v.Facts = append(v.Facts, fact{Name: "part of", Text: text, URL: incidentURL(i.ID)})
	return nil
}
