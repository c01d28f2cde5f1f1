package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/checks"
	"plumbline/ledger"
)

// trendRuns is how many runs a check's page draws.
const trendRuns = 100

func (s *Server) getOverview(c *gin.Context) {
	ctx, now := c.Request.Context(), s.now()
	scene := scene{checks: s.o.Declared().Checks, sources: s.o.sourcesFor(ctx), now: now}
	var err error
	if scene.due, err = s.due(ctx); err != nil {
		s.broken(c, err)
		return
	}
	if scene.edges, err = s.ledger.Edges(ctx); err != nil {
		s.broken(c, err)
		return
	}
	scene.history = s.history(ctx, now.Add(-25*time.Hour))
	processes, err := s.ledger.Processes(ctx)
	if err != nil {
		s.broken(c, err)
		return
	}
	for i := range processes {
		if processes[i].Heartbeat.After(scene.beat) {
			scene.beat = processes[i].Heartbeat
		}
	}
	if scene.mutes, err = s.o.Ledger.Mutes(ctx); err != nil {
		s.broken(c, err)
		return
	}
	scene.incidents = s.openIncidents(ctx)
	v, err := overview(&scene, c.Request.URL.Query())
	if err != nil {
		s.broken(c, err)
		return
	}
	v.Page = s.frame(c, "Overview", "/", "live-tiles", "live-map", "live-checks")
	s.render(c, http.StatusOK, "overview", v)
}

// history reads what became of a check since a time, once for each check.
func (s *Server) history(ctx context.Context, since time.Time) func(check string) ([]ledger.Bucket, error) {
	read := map[string][]ledger.Bucket{}
	return func(check string) ([]ledger.Bucket, error) {
		buckets, known := read[check]
		if known {
			return buckets, nil
		}
		buckets, err := s.ledger.EdgeHistory(ctx, check, since)
		if err == nil {
			read[check] = buckets
		}
		return buckets, err
	}
}

// due is when each check is next due. A schedule that the configuration no longer
// has is in no row, so it is not looked at.
func (s *Server) due(ctx context.Context) (map[string]time.Time, error) {
	schedules, err := s.ledger.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	due := make(map[string]time.Time, len(schedules))
	for i := range schedules {
		due[schedules[i].Check] = schedules[i].DueAt
	}
	return due, nil
}

func (s *Server) getCheck(c *gin.Context) {
	ctx, now, name := c.Request.Context(), s.now(), c.Param("name")
	declared := s.o.Declared().Check(name)
	if declared == nil {
		s.problem(c, http.StatusNotFound, problem{Heading: "There is no check of this name", Text: name,
			Next: "It may have been taken out of the configuration; what was found stays in the list of findings.", Links: []pageLink{{"Overview", "/"}, {"Its findings", with("/findings", nil, "check", name)}}})
		return
	}
	scene := scene{checks: []DeclaredCheck{*declared}, now: now}
	var err error
	if scene.due, err = s.due(ctx); err != nil {
		s.broken(c, err)
		return
	}
	for i := range declared.Edges {
		edge, err := s.ledger.Edge(ctx, name, declared.Edges[i].Name)
		if _, missing := errors.AsType[*ledger.NotFoundError](err); missing {
			continue
		}
		if err != nil {
			s.broken(c, err)
			return
		}
		scene.edges = append(scene.edges, edge)
	}
	scene.history = s.history(ctx, now.Add(-25*time.Hour))
	var memories []edgeMemory
	for _, view := range scene.join() {
		if err := scene.recall(&view); err != nil {
			s.broken(c, err)
			return
		}
		m, err := s.edgeMemory(c, view)
		if err != nil {
			s.broken(c, err)
			return
		}
		memories = append(memories, m)
	}
	v := checkPage(declared, memories, now)
	if !sees(ctx) { // a list by pattern would tell what records hold
		v.unpattern()
	}
	if err := s.quietOf(ctx, &v); err != nil {
		s.broken(c, err)
		return
	}
	if err := s.fixesOf(ctx, &v, declared, memories); err != nil {
		s.broken(c, err)
		return
	}
	live := []string{"live-head", "live-told", "live-runs"}
	for i := range v.Edges {
		live = append(live, v.Edges[i].ID)
	}
	v.Page = s.frame(c, name, "/", live...)
	v.Page.Chart = true
	s.render(c, http.StatusOK, "check", v)
}

