package ledger_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// model says in the plainest way what a ledger of one edge must hold. It knows
// no SQL and none of drift's code.
type model struct {
	cap      int
	term     int64
	findings map[int]*modelFinding
	suspects map[modelSuspect]*modelPending
	runs     map[string]*modelRun
}

type modelFinding struct {
	State                       drift.State
	Kind                        checks.DifferenceKind
	Seen, Regressions, Revision int64
	Accepted                    bool
	counted                     map[string]map[checks.DifferenceKind]bool // by the run that counted it last
}

type modelSuspect struct {
	key       int
	duplicate bool
}

type modelPending struct {
	runs []string
	met  int64
}

type modelRun struct {
	State                    ledger.RunState
	Pending, Omitted, Unread int64
	Counts                   checks.Counts
	left                     map[int]int64 // the segments not over, with what was read of each
	cancelled                bool
}

func newModel(limit int) *model {
	return &model{cap: limit, findings: map[int]*modelFinding{}, suspects: map[modelSuspect]*modelPending{}, runs: map[string]*modelRun{}}
}

func (f *modelFinding) open() bool { return f != nil && f.State != drift.Resolved }

func (m *model) open() (n int) {
	for _, f := range m.findings {
		if f.open() {
			n++
		}
	}
	return n
}

func (f *modelFinding) countedBy(run string, kind checks.DifferenceKind) bool {
	return f != nil && f.counted[run][kind]
}

func (f *modelFinding) count(run string, kind checks.DifferenceKind) {
	if f.counted[run] == nil {
		f.counted = map[string]map[checks.DifferenceKind]bool{run: {}} // the last run alone is remembered
	}
	f.counted[run][kind] = true
}

func add(c *checks.Counts, kind checks.DifferenceKind) {
	*map[checks.DifferenceKind]*int64{checks.Mismatch: &c.Mismatch, checks.Missing: &c.Missing, checks.Extra: &c.Extra,
		checks.Duplicate: &c.Duplicate, checks.Unreadable: &c.Unreadable}[kind]++
}

func (m *model) meet(run string, s modelSuspect) {
	f := m.findings[s.key]
	if f.open() && !s.duplicate && f.Kind != checks.Duplicate {
		if !f.countedBy(run, f.Kind) {
			add(&m.runs[run].Counts, f.Kind)
			f.count(run, f.Kind)
			f.Seen++
		}
		return
	}
	p := m.suspects[s]
	if p == nil {
		p = &modelPending{}
		m.suspects[s] = p
	}
	p.met = m.term
	if !slices.Contains(p.runs, run) {
		p.runs = append(p.runs, run)
		m.runs[run].Pending++
	}
}

// answer is what reading a suspect again comes to.
type answer struct {
	modelSuspect
	outcome checks.Outcome
	kind    checks.DifferenceKind
}

