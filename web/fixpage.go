package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// fixView is the page /fixes/{id}.
type fixView struct {
	Page                             frame
	ID, Words, Check, CheckURL       string
	Replica                          string
	State                            sign
	Facts                            []fact
	Hash, HashShort, FileURL         string
	Buttons                          fixButtons
	Confirm                          *fixConfirm
	Notes                            []notice
	ProgressTitle, ProgressMore      string
	Bar                              bar
	Numbers                          []fact
	Checklist                        []safetyRow
	Left                             []leftRow
	ItemsTitle, NowTitle, ThenTitle  string
	Items                            []fixItemRow
	States                           []option
	Filtered, Visible, Odd, ThreeWay bool
	VisibleURL                       string
	NoItems                          string
	Pager                            pager
	Timeline                         []timelineRow
	Rehearsed                        bool
}

type safetyRow struct {
	State sign
	Name  string
	Words string
}

type leftRow struct{ N, Reason, Example, URL string }

type fixItemRow struct {
	N, Finding, FindingURL, Key string
	Kind                        string
	State                       sign
	Note, Statement             string
	Fields                      []fixFieldRow
}

type fixFieldRow struct {
	Name, Rule        string
	Now, Then         shownValue
	NowCopy, ThenCopy string
	Found             shownValue // what the field holds now, of a record that was changed since
	HasFound          bool
}

// fixMemory is what the ledger holds of a plan for its page.
type fixMemory struct {
	plan   *reconciler.Plan
	items  []reconciler.Item
	next   string
	frozen []reconciler.Freeze
	paused []reconciler.Pause
	// rehearsed are what the items would come to now; nil where nobody asked.
	rehearsed []reconciler.Item
}

func (s *Server) getFix(c *gin.Context) {
	m, ok := s.fixMemory(c, true)
	if !ok {
		return
	}
	v := fixPage(s.o.Declared(), m, access.ActorOf(c.Request.Context()), c.Request.URL.Query(), s.now())
	v.Page = s.frame(c, v.ID+" "+v.Check, "/fixes", "live-head", "live-confirm", "live-notes", "live-progress", "live-safety", "live-items", "live-line")
	s.render(c, http.StatusOK, "fix", v)
}

// fixMemory reads a plan for its page, with the items that its address chooses;
// where it cannot, it has answered.
func (s *Server) fixMemory(c *gin.Context, items bool) (m *fixMemory, ok bool) {
	ctx, id := c.Request.Context(), c.Param("id")
	m = &fixMemory{}
	var err error
	if m.plan, err = s.ledger.Plan(ctx, id); err != nil {
		s.absent(c, err, "There is no such plan", id, pageLink{"Fixes", "/fixes"})
		return nil, false
	}
	m.plan = scrubbedPlan(m.plan, s.o.Lens.Scrub)
	if items {
		after, _ := strconv.Atoi(c.Query("after")) // what is no number begins the list
		f := ledger.ItemFilter{State: reconciler.ItemState(c.Query("state")), After: max(after, 0), Limit: rowsPerPage}
		if m.items, m.next, err = s.ledger.pageOfItems(ctx, id, f); err != nil {
			s.broken(c, err)
			return nil, false
		}
		m.items = scrubbedItems(m.items, s.o.Lens.Scrub)
	}
	if m.frozen, err = s.ledger.Freezes(ctx); err != nil {
		s.broken(c, err)
		return nil, false
	}
	if m.paused, err = s.pauses(ctx); err != nil {
		s.broken(c, err)
		return nil, false
	}
	return m, true
}

// pauses are the checks that Plumbline makes no fixes of by itself, as whoever
// asks may see why.
func (s *Server) pauses(ctx context.Context) ([]reconciler.Pause, error) {
	list, err := s.ledger.Pauses(ctx)
	for i := range list {
		list[i].Reason = s.o.textFor(ctx, list[i].Reason)
	}
	return list, err
}

