package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// incidentView is the page /incidents/{id}.
type incidentView struct {
	Page                         frame
	ID, Words, Check, CheckURL   string
	States                       []sign
	Facts                        []fact
	Runbook                      string
	Revision, AckURL, RecheckURL string
	Mute                         muteForm
	Notes                        []notice
	Numbers                      []fact
	Kinds, Fields                []countRow
	NoKinds, NoFields            string
	FindingsURL                  string
	Edges                        []incidentEdge
	Timeline                     []timelineRow
	Told                         []toldRow
	NotTold                      string
	Fix                          []string
	NoFix                        string
	FixEdges                     []incidentFix
	Blind                        bool
}

// incidentFix leads from what drifts on one edge to a plan of fixes.
type incidentFix struct {
	Replica string
	Entry   fixEntry
}

type countRow struct {
	Name, URL, N string
	Bar          bar
}

type incidentEdge struct {
	Path          string
	State, Health sign
	Since         moment
	Coverage      string
	Findings, URL string
	Cause         string
	SourcesURL    string
	LastGood      moment
}

type toldRow struct {
	Target, More string
	State        sign
	Sent, Next   moment
	Revision     string
	Error        string
}

// incidentMemory is what the ledger holds of an incident for its page.
type incidentMemory struct {
	incident   *alerts.Incident
	milestones []alerts.Milestone
	deliveries []ledger.DeliveryState
	outlets    []ledger.OutletState
	mute       *alerts.Mute
	edges      []ledger.Edge
	plans      map[string][]*reconciler.Plan // live ones, by the edge's name
}

// scrub takes secrets out of what Slack and webhooks answered.
func (m *incidentMemory) scrub(clean func(string) string) {
	for i := range m.deliveries {
		m.deliveries[i].Error = clean(m.deliveries[i].Error)
	}
	for i := range m.outlets {
		m.outlets[i].Error = clean(m.outlets[i].Error)
	}
}

func (s *Server) getIncident(c *gin.Context) {
	ctx, id := c.Request.Context(), c.Param("id")
	m := incidentMemory{}
	var err error
	if m.incident, err = s.ledger.Incident(ctx, id); err != nil {
		s.absent(c, err, "There is no such incident", id, pageLink{"Incidents", "/incidents"})
		return
	}
	if m.milestones, err = s.ledger.Milestones(ctx, id); err != nil {
		s.broken(c, err)
		return
	}
	if m.deliveries, err = s.ledger.DeliveryStates(ctx, id); err != nil {
		s.broken(c, err)
		return
	}
	if m.outlets, err = s.ledger.Outlets(ctx); err != nil {
		s.broken(c, err)
		return
	}
	m.scrub(s.o.Lens.Scrub)
	mutes, err := s.ledger.Mutes(ctx)
	if err != nil {
		s.broken(c, err)
		return
	}
	m.mute = mutes[m.incident.Check]
	edges, err := s.ledger.Edges(ctx)
	if err != nil {
		s.broken(c, err)
		return
	}
	for _, e := range edges {
		if e.Check == m.incident.Check {
			m.edges = append(m.edges, e)
		}
	}
	if m.plans, err = s.livePlansOf(ctx, m.incident.Check); err != nil {
		s.broken(c, err)
		return
	}
	v := incidentPage(s.o.Declared(), &m, access.ActorOf(ctx).May(access.Act), s.now())
	v.Page = s.frame(c, v.ID+" "+v.Check, "/incidents", "live-head", "live-notes", "live-numbers", "live-what", "live-edges", "live-line", "live-told", "fix")
	s.render(c, http.StatusOK, "incident", v)
}

// incidentPage builds the page of an incident, for somebody who may act or may not.
func incidentPage(declared *Declared, m *incidentMemory, may bool, now time.Time) incidentView {
	i := m.incident
	v := incidentView{ID: i.ID, Words: incidentWords(i.Kind), Check: i.Check, CheckURL: checkURL(i.Check), Revision: strconv.FormatInt(i.Revision, 10),
		States: []sign{signOfIncident(i)}, Blind: i.Kind != alerts.Drift, FindingsURL: with("/findings", nil, "check", i.Check)}
	check := declared.Check(i.Check)
	if growing(i) {
		v.States = append(v.States, sign{Tone: "drift", Icon: "new", Word: "growing", Title: "more differ than ever before in this incident"})
	}
	if i.Regressed > 0 {
		v.States = append(v.States, sign{Tone: "drift", Icon: "run", Word: "regressed", Title: "it was resolved, and came back within a day: " + several(i.Regressed, "time", "times")})
	}
	if m.mute != nil && m.mute.On(i.Facts.Counted, now) {
		v.States = append(v.States, sign{Tone: "idle", Icon: "mute", Word: "muted"})
	}
	v.header(check, i, now)
	v.acts(check, m, may, now)
	v.notes(check, i, now)
	v.numbers(i)
	v.counts(i)
	for _, e := range i.Facts.Edges {
		v.Edges = append(v.Edges, incidentEdgeOf(check, i, &e, m.edges, now))
	}
	for n := len(m.milestones) - 1; n >= 0; n-- {
		row := milestoneRowOf(&m.milestones[n], i.Kind)
		row.At = at(m.milestones[n].At, now, "")
		v.Timeline = append(v.Timeline, row)
	}
	v.told(m, now)
	v.fix(check, m, may)
	return v
}