// edgeMemory reads what the page of a check shows of one of its edges.
func (s *Server) edgeMemory(c *gin.Context, view edgeView) (edgeMemory, error) {
	ctx := c.Request.Context()
	m := edgeMemory{view: view}
	check, replica := view.known.Check, view.known.Replica
	var err error
	if m.patterns, err = s.ledger.Patterns(ctx, check, replica, 12); err != nil {
		return m, err
	}
	if m.fields, err = s.ledger.FieldTallies(ctx, check, replica); err != nil {
		return m, err
	}
	if m.runs, _, err = s.ledger.Runs(ctx, ledger.RunFilter{Check: check, Replica: replica, Limit: trendRuns}); err != nil {
		return m, err
	}
	changes, err := s.ledger.SchemaChanges(ctx, check, s.now().Add(-ledger.SchemaChangesKept))
	if err != nil {
		return m, err
	}
	for _, found := range changes {
		if found.Replica == replica {
			m.changes = append(m.changes, found)
		}
	}
	if !view.check.Check.Sample.All() {
		if m.rolling, err = s.ledger.Rolling(ctx, check); err != nil {
			return m, err
		}
	}
	for _, r := range m.runs {
		if r.Plan.Kind != "" && len(r.Keys) == 0 {
			m.last = r
			break
		}
	}
	return m, nil
}

func (s *Server) getFindings(c *gin.Context) {
	query := c.Request.URL.Query()
	f := findingFilter(query.Get)
	f.After = query.Get("after")
	list, next, err := s.ledger.Findings(c.Request.Context(), f)
	if err != nil {
		s.unlisted(c, err, "/findings")
		return
	}
	v := findingsPage(s.o.Declared(), s.o.lensFor(c.Request.Context()), list, next, query, s.now())
	v.Page = s.frame(c, "Findings", "/findings", "live-findings")
	v.Page.Search = v.Q
	s.render(c, http.StatusOK, "findings", v)
}

func (s *Server) getFinding(c *gin.Context) {
	ctx, id := c.Request.Context(), c.Param("id")
	m := findingMemory{}
	var err error
	if m.finding, err = s.ledger.Finding(ctx, id); err != nil {
		s.absent(c, err, "There is no such finding", id, pageLink{"Open findings", "/findings"})
		return
	}
	if m.timeline, err = s.ledger.Timeline(ctx, id); err != nil {
		s.broken(c, err)
		return
	}
	if m.finding.Pattern != "" && sees(ctx) {
		f := ledger.FindingFilter{Check: m.finding.Check, Replica: m.finding.Replica, Pattern: m.finding.Pattern, State: "open", Limit: 6}
		next := ""
		if m.same, next, err = s.ledger.Findings(ctx, f); err != nil {
			s.broken(c, err)
			return
		}
		m.more = next != ""
	}
	v := findingPage(s.o.Declared(), s.o.lensFor(ctx), &m, c.Request.URL.Query(), s.now())
	if err := s.incidentOf(ctx, &v, m.finding); err != nil {
		s.broken(c, err)
		return
	}
	plans, err := s.ledger.FindingPlans(ctx, id, mostLive)
	if err != nil {
		s.broken(c, err)
		return
	}
	v.Fix = findingFix(s.o.Declared(), m.finding, plans, access.ActorOf(ctx).May(access.Act))
	v.Page = s.frame(c, id, "/findings", "live-head", "live-notes", "live-sides", "live-line", "live-pattern", "live-fix")
	s.render(c, http.StatusOK, "finding", v)
}

