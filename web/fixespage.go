package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/ledger"
	"plumbline/reconciler"
)

// fixesView is the page /fixes.
type fixesView struct {
	Page           frame
	Checks, States []option
	Filtered       bool
	Finding, Empty string
	Rows           []fixRow
	Pager          pager
	Freeze         freezeForm
	Paused         []pausedRow
}

type fixRow struct {
	ID, URL, Check, CheckURL, Replica string
	Words, Choice                     string
	State                             sign
	By, Outcome                       string
	Drafted, Ends                     moment
	EndsName                          string
}

// freezeForm is how fixes are frozen and let go on, of all checks or of one.
type freezeForm struct {
	Frozen []frozenRow
	// All says that there is a freeze of all already.
	All    bool
	Checks []option
}

type frozenRow struct{ Words, Check string }

type pausedRow struct {
	Check, CheckURL, Reason, ResumeURL string
	Since                              moment
}

func (s *Server) getFixes(c *gin.Context) {
	ctx, query, now := c.Request.Context(), c.Request.URL.Query(), s.now()
	declared := s.o.Declared()
	f := ledger.PlanFilter{Check: query.Get("check"), State: query.Get("state"), Finding: query.Get("finding"), After: query.Get("after"), Limit: rowsPerPage}
	list, next, err := s.ledger.Plans(ctx, f)
	if err != nil {
		s.unlisted(c, err, "/fixes")
		return
	}
	v := fixesPage(declared, list, query, now)
	if next != "" {
		v.Pager.Next = with("/fixes", query, "after", next)
		v.Pager.Words = several(int64(len(list)), "plan", "plans") + " on this page, more follow"
	}
	frozen, err := s.ledger.Freezes(ctx)
	if err != nil {
		s.broken(c, err)
		return
	}
	v.Freeze = freezeFormOf(declared, frozen)
	paused, err := s.pauses(ctx)
	if err != nil {
		s.broken(c, err)
		return
	}
	for _, p := range paused {
		v.Paused = append(v.Paused, pausedRow{p.Check, checkURL(p.Check), s.o.Lens.Scrub(p.Reason), checkURL(p.Check) + "/fixes/resume", at(p.At, now, "")})
	}
	v.Page = s.frame(c, "Fixes", "/fixes", "live-freeze", "live-fixes")
	s.render(c, http.StatusOK, "fixes", v)
}

// fixesPage builds the list from a page of plans and the query of its URL.
func fixesPage(declared *Declared, list []*reconciler.Plan, query url.Values, now time.Time) fixesView {
	v := fixesView{Finding: query.Get("finding"), Empty: "No plan was drafted yet."}
	v.Checks, _ = checkOptions(declared, query.Get("check"), "")
	states := []string{"", "all states", "live", "live: to be decided or applied"}
	for _, s := range reconciler.PlanStates() {
		states = append(states, string(s), string(s))
	}
	v.States = options(query.Get("state"), states...)
	for _, name := range []string{"check", "state", "finding"} {
		v.Filtered = v.Filtered || query.Get(name) != ""
	}
	if v.Filtered {
		v.Empty = "No plan matches."
	}
	if query.Get("after") != "" {
		v.Pager.First = with("/fixes", query, "after", "")
	}
	for _, p := range list {
		v.Rows = append(v.Rows, fixRowOf(p, now))
	}
	return v
}

func fixRowOf(p *reconciler.Plan, now time.Time) fixRow {
	r := fixRow{ID: p.ID, URL: fixURL(p.ID), Check: p.Check, CheckURL: checkURL(p.Check), Replica: p.Replica, Words: kindWords(p), Choice: p.Choice,
		State: signOfPlan(p), By: p.DraftedBy.Name, Drafted: at(p.DraftedAt, now, "")}
	if p.Undoes != "" {
		r.Choice = "takes back " + p.Undoes
	}
	switch {
	case !p.ExpiresAt.IsZero():
		r.EndsName, r.Ends = "expires", at(p.ExpiresAt, now, "")
	case !p.EndedAt.IsZero():
		r.EndsName, r.Ends = "ended", at(p.EndedAt, now, "")
	case !p.BegunAt.IsZero():
		r.EndsName, r.Ends = "begun", at(p.BegunAt, now, "")
	}
	if !p.BegunAt.IsZero() {
		var facts []fact
		for _, state := range []reconciler.ItemState{reconciler.ItemVerified, reconciler.ItemApplied, reconciler.ItemSent, reconciler.ItemStale, reconciler.ItemFailed, reconciler.Doubtful, reconciler.Pending} {
			facts = append(facts, fact{Name: string(state), Text: exact(p.Counts[state])})
		}
		r.Outcome = outcomeWords(facts)
	}
	return r
}

func freezeFormOf(declared *Declared, frozen []reconciler.Freeze) freezeForm {
	f, of := freezeForm{}, map[string]bool{}
	for i := range frozen {
		f.Frozen = append(f.Frozen, frozenRow{freezeWords(&frozen[i]), frozen[i].Check})
		of[frozen[i].Check] = true
	}
	f.All = of[""]
	if !f.All {
		f.Checks = append(f.Checks, option{Name: "all checks"})
	}
	for i := range declared.Checks {
		if name := declared.Checks[i].Name; !of[name] {
			f.Checks = append(f.Checks, option{Value: name, Name: name})
		}
	}
	return f
}

// liveAtMost is how far live plans are counted for the bar above each page.
const liveAtMost = 100

// livePlans is how many plans may still be begun or are being applied, up to a bound.
func (s *Server) livePlans(ctx context.Context) int64 {
	return s.plans.look(s.o.Now(), openFor, func() (int64, error) {
		list, _, err := s.o.Ledger.Plans(ctx, ledger.PlanFilter{State: "live", Limit: liveAtMost})
		return int64(len(list)), err
	})
}

// frozen says on every page that fixes are frozen.
func (s *Server) frozen(ctx context.Context) (list []notice) {
	freezes := s.freezes.look(s.o.Now(), openFor, func() ([]reconciler.Freeze, error) { return s.o.Ledger.Freezes(ctx) })
	checks := 0
	for i := range freezes {
		if freezes[i].Check == "" {
			return []notice{{"warn", "stop", freezeWords(&freezes[i])}}
		}
		checks++
	}
	switch {
	case checks == 1:
		list = append(list, notice{"warn", "stop", freezeWords(&freezes[0])})
	case checks > 1:
		list = append(list, notice{"warn", "stop", "Fixes of " + exact(int64(checks)) + " checks are frozen; the page of fixes says which, by whom and why."})
	}
	return list
}