// fixPage builds the page of a plan for whoever looks.
func fixPage(declared *Declared, m *fixMemory, actor access.Actor, query url.Values, now time.Time) fixView {
	p := m.plan
	v := fixView{ID: p.ID, Words: kindWords(p), Check: p.Check, CheckURL: checkURL(p.Check), Replica: p.Replica, State: signOfPlan(p), Hash: p.Hash,
		HashShort: shortHash(p.Hash), FileURL: fixURL(p.ID) + "/plan.json", Rehearsed: m.rehearsed != nil}
	v.facts(p, now)
	v.Buttons = buttonsOf(p, actor)
	v.Confirm = confirmOf(p, &v.Buttons, query.Get("confirm"))
	v.notes(declared, m, actor)
	v.progress(m)
	for _, s := range p.Checklist {
		row := safetyRow{sign{Tone: "ok", Icon: "ok", Word: "✔ passes"}, safetyName(s.Name), s.Words}
		if !s.OK {
			row.State = sign{Tone: "drift", Icon: "warn", Word: "✘ refuses"}
		}
		v.Checklist = append(v.Checklist, row)
	}
	for _, l := range p.Left {
		row := leftRow{N: several(l.N, "finding", "findings"), Reason: l.Reason, Example: l.Example}
		if l.Example != "" {
			row.URL = findingURL(l.Example)
		}
		v.Left = append(v.Left, row)
	}
	v.items(m, query)
	v.timeline(p, now)
	return v
}

func (v *fixView) facts(p *reconciler.Plan, now time.Time) {
	drafted := "drafted by"
	if p.Auto {
		drafted = "proposed by"
	}
	v.Facts = []fact{{Name: "way", Text: routeWords(p.By)}, {Name: drafted, Text: p.DraftedBy.Name}, {Name: "drafted", Moment: at(p.DraftedAt, now, "")}}
	if p.Undoes != "" {
		v.Facts = append(v.Facts, fact{Name: "takes back", Text: p.Undoes, URL: fixURL(p.Undoes)})
	}
	if p.UndoneBy != "" {
		v.Facts = append(v.Facts, fact{Name: "taken back by", Text: p.UndoneBy, URL: fixURL(p.UndoneBy)})
	}
	if !p.ExpiresAt.IsZero() {
		v.Facts = append(v.Facts, fact{Name: "valid until " + p.ExpiresAt.UTC().Format("15:04"), Moment: at(p.ExpiresAt, now, "")})
	}
	v.Facts = append(v.Facts, fact{Name: "needs", Text: needWords(p)})
}

// notes say first what a reader must know before anything else.
func (v *fixView) notes(declared *Declared, m *fixMemory, actor access.Actor) {
	p := m.plan
	add := func(tone, icon, text string) { v.Notes = append(v.Notes, notice{tone, icon, text}) }
	if p.State.Live() {
		for i := range m.frozen {
			if f := &m.frozen[i]; f.Check == p.Check {
				add("warn", "stop", freezeWords(f))
			}
		}
	}
	for _, pause := range m.paused {
		if pause.Check == p.Check {
			add("warn", "pause", "Plumbline makes no fixes of this check by itself; people may still apply plans. Why: "+pause.Reason)
		}
	}
	if declared.Check(p.Check) == nil {
		add("warn", "warn", "The check is no longer configured: nothing of this plan can be applied.")
	}
	if p.Reason != "" {
		add(signOfPlan(p).Tone, signOfPlan(p).Icon, "Why it ended so: "+p.Reason)
	}
	if m.rehearsed != nil {
		n := countItems(m.rehearsed)
		add("info", "eye", "Read again just now, and nothing was changed: "+outcomeWords([]fact{{Name: "would be applied", Text: exact(n[reconciler.Pending])},
			{Name: "stale", Text: exact(n[reconciler.ItemStale])}, {Name: "failed", Text: exact(n[reconciler.ItemFailed])}})+".")
	}
	if p.Counts[reconciler.Doubtful] > 0 {
		add("warn", "unknown", several(p.Counts[reconciler.Doubtful], "record is", "records are")+" in doubt: the write was begun and its answer is not known. It is looked at again once the store's own clock is past the time until which it may take effect; meanwhile nobody writes it again.")
	}
	if p.By == reconciler.Request && p.State != reconciler.Expired {
		add("info", "eye", "The service is asked over HTTP, at least once for each record and always under the same Idempotency-Key. A request cannot be taken back from here; its record counts as sent until both sides were read and agree.")
	}
	if text := nextWords(p, actor); text != "" {
		add("info", "eye", text)
	}
}

func (v *fixView) progress(m *fixMemory) {
	p := m.plan
	all := p.Items()
	done := all - p.Counts[reconciler.Pending] - p.Counts[reconciler.Doubtful]
	part := 0.0
	if all > 0 {
		part = float64(done) / float64(all)
	}
	v.ProgressTitle, v.ProgressMore = "Not begun", "nothing is changed yet"
	tone := ""
	switch {
	case p.State == reconciler.Applying:
		v.ProgressTitle, v.ProgressMore, tone = "Applying "+share(part), exact(done)+" of "+several(all, "record", "records")+" settled", "info"
	case !p.BegunAt.IsZero():
		v.ProgressTitle, v.ProgressMore = "Outcome", exact(done)+" of "+several(all, "record", "records")+" settled"
		if p.Counts[reconciler.ItemFailed]+p.Counts[reconciler.ItemStale] > 0 {
			tone = "warn"
		}
	}
	v.Bar = barOf(part, tone, v.ProgressTitle)
	for _, state := range reconciler.ItemStates() {
		n := p.Counts[state]
		if state == reconciler.Doubtful && n == 0 || state == reconciler.ItemSent && p.By != reconciler.Request {
			continue
		}
		f := fact{Name: string(state), Text: exact(n)}
		if n > 0 {
			f.URL = with(fixURL(p.ID), nil, "state", string(state))
		}
		v.Numbers = append(v.Numbers, f)
	}
}