// judge takes answers on suspects; those of known findings belong to no run.
func (m *model) judge(answers []answer, known bool) {
	type news struct {
		other, double checks.DifferenceKind
		cleared, dark map[bool]bool
		counted       []*modelRun
	}
	byKey, order := map[int]*news{}, []int(nil)
	for _, a := range answers {
		p := m.suspects[a.modelSuspect]
		if !known && a.outcome == checks.Cleared && p.met == m.term {
			continue
		}
		n := byKey[a.key]
		if n == nil {
			n = &news{cleared: map[bool]bool{}, dark: map[bool]bool{}}
			byKey[a.key] = n
			order = append(order, a.key)
		}
		switch {
		case a.outcome == checks.Confirmed && a.duplicate:
			n.double = checks.Duplicate
		case a.outcome == checks.Confirmed:
			n.other = a.kind
		case a.outcome == checks.Cleared:
			n.cleared[a.duplicate] = true
		default:
			n.dark[a.duplicate] = true
		}
		if known {
			continue
		}
		for _, name := range p.runs {
			run := m.runs[name]
			switch a.outcome {
			case checks.Confirmed:
				if m.findings[a.key].countedBy(name, a.kind) {
					break
				}
				add(&run.Counts, a.kind)
				n.counted = append(n.counted, run)
			case checks.Cleared:
				run.Counts.SuspectsCleared++
				run.Counts.Equal++
			case checks.Unread:
				run.Counts.Skipped++
			}
		}
		if a.outcome != checks.Renewed {
			for _, name := range p.runs {
				m.runs[name].Pending--
			}
		}
	}
	for _, key := range order {
		n, f := byKey[key], m.findings[key]
		kind := cmp.Or(n.double, n.other)
		switch {
		case kind == "":
			if f.open() && n.cleared[f.Kind == checks.Duplicate] && !n.dark[f.Kind == checks.Duplicate] {
				f.State = drift.Resolved
				f.Revision++
			}
			continue
		case f == nil && m.open() >= m.cap:
			for _, run := range n.counted {
				run.Omitted++
			}
			continue
		case f == nil:
			f = &modelFinding{State: drift.Confirmed, Kind: kind, Revision: 1}
			m.findings[key] = f
		case f.State == drift.Resolved:
			f.State, f.Kind, f.Accepted = drift.Regressed, kind, false
			f.Regressions++
			f.Revision++
		case f.Kind == checks.Duplicate && kind != checks.Duplicate && !n.cleared[true]:
		case f.Kind != kind:
			f.Kind = kind
			f.Revision++
		}
		f.Seen++
	}
	for _, a := range answers { // who counted what, now that the findings are there
		if p := m.suspects[a.modelSuspect]; !known && a.outcome == checks.Confirmed && m.findings[a.key] != nil {
			for _, name := range p.runs {
				m.findings[a.key].count(name, a.kind)
			}
		}
	}
	for _, a := range answers {
		if known || a.outcome == checks.Renewed || a.outcome == checks.Cleared && m.suspects[a.modelSuspect].met == m.term {
			continue
		}
		delete(m.suspects, a.modelSuspect)
	}
	for _, run := range m.runs {
		if run.State == ledger.Settling && run.Pending == 0 {
			run.State = ledger.Finished
		}
	}
}

// over ends a run's scan when no segment is left.
func (r *modelRun) over() {
	if len(r.left) > 0 || r.State != ledger.Running {
		return
	}
	r.State = ledger.Settling
	if r.Pending == 0 || r.cancelled {
		r.State = ledger.Finished
	}
}

// history makes random steps and holds the ledger against the model after each.
type history struct {
	*world
	*model
	r       *rand.Rand
	current string
}

func (h *history) step() (what string) {
	h.clock.pass(time.Duration(h.r.IntN(20)) * time.Second)
	switch n := h.r.IntN(100); {
	case n < 40:
		return h.scanSome()
	case n < 65:
		return h.judgeSome()
	case n < 78:
		return h.recheckSome()
	case n < 90:
		return h.act()
	case n < 95:
		return h.cancel()
	default:
		return h.overtaken()
	}
}

func (h *history) randomSuspects() (list []checks.Suspect, as []modelSuspect) {
	for range h.r.IntN(6) {
		s := modelSuspect{key: h.r.IntN(9), duplicate: h.r.IntN(5) == 0}
		one := h.suspect(s.key)
		one.Duplicate = s.duplicate
		list, as = append(list, one), append(as, s)
	}
	return list, as
}

func (h *history) scanSome() string {
	run := h.runs[h.current]
	if run == nil || run.State != ledger.Running {
		segments := 1 + h.r.IntN(2)
		r := h.run("search", segments)
		h.current = r.ID
		run = &modelRun{State: ledger.Running, left: map[int]int64{}}
		for n := range segments {
			run.left[n] = 0
		}
		h.runs[r.ID] = run
		return "begin a run"
	}
	n := slices.Sorted(maps.Keys(run.left))[h.r.IntN(len(run.left))]
	s := h.segment(&ledger.Run{ID: h.current}, n)
	if h.r.IntN(12) == 0 {
		must(h, h.FailSegment(h.Context(), s, "timeout"))
		run.Unread += max(1, 100-run.left[n])
		delete(run.left, n)
		run.over()
		return "fail a segment"
	}
	list, as := h.randomSuspects()
	done := h.r.IntN(3) == 0
	h.record(s, "search", ledger.Progress{Read: 10, Next: position(n), Done: done, Counts: checks.Counts{Equal: 3}, Suspects: list})
	run.Counts.Equal += 3
	run.left[n] += 10
	for _, one := range as {
		h.model.meet(h.current, one)
	}
	if done {
		delete(run.left, n)
		run.over()
	}
	return fmt.Sprint("scan ", as, done)
}

