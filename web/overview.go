package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// overviewView is the page / .
type overviewView struct {
	Page   frame
	Tiles  []tile
	Map    serviceMap
	Rows   []checkRow
	Filter overviewFilter
	Pager  pager
}

type tile struct {
	Name, Number, More string
	Tone, Icon, URL    string
	Moment             moment // instead of Number
	Word, Wide         bool
}

type checkRow struct {
	Check, URL, Sub         string
	Owner, Replica          string
	State, Health           sign
	Why, Pending, Muted     string
	Coverage, CoverageTitle string
	Sample                  string // which share of all records a sample was
	Open, OpenURL, NotKept  string
	Strip                   strip
	LastRun, Next           moment
	RunURL                  string
}

type overviewFilter struct {
	Q             string
	Teams, States []option
	Active        bool
}

// option is one line of a select.
type option struct {
	Value, Name string
	Chosen      bool
}

// pager leads on through a list.
type pager struct{ First, Next, Words string }

// rowsPerPage is how long a list on a page is.
const rowsPerPage = 50

// scene is what the overview is drawn from: the configuration in force, and what
// is remembered of it.
type scene struct {
	checks []DeclaredCheck
	due    map[string]time.Time // when each check is next due
	edges  []ledger.Edge
	// history is what became of a check's edges in the last day. It is asked for
	// the checks that are shown alone, which may be few of many.
	history func(check string) ([]ledger.Bucket, error)
	sources map[string]SourceState
	// incidents are those that are open, mutes those that are kept, by check.
	incidents ledger.IncidentCounts
	mutes     map[string]*alerts.Mute
	beat      time.Time // the last sign of life of any process
	now       time.Time
}

// edgeView is one edge of a configured check with what is remembered of it.
type edgeView struct {
	check  *DeclaredCheck
	edge   *checks.Edge
	known  ledger.Edge
	health drift.Health
	waits  string          // what its sources wait for, where it is Throttled
	strip  []ledger.Bucket // its history, once it was asked for
	next   time.Time       // zero where it has no schedule
}

// join pairs the configuration with the ledger. An edge that has never run is
// Unknown; one that is no longer configured is left out.
func (s *scene) join() []edgeView {
	known := map[[2]string]ledger.Edge{}
	for _, e := range s.edges {
		known[[2]string{e.Check, e.Replica}] = e
	}
	var views []edgeView
	for i := range s.checks {
		c := &s.checks[i]
		for j := range c.Edges {
			id := [2]string{c.Name, c.Edges[j].Name}
			v := edgeView{check: c, edge: &c.Edges[j], known: known[id], next: s.due[c.Name]}
			v.known.Check, v.known.Replica = id[0], id[1]
			if v.known.Consistency == "" {
				v.known.Consistency = drift.Unknown
			}
			v.health, v.waits = c.throttled(v.edge, &v.known, c.health(&v.known, s.now), s.sources)
			views = append(views, v)
		}
	}
	return views
}

// recall asks for the history of an edge.
func (s *scene) recall(e *edgeView) error {
	buckets, err := s.history(e.known.Check)
	for _, b := range buckets {
		if b.Replica == e.known.Replica {
			e.strip = append(e.strip, b)
		}
	}
	return err
}

