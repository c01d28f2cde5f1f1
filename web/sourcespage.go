package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/sources"
)

// sourcesView is the page /sources.
type sourcesView struct {
	Page  frame
	Words string
	Rows  []sourceRow
}

type sourceRow struct {
	ID, Name, Team, Kind, Version string
	State, Role                   sign
	Why                           string
	Latency, Connections, Lag     string
	Active, Throttled             string
	Held, Fixes                   string
	Notes                         []string // what it tells of itself that is good to know
	UsedBy                        []pageLink
	UsedMore                      string
}

func (s *Server) getSources(c *gin.Context) {
	v := sourcesPage(s.o.Declared(), s.o.sourcesFor(c.Request.Context()), s.now())
	v.Page = s.frame(c, "Sources", "/sources", "live-sources")
	s.render(c, http.StatusOK, "sources", v)
}

// sourcesPage builds the page; sources that are down come first.
func sourcesPage(declared *Declared, states map[string]SourceState, now time.Time) sourcesView {
	v := sourcesView{}
	down := 0
	for i := range declared.Sources {
		r, isDown := sourceRowOf(&declared.Sources[i], states, declared, now)
		if isDown {
			v.Rows = slices.Insert(v.Rows, down, r)
			down++
			continue
		}
		v.Rows = append(v.Rows, r)
	}
	v.Words = several(int64(len(v.Rows)), "source", "sources") + ", none of them down"
	if down > 0 {
		v.Words = fmt.Sprintf("%s, %d down", several(int64(len(v.Rows)), "source", "sources"), down)
	}
	return v
}

func sourceRowOf(source *DeclaredSource, states map[string]SourceState, declared *Declared, now time.Time) (r sourceRow, down bool) {
	const mostUsers = 8
	st, known := states[source.Name]
	if !known {
		st.State = SourceUnknown
	}
	down = st.State == SourceDown
	r = sourceRow{ID: sourceAnchor(source.Name), Name: source.Name, Team: source.Team, Kind: source.Kind,
		Version: strings.TrimSpace(st.Facts.Product + " " + st.Facts.Version), State: signOfSource(st.State), Role: signOfRole(&st),
		Why: st.Why, Latency: "—", Connections: "—", Lag: "—", Active: "—", Held: heldWords(st.Today), Notes: st.Facts.Notes}
	if down && !st.Since.IsZero() {
		r.Why = "for " + span(now.Sub(st.Since)) + ": " + st.Why
	}
	switch {
	case st.Latency >= time.Millisecond:
		r.Latency = span(st.Latency)
	case st.Latency > 0:
		r.Latency = "< 1 ms"
	}
	r.Fixes = "no fix_url: nothing writes here"
	if source.FixURL {
		r.Fixes = "fix_url: fixes write with credentials of their own"
	}
	if source.Connections > 0 {
		r.Connections = fmt.Sprintf("%d / %d", st.InUse, source.Connections)
	}
	if st.Lag != nil {
		r.Lag = span(*st.Lag)
	}
	if st.Active != nil {
		r.Active = fmt.Sprint(*st.Active)
	}
	if st.Throttled != "" {
		r.Throttled = "reads wait for " + span(now.Sub(st.ThrottledSince)) + ": " + st.Throttled
	}
	if st.Facts.Standby {
		r.Version += ", standby"
	}
	users := declared.UsedBy(source.Name)
	for _, name := range users[:min(mostUsers, len(users))] {
		r.UsedBy = append(r.UsedBy, pageLink{name, checkURL(name)})
	}
	if more := len(users) - mostUsers; more > 0 {
		r.UsedMore = several(int64(more), "more check", "more checks")
	}
	return r, down
}

func signOfSource(state string) sign {
	switch state {
	case SourceUp:
		return sign{Tone: "ok", Icon: "ok", Word: "up"}
	case SourceDown:
		return sign{Tone: "unknown", Icon: "unknown", Word: "down", Title: "its checks are Unknown until it answers"}
	}
	return sign{Tone: "idle", Icon: "dot", Word: "not asked yet"}
}

// signOfRole says whether the credentials may write, as the source last told.
func signOfRole(st *SourceState) sign {
	switch {
	case st.Facts.Product == "": // it has never answered
		return sign{Tone: "idle", Icon: "dot", Word: "not known"}
	case st.Facts.CanWrite:
		return sign{Tone: "warn", Icon: "warn", Word: "can write", Title: "checks only read: give them credentials that cannot write"}
	}
	return sign{Tone: "ok", Icon: "ok", Word: "read-only"}
}

// heldBy says what held reads back.
func heldBy(why string) string {
	switch why {
	case sources.WaitActive:
		return "for others' statements"
	case sources.WaitLag:
		return "for a late standby"
	case sources.WaitRate:
		return "by records_per_second"
	case sources.WaitRetry:
		return "before reads were tried again"
	case sources.WaitCircuit:
		return "left alone after it failed"
	}
	return why
}

// heldWords says how long reads were held back, and by what.
func heldWords(held map[string]time.Duration) string {
	var words []string
	for reason, d := range held {
		if d >= time.Millisecond {
			words = append(words, span(d)+" "+heldBy(reason))
		}
	}
	slices.Sort(words)
	if len(words) == 0 {
		return "not at all"
	}
	return strings.Join(words, ", ")
}