// answers draws what reading suspects again comes to.
func (h *history) answers(list []checks.Suspect) (answers []answer, vs []checks.Verdict) {
	for _, s := range list {
		n := s.Key[0].AsInt()
		a := answer{modelSuspect: modelSuspect{int(n), s.Duplicate}, outcome: checks.Confirmed, kind: checks.Mismatch}
		var v checks.Verdict
		switch p := h.r.IntN(10); {
		case s.Duplicate && p < 5:
			a.kind = checks.Duplicate
			v = h.is(s, checks.Duplicate, "twice")
		case p < 3:
			v = h.differs(s, "paid", []string{"pending", "lost", "new"}[h.r.IntN(3)])
			switch h.r.IntN(4) {
			case 0:
				v.Difference.Fields = append(v.Difference.Fields, checks.FieldDifference{Owner: "total", Replica: "total", Rule: "exact"})
			case 1:
				v.Difference.Fields[0].Owner, v.Difference.Fields[0].Replica = "total", "total"
			}
		case p < 5:
			a.kind = []checks.DifferenceKind{checks.Missing, checks.Extra, checks.Unreadable}[h.r.IntN(3)]
			v = h.is(s, a.kind, []string{"", "odd"}[h.r.IntN(2)])
		case p < 8:
			a.outcome, v = checks.Cleared, cleared(s, checks.ClearedEqual)
		case p < 9 || s.Known:
			a.outcome, v = checks.Unread, unread(s)
		default:
			a.outcome = checks.Renewed
			follow := s
			follow.Since, follow.Restarts = h.clock.now(), s.Restarts+1
			v = checks.Verdict{Suspect: &s, Outcome: checks.Renewed, Follow: &follow}
		}
		if s.Duplicate && a.outcome == checks.Confirmed && a.kind != checks.Duplicate { // it was asked of duplicates alone
			a.kind, v = checks.Duplicate, h.is(s, checks.Duplicate, "twice")
		}
		answers, vs = append(answers, a), append(vs, v)
	}
	return answers, vs
}

func (h *history) judgeSome() string {
	term := got(h.ClaimEdge(h.Context(), "orders", "search", "worker"))(h)
	h.term = term
	due := h.due("search")
	due = due[:h.r.IntN(len(due)+1)]
	answers, vs := h.answers(due)
	what := ""
	if h.r.IntN(4) == 0 { // a scan goes on meanwhile
		what = h.scanSome() + ", "
	}
	must(h, h.RecordVerdicts(h.Context(), h.facts("search"), term, "worker", vs, h.clock.now(), settle))
	h.model.judge(answers, false)
	return what + fmt.Sprint("judge ", answers)
}

func (h *history) recheckSome() string {
	known := got(h.OpenKeys(h.Context(), "orders", "search", h.r.IntN(4), h.clock.now()))(h)
	answers, vs := h.answers(known)
	h.term = got(h.ClaimEdge(h.Context(), "orders", "search", "worker"))(h)
	must(h, h.RecordRechecks(h.Context(), h.facts("search"), h.term, "worker", h.current, vs, h.clock.now()))
	h.model.judge(answers, true)
	return fmt.Sprint("recheck ", answers)
}

func (h *history) act() string {
	key := h.r.IntN(9)
	event := []drift.Event{drift.Acknowledge, drift.Accept, drift.Mute, drift.Unmute}[h.r.IntN(4)]
	what := fmt.Sprint(event, " ", key)
	_, err := h.Act(h.Context(), []string{id("search", key)}, drift.Observation{Event: event, At: h.clock.now(), Actor: "ada", Until: h.clock.now().Add(time.Hour)}, 0)
	f := h.findings[key]
	to := map[drift.Event]drift.State{drift.Acknowledge: drift.Acknowledged, drift.Accept: drift.Acknowledged, drift.Mute: drift.Muted, drift.Unmute: drift.Confirmed}[event]
	switch {
	case f == nil:
		if !errors.As(err, new(*ledger.NotFoundError)) {
			h.Fatalf("%s: %v", what, err)
		}
	case !f.open(), event == drift.Unmute && f.State != drift.Muted:
		if !errors.As(err, new(*drift.NotPossible)) {
			h.Fatalf("%s of what is %s: %v", what, f.State, err)
		}
	default:
		must(h, err)
		if f.State != to || event == drift.Mute || event == drift.Accept && !f.Accepted { // a line of the timeline
			f.Revision++
		}
		f.State, f.Accepted = to, f.Accepted || event == drift.Accept
	}
	return what
}