// overview builds the page from a scene and the query of its URL.
func overview(s *scene, query url.Values) (overviewView, error) {
	edges := s.join()
	v := overviewView{Tiles: tiles(edges, s), Filter: overviewFilterOf(edges, query)}
	down := map[string]string{}
	for _, source := range s.sources {
		if source.State == SourceDown {
			down[source.Name] = source.Why
		}
	}
	team, state, q := query.Get("team"), query.Get("state"), query.Get("q")
	var copies []copying
	var chosen []edgeView
	for _, e := range edges {
		c := e.check
		if team != "" && c.Team != team || !e.matchesWords(q) {
			continue
		}
		copies = append(copies, copying{c.Name, c.Owner.Source, e.edge.Replica.Source, c.Owner.Kind, e.edge.Replica.Kind, e.known.Consistency, e.known.OpenFindings(), e.known.Omitted})
		if state == "" || stateSlug(e.known.Consistency) == state || strings.EqualFold(string(e.health), state) {
			chosen = append(chosen, e)
		}
	}
	v.Map = drawMap(copies, down)
	slices.SortStableFunc(chosen, func(a, b edgeView) int {
		return cmp.Or(cmp.Compare(urgency(&a), urgency(&b)), -cmp.Compare(a.known.OpenFindings(), b.known.OpenFindings()),
			cmp.Compare(a.known.Check, b.known.Check), cmp.Compare(a.known.Replica, b.known.Replica))
	})
	number, _ := strconv.Atoi(query.Get("page"))
	number = min(max(number, 1), len(chosen)/rowsPerPage+1)
	begin, end := (number-1)*rowsPerPage, min(number*rowsPerPage, len(chosen))
	for i := begin; i < end; i++ {
		if err := s.recall(&chosen[i]); err != nil {
			return v, err
		}
		row := rowOf(&chosen[i], s.now)
		row.Muted = mutedFor(s.mutes[row.Check], s.now)
		v.Rows = append(v.Rows, row)
	}
	if len(chosen) > rowsPerPage {
		v.Pager.Words = fmt.Sprintf("%d to %d of %d", begin+1, end, len(chosen))
		if begin > 0 {
			v.Pager.First = with("/", query, "page", "")
		}
		if end < len(chosen) {
			v.Pager.Next = with("/", query, "page", strconv.Itoa(number+1))
		}
	}
	return v, nil
}

