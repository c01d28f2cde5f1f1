package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/alerts"
	"plumbline/ledger"
)

// incidentsView is the page /incidents.
type incidentsView struct {
	Page                         frame
	States, Kinds, Checks, Teams []option
	Filtered                     bool
	Empty                        string
	Rows                         []incidentRow
	Pager                        pager
	// Late are the incidents resolved of late, where the list is of those that are
	// open and begins here.
	Late    []incidentRow
	LateURL string
}

type incidentRow struct {
	ID, URL, Check, CheckURL, Sub string
	Words                         string
	State                         sign
	By, Muted, Again              string
	Now, First, Peak              string
	Growing                       bool
	Since, Resolved               moment
	Resolution                    string
}

// lateRows is how many resolved incidents stand below those that are open.
const lateRows = 10

func (s *Server) getIncidents(c *gin.Context) {
	ctx, query, now := c.Request.Context(), c.Request.URL.Query(), s.now()
	declared := s.o.Declared()
	f := ledger.IncidentFilter{Check: query.Get("check"), State: query.Get("state"), Kind: query.Get("kind"), After: query.Get("after"), Limit: rowsPerPage}
	late := f.State == "" && f.After == ""
	switch f.State {
	case "":
		f.State = "open"
	case "all":
		f.State = ""
	}
	team := query.Get("team")
	list, next, err := s.incidentsOf(ctx, declared, f, team)
	if err != nil {
		s.unlisted(c, err, "/incidents")
		return
	}
	mutes, err := s.ledger.Mutes(ctx)
	if err != nil {
		s.broken(c, err)
		return
	}
	v := incidentsPage(declared, query)
	for _, i := range list {
		v.Rows = append(v.Rows, incidentRowOf(declared, i, mutes[i.Check], now))
	}
	if late {
		f.State, f.Limit = string(alerts.Resolved), lateRows
		resolved, _, err := s.incidentsOf(ctx, declared, f, team)
		if err != nil {
			s.broken(c, err)
			return
		}
		for _, i := range resolved {
			v.Late = append(v.Late, incidentRowOf(declared, i, mutes[i.Check], now))
		}
	}
	if f.After != "" {
		v.Pager.First = with("/incidents", query, "after", "")
	}
	if next != "" {
		v.Pager.Next = with("/incidents", query, "after", next)
		v.Pager.Words = several(int64(len(list)), "incident", "incidents") + " on this page, more follow"
	}
	v.Page = s.frame(c, "Incidents", "/incidents", "live-incidents", "live-late")
	s.render(c, http.StatusOK, "incidents", v)
}

// incidentsOf reads a page of incidents of a team's checks; "" is any team. The
// ledger knows no teams, so it reads on until a page is full, for a while: the
// page may then hold less, and next leads on.
func (s *Server) incidentsOf(ctx context.Context, declared *Declared, f ledger.IncidentFilter, team string) (list []*alerts.Incident, next string, err error) {
	const pages = 20
	limit := f.Limit
	for range pages {
		f.Limit = limit - len(list)
		part, more, err := s.ledger.Incidents(ctx, f)
		if err != nil {
			return nil, "", err
		}
		for _, i := range part {
			if c := declared.Check(i.Check); team == "" || c != nil && c.Team == team {
				list = append(list, i)
			}
		}
		f.After, next = more, more
		if next == "" || len(list) == limit {
			break
		}
	}
	return list, next, nil
}

// incidentsPage begins the page from the query of its URL.
func incidentsPage(declared *Declared, query url.Values) incidentsView {
	v := incidentsView{Empty: "Nothing is open."}
	v.States = options(query.Get("state"), "", "open", string(alerts.Open), "not acknowledged", string(alerts.Acknowledged), "acknowledged", string(alerts.Resolved), "resolved", "all", "all states")
	v.Kinds = options(query.Get("kind"), "", "all kinds", string(alerts.Drift), "drift", string(alerts.Blind), "cannot check", string(alerts.Schema), "schema changed")
	v.Checks, _ = checkOptions(declared, query.Get("check"), "")
	var teams []string
	for i := range declared.Checks {
		if t := declared.Checks[i].Team; t != "" && !slices.Contains(teams, t) {
			teams = append(teams, t)
		}
	}
	slices.Sort(teams)
	for _, t := range teams {
		v.Teams = append(v.Teams, option{t, t, t == query.Get("team")})
	}
	for _, name := range []string{"state", "kind", "check", "team"} {
		v.Filtered = v.Filtered || query.Get(name) != ""
	}
	if v.Filtered {
		v.Empty = "No incident matches."
	}
	rest := url.Values{"state": {string(alerts.Resolved)}}
	for _, name := range []string{"kind", "check", "team"} {
		if value := query.Get(name); value != "" {
			rest.Set(name, value)
		}
	}
	v.LateURL = "/incidents?" + rest.Encode()
	return v
}

func incidentRowOf(declared *Declared, i *alerts.Incident, m *alerts.Mute, now time.Time) incidentRow {
	r := incidentRow{ID: i.ID, URL: incidentURL(i.ID), Check: i.Check, CheckURL: checkURL(i.Check), Words: incidentWords(i.Kind), State: signOfIncident(i),
		Since: at(i.OpenedAt, now, ""), Resolved: at(i.ResolvedAt, now, ""), Resolution: i.Resolution, Growing: growing(i)}
	if c := declared.Check(i.Check); c != nil {
		r.Sub = joined(" · ", c.Team, c.Severity)
	} else {
		r.Sub = "not configured"
	}
	if i.State == alerts.Acknowledged && i.AcknowledgedBy != "" {
		r.By = "by " + i.AcknowledgedBy
	}
	if i.Regressed > 0 {
		r.Again = "came back " + several(i.Regressed, "time", "times")
	}
	if i.Kind == alerts.Drift {
		r.Now, r.First, r.Peak = exact(i.Facts.Counted), exact(i.First), exact(i.Peak)
	}
	if m != nil && m.On(i.Facts.Counted, now) && i.State != alerts.Resolved {
		r.Muted = "muted"
	}
	return r
}