func (h *history) cancel() string {
	run := h.runs[h.current]
	if run == nil {
		return "nothing"
	}
	_, err := h.CancelRun(h.Context(), h.current, "ada")
	if run.State == ledger.Finished {
		if !errors.As(err, new(*ledger.Ended)) {
			h.Fatalf("cancel what is finished: %v", err)
		}
		return "cancel what is finished"
	}
	must(h, err)
	for _, s := range got(h.Segments(h.Context(), h.current))(h) {
		read, left := run.left[s.N]
		if !left {
			continue
		}
		if s.State == ledger.SegmentRunning {
			must(h, h.StopSegment(h.Context(), &s))
		}
		run.Unread += max(1, 100-read)
		delete(run.left, s.N)
	}
	run.cancelled = true
	run.State = ledger.Finished
	return "cancel"
}

func (h *history) overtaken() string {
	term := got(h.ClaimEdge(h.Context(), "orders", "search", "one"))(h)
	h.term = got(h.ClaimEdge(h.Context(), "orders", "search", "two"))(h)
	due := h.due("search")
	_, vs := h.answers(due)
	if err := h.RecordVerdicts(h.Context(), h.facts("search"), term, "one", vs, h.clock.now(), settle); !errors.Is(err, ledger.ErrLostTerm) {
		h.Fatalf("overtaken: %v", err)
	}
	return "overtaken"
}

// compare holds what the ledger says against the model.
func (h *history) compare(after string) {
	h.Helper()
	list, _, err := h.Findings(h.Context(), ledger.FindingFilter{Limit: 100})
	must(h, err)
	findings := map[int]modelFinding{}
	for _, f := range list {
		n := f.Key[0].AsInt()
		findings[int(n)] = modelFinding{f.State, f.Kind, f.Seen, f.Regressions, f.Revision, f.Accepted, nil}
	}
	want := map[int]modelFinding{}
	for n, f := range h.findings {
		want[n] = *f
		w := want[n]
		w.counted = nil
		want[n] = w
	}
	if !diff.Equal(want, findings, diff.AllowUnexported(modelFinding{})) {
		h.Fatalf("after %s, findings: %s", after, diff.Diff(want, findings, diff.AllowUnexported(modelFinding{})))
	}
	var pending, wanted []string
	for _, s := range got(h.DueSuspects(h.Context(), "orders", "search", h.clock.now().Add(time.Hour), 100))(h) {
		pending = append(pending, fmt.Sprint(s.Key, s.Duplicate))
	}
	for s := range h.model.suspects {
		wanted = append(wanted, fmt.Sprint(key(s.key), s.duplicate))
	}
	slices.Sort(pending)
	slices.Sort(wanted)
	if !slices.Equal(pending, wanted) {
		h.Fatalf("after %s, suspects: got %v, want %v", after, pending, wanted)
	}
	for id, want := range h.runs {
		r := got(h.Run(h.Context(), id))(h)
		is := modelRun{State: r.State, Pending: r.Pending, Omitted: r.Omitted, Unread: r.Unread, Counts: r.Counts}
		w := *want
		w.left, w.cancelled = nil, false
		if !diff.Equal(w, is, diff.AllowUnexported(modelRun{})) {
			h.Fatalf("after %s, run %s: %s", after, id, diff.Diff(w, is, diff.AllowUnexported(modelRun{})))
		}
		if want.State == ledger.Finished {
			delete(h.runs, id) // but for those that still have suspects, it changes no more
			if want.Pending > 0 {
				h.runs[id] = want
			}
		}
	}
}

// A ledger holds after any history what the plain model says.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for engine, times := range map[string]int{"sqlite": 10, "postgres": 1} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			randomHistories(t, engine, times, 200)
		})
	}
}

func randomHistories(t *testing.T, engine string, times, steps int) {
	for range times {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		limit := []int{3, 100}[seed%2]
		h := &history{world: alertWorld(t, engine, nil), model: newModel(limit), r: rand.New(rand.NewPCG(seed, 1))}
		h.check.Findings = limit
		var steps1 []string
		func() {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d:\n%s", seed, strings.Join(steps1[max(0, len(steps1)-12):], "\n"))
				}
			}()
			for range steps {
				what := h.step()
				steps1 = append(steps1, what)
				h.compare(what)
				if len(steps1)%20 == 0 {
					h.incidentsFit()
				}
			}
			h.recount()
			h.incidentsFit()
		}()
		if t.Failed() {
			return
		}
	}
}