// matchesWords says whether what a person typed is found in the edge's names.
// "owner → replica", as the map links it, is that pair alone.
func (e *edgeView) matchesWords(q string) bool {
	c := e.check
	if owner, replica, pair := strings.Cut(q, " → "); pair {
		return c.Owner.Source == owner && e.edge.Replica.Source == replica
	}
	text := strings.ToLower(strings.Join([]string{c.Name, c.Description, c.Owner.Source, c.Owner.Dataset.Title(), e.edge.Name, e.edge.Replica.Source, e.edge.Replica.Dataset.Title()}, " "))
	for word := range strings.FieldsSeq(strings.ToLower(q)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func stateSlug(c drift.Consistency) string {
	return map[drift.Consistency]string{drift.InSync: "in-sync", drift.InSample: "in-sample", drift.Drifted: "drifted", drift.Unknown: "unknown"}[c]
}

func urgency(e *edgeView) int {
	switch {
	case e.known.Consistency == drift.Drifted:
		return 0
	case e.known.Consistency == drift.Unknown:
		return 1
	case e.health == drift.Failing, e.health == drift.Stale:
		return 2
	}
	return 3
}

func rowOf(e *edgeView, now time.Time) checkRow {
	c := e.check
	r := checkRow{Check: c.Name, URL: checkURL(c.Name), Owner: sideTitle(&c.Owner), Replica: replicaTitle(e.edge),
		State: signOfStanding(&e.known.Standing), Health: signOfHealth(e.health),
		LastRun: at(e.known.LastAt, now, "never"), Next: nextRun(e, now), Strip: stripOf(e.strip, now, 24)}
	var sub []string
	if c.Team != "" {
		sub = append(sub, c.Team)
	}
	if c.Severity != "" {
		sub = append(sub, c.Severity)
	}
	r.Sub = strings.Join(sub, " · ")
	if e.health != drift.OK || e.known.Consistency == drift.Unknown {
		r.Why = cmp.Or(e.waits, e.known.LastError)
	}
	if e.known.Pending > 0 {
		r.Pending = several(e.known.Pending, "suspect pending", "suspects pending")
	}
	if open := e.known.OpenFindings(); open > 0 {
		r.Open, r.OpenURL = exact(open), findingsURL(c.Name, e.edge.Name)
	}
	r.NotKept = strings.TrimSpace(notKept(&e.known))
	if e.known.LastRun != "" {
		r.Coverage, r.RunURL = share(e.known.Coverage), runURL(e.known.LastRun)
		r.CoverageTitle = "of what the last run set out to compare"
		if !c.Check.Sample.All() && e.known.ScopeShare > 0 {
			r.Sample = share(e.known.ScopeShare) + " sample"
		}
	} else {
		r.Coverage = "—"
		r.CoverageTitle = "no run has ended yet"
	}
	return r
}

func nextRun(e *edgeView, now time.Time) moment {
	switch {
	case e.next.After(now):
		return at(e.next, now, "")
	case e.known.Running != "":
		return moment{Ago: "running"}
	case e.next.IsZero():
		return moment{Ago: "by hand"}
	}
	due := at(e.next, now, "")
	due.Ago = "due"
	return due
}

func tiles(edges []edgeView, s *scene) []tile {
	var inSync, inSample, drifted, unknown, failing, open, confirmed, omitted int64
	var oldest *edgeView
	for i := range edges {
		e := &edges[i]
		switch e.known.Consistency {
		case drift.InSync:
			inSync++
		case drift.InSample:
			inSample++
		case drift.Drifted:
			drifted++
		default:
			unknown++
		}
		if e.health == drift.Failing || e.health == drift.Stale {
			failing++
		}
		open += e.known.OpenFindings()
		omitted += e.known.Omitted
		confirmed += unaccepted(&e.known)
		if !e.known.OldestOpen.IsZero() && (oldest == nil || e.known.OldestOpen.Before(oldest.known.OldestOpen)) {
			oldest = e
		}
	}
	drifting := tile{Name: "Drifted", Number: exact(drifted), Tone: "drift", Icon: "drift", URL: "/?state=drifted", More: "of " + several(int64(len(edges)), "edge", "edges")}
	if drifted == 0 {
		drifting.Tone = "idle"
	}
	cannot := tile{Name: "Unknown", Number: exact(unknown), Tone: "unknown", Icon: "unknown", URL: "/?state=unknown", More: "nothing may be said of them"}
	if unknown == 0 {
		cannot.Tone, cannot.More = "idle", "something is known of every edge"
	}
	list := []tile{
		incidentTile(s.incidents), drifting, cannot,
		{Name: "In sync", Number: exact(inSync), Tone: "ok", Icon: "ok", URL: "/?state=in-sync", More: several(failing, "edge is", "edges are") + " failing or stale"},
		{Name: "Open findings", Number: exact(open), Tone: "idle", Icon: "eye", URL: "/findings", More: exact(confirmed) + " not yet looked at"},
	}
	if failing == 0 {
		list[3].More = "no edge is failing or stale"
	}
	if inSample > 0 {
		list[3].More = exact(inSample) + " more in a sample; " + list[3].More
	}
	if omitted > 0 {
		list[4].More += ", + " + exact(omitted) + " not kept"
	}
	if len(edges) == 0 {
		for i := range 4 {
			list[i].More = "no check is configured"
		}
	}
	if oldest != nil {
		list = append(list, tile{Name: "Oldest open", Moment: at(oldest.known.OldestOpen, s.now, ""), Tone: "idle", Icon: "wait", Word: true,
			URL: findingsURL(oldest.known.Check, oldest.known.Replica), More: oldest.known.Check + " → " + oldest.known.Replica})
	} else {
		list = append(list, tile{Name: "Oldest open", Number: "none", Tone: "idle", Icon: "wait", Word: true, More: "nothing is open"})
	}
	beat := tile{Name: "Last heartbeat", Moment: at(s.beat, s.now, ""), Number: "none", Tone: "ok", Icon: "ok", Word: true, More: "of the processes on this ledger"}
	if s.now.Sub(s.beat) > time.Minute {
		beat.Tone, beat.Icon, beat.More = "warn", "warn", "no process keeps the schedules"
	}
	return append(list, beat)
}

func overviewFilterOf(edges []edgeView, query url.Values) overviewFilter {
	f := overviewFilter{Q: query.Get("q")}
	f.Active = f.Q != "" || query.Get("team") != "" || query.Get("state") != ""
	var teams []string
	for i := range edges {
		if t := edges[i].check.Team; t != "" && !slices.Contains(teams, t) {
			teams = append(teams, t)
		}
	}
	slices.Sort(teams)
	for _, t := range teams {
		f.Teams = append(f.Teams, option{t, t, t == query.Get("team")})
	}
	f.States = options(query.Get("state"), "", "all states", "drifted", "Drifted", "unknown", "Unknown", "in-sync", "In sync", "in-sample", "In sample", "failing", "Failing", "stale", "Stale", "throttled", "Throttled", "paused", "By hand")
	return f
}

// options makes the lines of a select from pairs of value and name.
func options(chosen string, pairs ...string) []option {
	var list []option
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, option{pairs[i], pairs[i+1], pairs[i] == chosen})
	}
	return list
}