func (v *incidentView) header(check *DeclaredCheck, i *alerts.Incident, now time.Time) {
	v.Facts = []fact{{Name: "since", Moment: at(i.OpenedAt, now, "")}}
	if i.State == alerts.Resolved {
		v.Facts = append(v.Facts, fact{Name: "resolved", Moment: at(i.ResolvedAt, now, "")}, fact{Name: "after", Text: span(i.ResolvedAt.Sub(i.OpenedAt))})
	}
	if i.AcknowledgedBy != "" {
		v.Facts = append(v.Facts, fact{Name: "acknowledged by", Text: i.AcknowledgedBy}, fact{Name: "acknowledged", Moment: at(i.AcknowledgedAt, now, "")})
	}
	if check == nil {
		return
	}
	v.Runbook = runbookOf(check)
	v.Facts = append(v.Facts, present([]fact{{Name: "severity", Text: check.Severity}, {Name: "team", Text: check.Team}})...)
}

func (v *incidentView) acts(check *DeclaredCheck, m *incidentMemory, may bool, now time.Time) {
	i, path := m.incident, incidentURL(m.incident.ID)
	if check == nil {
		v.Notes = append(v.Notes, notice{"warn", "warn", "The check is no longer configured: nothing can be read again, and nothing new will be told."})
		return
	}
	v.Mute = muteFormOf(path, m.mute, i.Facts.Counted, may, now)
	if !may {
		return
	}
	v.RecheckURL = path + "/recheck"
	if i.State == alerts.Open {
		v.AckURL = path + "/ack"
	}
}

// notes say first what a reader must know before anything else.
func (v *incidentView) notes(check *DeclaredCheck, i *alerts.Incident, now time.Time) {
	switch {
	case i.State == alerts.Resolved:
		text := "Resolved."
		if i.Resolution != "" {
			text = "Resolved: " + i.Resolution
		}
		v.Notes = append(v.Notes, notice{"ok", "ok", text})
	case i.Kind == alerts.Blind:
		v.Notes = append(v.Notes, notice{"unknown", "unknown", "The check cannot be made. No statement about the data is possible: it may agree or differ. " + causes(&i.Facts)})
	case i.Kind == alerts.Schema:
		v.Notes = append(v.Notes, notice{"unknown", "unknown", "A schema changed, and nothing is compared: every record would seem to differ. " + schemaWords(&i.Facts, now)})
	case check != nil && i.Facts.Omitted > 0:
		v.Notes = append(v.Notes, notice{"info", "eye", exact(i.Facts.Omitted) + " more were counted and not kept as findings."})
	}
	if v.Mute.Note != nil {
		v.Notes = append(v.Notes, *v.Mute.Note)
	}
}

func incidentEdgeOf(check *DeclaredCheck, i *alerts.Incident, e *alerts.EdgeFacts, known []ledger.Edge, now time.Time) incidentEdge {
	r := incidentEdge{Path: e.Replica, State: signOfConsistency(e.Consistency), Since: at(e.Since, now, ""), Coverage: share(e.Coverage), Cause: e.Cause,
		Findings: exact(e.Findings), URL: findingsURL(i.Check, e.Replica)}
	if e.Blind() {
		r.SourcesURL = "/sources"
	}
	if check == nil {
		return r
	}
	edge := check.Edge(e.Replica)
	if edge == nil {
		return r
	}
	r.Path = sideTitle(&check.Owner) + " → " + replicaTitle(edge)
	for n := range known {
		if known[n].Replica == e.Replica {
			r.Health, r.LastGood = signOfHealth(check.health(&known[n], now)), at(known[n].LastSuccess, now, "never")
		}
	}
	return r
}

// told says where people were told, of what state, and what keeps them from it.
func (v *incidentView) told(m *incidentMemory, now time.Time) {
	v.NotTold = "Nobody is told: the configuration names neither a Slack channel nor a webhook for this check."
	outlets := map[alerts.Target]*ledger.OutletState{}
	for n := range m.outlets {
		o := &m.outlets[n]
		outlets[alerts.Target{Integration: o.Integration, Address: o.Address}] = o
	}
	for n := range m.deliveries {
		d := &m.deliveries[n]
		r := toldRow{Target: targetWords(d.Target.Integration, d.Target.Address), Sent: at(d.SentAt, now, "not yet"), Next: at(d.DueAt, now, ""), Error: d.Error,
			Revision: exact(d.Revision), State: sign{Tone: "ok", Icon: "ok", Word: "up to date"}}
		own, whole := outlets[alerts.Target{Integration: d.Target.Integration, Address: d.Target.Address}], outlets[alerts.Target{Integration: d.Target.Integration}]
		for _, o := range []*ledger.OutletState{own, whole} {
			if o != nil && o.Error != "" && r.Error == "" {
				r.Error = o.Error
			}
			if o != nil && !d.DueAt.IsZero() && d.DueAt.Before(o.NextAt) && o.NextAt.After(now) {
				r.Next = at(o.NextAt, now, "")
			}
		}
		if own != nil && own.Queue > 1 && !d.DueAt.IsZero() {
			r.More = several(own.Queue, "message waits", "messages wait") + " for this target"
		}
		switch {
		case d.DueAt.IsZero() && d.SentAt.IsZero():
			r.State = sign{Tone: "idle", Icon: "mute", Word: "not told", Title: "it was muted, or over, before it could be told"}
		case !d.DueAt.IsZero() && r.Error != "":
			r.State = sign{Tone: "warn", Icon: "warn", Word: "not delivered"}
		case !d.DueAt.IsZero():
			r.State = sign{Tone: "info", Icon: "wait", Word: "waits", Title: "the present state is still to be sent"}
		}
		v.Told = append(v.Told, r)
	}
}

// runbookOf is a check's runbook where it is an address of the web.
func runbookOf(c *DeclaredCheck) string {
	if strings.HasPrefix(c.Runbook, "https://") || strings.HasPrefix(c.Runbook, "http://") {
		return c.Runbook
	}
	return ""
}