func (s *Server) getRuns(c *gin.Context) {
	query := c.Request.URL.Query()
	f := ledger.RunFilter{Check: query.Get("check"), Replica: query.Get("replica"), After: query.Get("after"), Limit: rowsPerPage}
	switch result := query.Get("result"); result {
	case "active", string(ledger.Settling):
		f.State = result
	default:
		f.Result = result
	}
	list, next, err := s.ledger.Runs(c.Request.Context(), f)
	if err != nil {
		s.unlisted(c, err, "/runs")
		return
	}
	v := runsView{Filtered: f.Check != "" || f.Result != "" || f.State != ""}
	v.Checks, _ = checkOptions(s.o.Declared(), f.Check, "")
	v.Results = options(query.Get("result"), "", "all results", "active", "queued or running", string(ledger.Settling), "confirming", string(checks.Clean), "clean",
		string(checks.Drift), "drift", string(checks.Incomplete), "incomplete", string(checks.Error), "error", string(checks.Cancelled), "cancelled")
	for _, r := range list {
		v.Runs = append(v.Runs, runRowOf(r, s.now()))
	}
	if f.After != "" {
		v.Pager.First = with("/runs", query, "after", "")
	}
	if next != "" {
		v.Pager.Next = with("/runs", query, "after", next)
		v.Pager.Words = several(int64(len(list)), "run", "runs") + " on this page, more follow"
	}
	v.Page = s.frame(c, "Runs", "/runs", "live-runs")
	s.render(c, http.StatusOK, "runs", v)
}

func (s *Server) getRun(c *gin.Context) {
	ctx, id := c.Request.Context(), c.Param("id")
	run, err := s.ledger.Run(ctx, runName(id))
	if err != nil {
		s.absent(c, err, "There is no such run", id, pageLink{"Runs", "/runs"})
		return
	}
	segments, err := s.ledger.Segments(ctx, run.ID)
	if err != nil {
		s.broken(c, err)
		return
	}
	v := runPage(run, segments, s.now())
	v.Page = s.frame(c, "Run #"+v.Number, "/runs", "live-head", "live-why", "live-progress", "live-sample", "live-segments", "live-waits", "live-plan")
	s.render(c, http.StatusOK, "run", v)
}

// unlisted answers for a list that cannot be read on from where its address says,
// or that the ledger did not give.
func (s *Server) unlisted(c *gin.Context, err error, path string) {
	if denied, ok := errors.AsType[*access.DeniedError](err); ok {
		s.denied(c, denied)
		return
	}
	cursor, bad := errors.AsType[*ledger.CursorError](err)
	if !bad {
		s.broken(c, err)
		return
	}
	s.problem(c, http.StatusBadRequest, problem{Heading: "The list does not go on from here", Text: "after=" + cursor.Cursor,
		Next:  "The address is cut off or was changed: begin the list again without after.",
		Links: []pageLink{{"Begin the list", with(path, c.Request.URL.Query(), "after", "")}, {"Overview", "/"}}})
}

// absent answers for what the ledger does not hold, or could not look up.
func (s *Server) absent(c *gin.Context, err error, heading, name string, list pageLink) {
	if _, missing := errors.AsType[*ledger.NotFoundError](err); !missing {
		s.broken(c, err)
		return
	}
	s.problem(c, http.StatusNotFound, problem{Heading: heading, Text: name,
		Next: "What is over is kept for a while and then pruned; or the address is cut off.", Links: []pageLink{list, {"Overview", "/"}}})
}

// openFor is how long a count stands: every page shows it, and counting takes
// longer than most pages do.
const openFor = time.Second

// openFindings is how many findings are open, for the bar above each page. Where
// the ledger does not answer it is the last count; the page itself then says so.
func (s *Server) openFindings(c *gin.Context) int64 {
	return s.open.look(s.o.Now(), openFor, func() (int64, error) {
		sum, err := s.o.Ledger.Summary(c.Request.Context())
		if err != nil {
			return 0, err
		}
		return sum.OpenFindings(), nil
	})
}