func (v *fixView) items(m *fixMemory, query url.Values) {
	p, list := m.plan, m.items
	if m.rehearsed != nil {
		list = m.rehearsed
	}
	v.Visible = query.Get("visible") != ""
	v.VisibleURL = with(fixURL(p.ID), query, "visible", map[bool]string{false: "1"}[v.Visible])
	v.ItemsTitle, v.NowTitle, v.ThenTitle = "Record by record", "Now, in "+p.Replica, "Will be"
	switch {
	case p.Undoes != "":
		v.NowTitle, v.ThenTitle = "As "+p.Undoes+" left it", "Back to"
	case !p.State.Live() && p.State != reconciler.Stale && p.State != reconciler.Expired:
		v.NowTitle, v.ThenTitle = "Was", "Became"
	}
	pairs := []string{"", "all records"}
	for _, state := range reconciler.ItemStates() {
		pairs = append(pairs, string(state), string(state)+" "+exact(p.Counts[state]))
	}
	v.States, v.Filtered = options(query.Get("state"), pairs...), query.Get("state") != ""
	v.NoItems = "No record of the plan is in this state."
	for i := range list {
		row := fixItemRowOf(&list[i], v.Visible)
		for _, f := range row.Fields {
			v.ThreeWay = v.ThreeWay || f.HasFound
		}
		for _, f := range list[i].Fields {
			v.Odd = v.Odd || hides(f.Now) || hides(f.Then)
		}
		v.Items = append(v.Items, row)
	}
	if query.Get("after") != "" {
		v.Pager.First = with(fixURL(p.ID), query, "after", "")
	}
	if m.next != "" && m.rehearsed == nil {
		v.Pager.Next = with(fixURL(p.ID), query, "after", m.next)
		v.Pager.Words = several(int64(len(list)), "record", "records") + " on this page, more follow"
	}
}

func fixItemRowOf(item *reconciler.Item, visible bool) fixItemRow {
	row := fixItemRow{N: strconv.Itoa(item.N), Finding: item.Finding, FindingURL: findingURL(item.Finding), Key: item.KeyText, Kind: string(item.Kind),
		State: signOfItem(item.State), Note: item.Note, Statement: drift.Visible(item.Statement)}
	found := map[string]drift.Value{}
	for _, f := range item.Now {
		found[f.Name] = f.Now
	}
	for _, f := range item.Fields {
		r := fixFieldRow{Name: f.Name, Rule: f.Rule, Now: show(f.Now, visible), Then: show(f.Then, visible), NowCopy: copyText(f.Now), ThenCopy: copyText(f.Then)}
		if value, known := found[f.Name]; known {
			r.Found, r.HasFound = show(value, visible), true
			delete(found, f.Name)
		}
		row.Fields = append(row.Fields, r)
	}
	none := shownValue{Nothing: "not touched"}
	for _, f := range item.Now { // what was changed beside the fields that are to be written
		if value, left := found[f.Name]; left {
			row.Fields = append(row.Fields, fixFieldRow{Name: f.Name, Rule: f.Rule, Now: none, Then: none, Found: show(value, visible), HasFound: true})
		}
	}
	return row
}

// timeline tells a plan's life, the newest first.
func (v *fixView) timeline(p *reconciler.Plan, now time.Time) {
	add := func(tone, text string, t time.Time) {
		if !t.IsZero() {
			v.Timeline = append(v.Timeline, timelineRow{Tone: tone, Text: text, At: at(t, now, "")})
		}
	}
	add(signOfPlan(p).Tone, string(p.State), p.EndedAt)
	if !p.BegunAt.IsZero() {
		add("info", "begun by "+p.BegunBy.Name, p.BegunAt)
	}
	for i := len(p.Approvals) - 1; i >= 0; i-- {
		add("ok", "approved by "+p.Approvals[i].By.Name, p.Approvals[i].At)
	}
	add("", "drafted by "+p.DraftedBy.Name, p.DraftedAt)
}
