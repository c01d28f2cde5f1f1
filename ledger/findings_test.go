package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

// drifted makes findings in both edges: of search 1 to 5 mismatch in two ways, 6
// is missing and 7 extra; of cache 1 and 2 mismatch. 5 of search and 2 of cache
// are resolved. Each changes a second after the one before.
func (w *world) drifted() {
	w.Helper()
	confirm := func(replica string, v checks.Verdict) {
		w.clock.pass(time.Second)
		v.Difference.LastSeen = w.clock.now()
		w.recheck(replica, v)
	}
	for n := 1; n <= 5; n++ {
		confirm("search", w.differs(w.suspect(n), "paid", []string{"pending", "lost"}[n%2]))
	}
	confirm("search", w.is(w.suspect(6), checks.Missing, ""))
	confirm("search", w.is(w.suspect(7), checks.Extra, ""))
	confirm("cache", w.differs(w.suspect(1), "paid", "pending"))
	both := w.differs(w.suspect(2), "paid", "pending")
	both.Difference.Fields = append(both.Difference.Fields, checks.FieldDifference{Owner: "email", Replica: "email",
		OwnerValue: sources.Text("ada@example.com"), ReplicaValue: sources.Text("bob@example.com"), Rule: "exact", Mask: checks.MaskFull})
	confirm("cache", both)
	w.clock.pass(time.Second)
	w.recheck("search", cleared(w.suspect(5), checks.ClearedEqual))
	w.clock.pass(time.Second)
	w.recheck("cache", cleared(w.suspect(2), checks.ClearedOutOfScope))
}

// listed names the findings of a list as replica and key, paging in pages of two.
func (w *world) listed(f ledger.FindingFilter) string {
	w.Helper()
	f.Limit = 2
	var names []string
	for {
		list, next, err := w.Findings(w.Context(), f)
		must(w, err)
		for _, one := range list {
			names = append(names, one.Replica[:1]+one.Key.String())
		}
		if next == "" {
			return strings.Join(names, " ")
		}
		f.After = next
	}
}

func findingsAreListed(t *testing.T, w *world) {
	w.drifted()
	const lost, pending = `status: owner "paid" replica "lost"`, `status: owner "paid" replica "pending"`
	for _, row := range []struct {
		f    ledger.FindingFilter
		want string
	}{
		{ledger.FindingFilter{}, "c2 s5 c1 s7 s6 s4 s3 s2 s1"},
		{ledger.FindingFilter{State: "open"}, "c1 s7 s6 s4 s3 s2 s1"},
		{ledger.FindingFilter{State: "resolved"}, "c2 s5"},
		{ledger.FindingFilter{State: "confirmed", Replica: "search"}, "s7 s6 s4 s3 s2 s1"},
		{ledger.FindingFilter{Check: "orders", Replica: "search"}, "s5 s7 s6 s4 s3 s2 s1"},
		{ledger.FindingFilter{Check: "orders", Kind: "mismatch", State: "open"}, "c1 s4 s3 s2 s1"},
		{ledger.FindingFilter{Kind: "missing"}, "s6"},
		{ledger.FindingFilter{Kind: "duplicate"}, ""},
		{ledger.FindingFilter{Check: "other"}, ""},
		{ledger.FindingFilter{Pattern: lost}, "s5 s3 s1"},
		{ledger.FindingFilter{Pattern: lost, State: "open", Check: "orders"}, "s3 s1"},
		{ledger.FindingFilter{Pattern: pending}, "c1 s4 s2"},
		{ledger.FindingFilter{Pattern: pending, Kind: "missing"}, ""},
		{ledger.FindingFilter{Pattern: "missing in the replica"}, "s6"},
		{ledger.FindingFilter{Field: "status", State: "open"}, "c1 s4 s3 s2 s1"},
		{ledger.FindingFilter{Field: "email"}, "c2"},
		{ledger.FindingFilter{Field: "price"}, ""},
		{ledger.FindingFilter{Field: "status", Check: "orders", Replica: "cache"}, "c2 c1"},
		{ledger.FindingFilter{Query: "id=3", Replica: "search"}, "s3"},
		{ledger.FindingFilter{Query: " 3 ID ", Check: "orders", State: "open", Kind: "mismatch"}, "s3"},
		{ledger.FindingFilter{Query: "id", State: "resolved"}, "c2 s5"},
		{ledger.FindingFilter{Query: "i", State: "resolved", Field: "email"}, "c2"},
		{ledger.FindingFilter{Query: id("search", 4)}, "s4"},
		{ledger.FindingFilter{Query: strings.ToUpper(id("search", 4)[:9]), Check: "orders"}, "s4"},
		{ledger.FindingFilter{Query: "3 nowhere"}, ""},
		{ledger.FindingFilter{Query: "%"}, ""},
		{ledger.FindingFilter{Query: `\`}, ""},
		{ledger.FindingFilter{Query: "'; DROP TABLE findings; --"}, ""},
	} {
		if list := w.listed(row.f); list != row.want {
			t.Errorf("%+v: got %q, want %q", row.f, list, row.want)
		}
	}
	for _, bad := range []string{"x", "1", "1.", ".F-1", "' OR 1=1"} {
		if _, _, err := w.Findings(t.Context(), ledger.FindingFilter{After: bad}); !errors.As(err, new(*ledger.CursorError)) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
	if _, err := w.Finding(t.Context(), "F-none"); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("got %v", err)
	}
}

func findingsAreSummedUp(t *testing.T, w *world) {
	w.drifted()
	const lost, pending = `status: owner "paid" replica "lost"`, `status: owner "paid" replica "pending"`
	var got1 []string
	for _, p := range got(w.Patterns(t.Context(), "orders", "", 0))(t) {
		f := got(w.Finding(t.Context(), p.Example))(t)
		if f.Pattern != p.Words || f.Replica != p.Replica || !f.State.Open() || p.FirstSeen.IsZero() || p.LastSeen.Before(p.FirstSeen) {
			t.Errorf("pattern %+v, its example %+v", p, f)
		}
		got1 = append(got1, fmt.Sprintf("%s %d %s", p.Replica, p.Open, p.Words))
	}
	want := []string{"search 2 " + lost, "search 2 " + pending, "search 1 extra in the replica", "search 1 missing in the replica", "cache 1 " + pending}
	if !cmp.Equal(got1, want) {
		t.Errorf("patterns: %s", cmp.Diff(want, got1))
	}
	if some := got(w.Patterns(t.Context(), "orders", "search", 1))(t); len(some) != 1 || some[0].Open != 2 {
		t.Errorf("patterns %+v", some)
	}
	if fields := got(w.FieldTallies(t.Context(), "orders", ""))(t); !cmp.Equal(fields, []ledger.FieldTally{{Field: "status", Open: 5}}) {
		t.Errorf("fields %+v", fields)
	}
	s := got(w.Summary(t.Context()))(t)
	open := []ledger.Tally{{Kind: "extra", State: drift.Confirmed, N: 1}, {Kind: "mismatch", State: drift.Confirmed, N: 5}, {Kind: "missing", State: drift.Confirmed, N: 1}}
	if !cmp.Equal(s.Open, open) || s.OpenFindings() != 7 || s.New != 7 || s.OldestOpen != id("search", 1) || s.Suspects != 0 {
		t.Errorf("summary %+v", s)
	}
	w.clock.pass(25 * time.Hour)
	if s := got(w.Summary(t.Context()))(t); s.New != 0 {
		t.Errorf("new after a day: %+v", s)
	}
	e := w.edge("search")
	if !cmp.Equal(e.Open, open[0:1:1]) && e.OpenFindings() != 6 || !e.OldestOpen.Equal(w.finding("search", 1).FirstSeen) {
		t.Errorf("edge %+v", e)
	}
}

func patternsAreBounded(t *testing.T, w *world) {
	var vs []checks.Verdict
	for n := range 300 {
		vs = append(vs, w.differs(w.suspect(n), "paid", fmt.Sprintf("state %d", n)))
	}
	vs = append(vs, w.differs(w.suspect(1000), "paid", "state 7"))
	w.recheck("search", vs...)
	patterns := got(w.Patterns(t.Context(), "orders", "search", 1000))(t)
	if len(patterns) != 201 || patterns[0].Words != "status: other pairs of values" || patterns[0].Open != 100 || patterns[1].Open != 2 {
		t.Errorf("%d patterns, first %+v", len(patterns), patterns[:2])
	}
	if list, _, err := w.Findings(t.Context(), ledger.FindingFilter{Check: "orders", Pattern: patterns[0].Words, Limit: 500}); err != nil || len(list) != 100 {
		t.Errorf("%d findings of the others, %v", len(list), err)
	}
	vs = vs[:0]
	for n := range 300 {
		vs = append(vs, cleared(w.suspect(n), checks.ClearedEqual))
	}
	w.recheck("search", vs...)
	if patterns := got(w.Patterns(t.Context(), "orders", "search", 1000))(t); len(patterns) != 1 || patterns[0].Open != 1 {
		t.Errorf("patterns %+v", patterns)
	}
}

// What a mask covers is in no column of the ledger.
func masksHold(t *testing.T, w *world) {
	w.check.Edges[0].Rules[0].Mask = checks.MaskFull
	w.check.Edges[0].Rules = append(w.check.Edges[0].Rules, checks.Rule{Owner: checks.FieldRef{Name: "id"}, Replica: checks.FieldRef{Name: "id"}, Mask: checks.MaskHash})
	s := w.suspect(1)
	s.Key = sources.Key{sources.Text("canary-key")}
	r := w.run("search", 1)
	w.record(w.segment(r, 0), "search", ledger.Progress{Done: true, Suspects: []checks.Suspect{s}, Reasons: map[string]int64{"key canary-key is odd": 1}})
	w.clock.pass(settle)
	v := w.differs(s, "canary-owner", "canary-replica")
	v.Difference.Fields[0].Mask = checks.MaskFull
	v.Difference.Fields[0].Note = `owner's text "canary-note" cannot be read as int`
	v.Difference.Reason = "key canary-key: odd"
	w.judge("search", v)
	list, _, err := w.Findings(t.Context(), ledger.FindingFilter{})
	must(t, err)
	if len(list) != 1 || !strings.HasPrefix(list[0].KeyText, "id=#") || list[0].Fields[0].Owner.Text != "***" || !list[0].Key.Equal(s.Key) {
		t.Errorf("got %+v", list)
	}
	for _, table := range []string{"findings", "runs", "patterns", "transitions", "segments", "edges", "suspects"} {
		rows, err := w.DB().QueryContext(t.Context(), `SELECT * FROM `+table)
		must(t, err)
		columns, err := rows.Columns()
		must(t, err)
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			must(t, rows.Scan(values...))
			for i, v := range values {
				text := fmt.Sprintf("%s", *v.(*any))
				if strings.Contains(text, "canary") && columns[i] != "record_key" {
					t.Errorf("%s.%s holds %q", table, columns[i], text)
				}
			}
		}
		must(t, errors.Join(rows.Err(), rows.Close()))
	}
}

func peopleAct(t *testing.T, w *world) {
	w.drifted()
	act := func(event drift.Event, revision int64, ids ...string) ([]*drift.Finding, error) {
		w.clock.pass(time.Second)
		return w.Act(t.Context(), ids, drift.Observation{Event: event, At: w.clock.now(), Actor: "ada", Until: w.clock.now().Add(time.Hour), Note: "looking"}, revision)
	}
	one := id("search", 1)
	list := got(act(drift.Acknowledge, 1, one))(t)
	if list[0].State != drift.Acknowledged || list[0].Revision != 2 {
		t.Errorf("acknowledged: %+v", list[0])
	}
	if lines := got(w.Timeline(t.Context(), one))(t); len(lines) != 2 || lines[1].Actor != "ada" || lines[1].Note != "looking" || lines[1].Event != drift.Acknowledge {
		t.Errorf("timeline %+v", lines)
	}
	var stale *ledger.StaleError
	if _, err := act(drift.Mute, 1, one); !errors.As(err, &stale) || stale.Has != 2 {
		t.Errorf("an old revision: %v", err)
	}
	var impossible *drift.NotPossible
	if _, err := act(drift.Acknowledge, 0, id("search", 2), id("search", 5)); !errors.As(err, &impossible) {
		t.Errorf("acknowledging what is resolved: %v", err)
	}
	if _, err := act(drift.Acknowledge, 0, id("search", 2), "F-none"); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("acknowledging what is not there: %v", err)
	}
	if f := w.finding("search", 2); f.State != drift.Confirmed {
		t.Errorf("half of it was done: %+v", f)
	}
	muted := got(act(drift.Mute, 0, id("search", 3), id("search", 3), id("cache", 1)))(t)
	if muted[0].State != drift.Muted || muted[0].MutedUntil.IsZero() || muted[0].Revision != 2 || muted[2].Replica != "cache" {
		t.Errorf("muted %+v", muted[0])
	}
	if n := got(w.UnmuteDue(t.Context(), w.clock.now()))(t); n != 0 {
		t.Errorf("%d unmuted before their time", n)
	}
	if n := got(w.UnmuteDue(t.Context(), w.clock.pass(time.Hour)))(t); n != 2 {
		t.Errorf("%d unmuted, want 2", n)
	}
	if f := w.finding("search", 3); f.State != drift.Confirmed || !f.MutedUntil.IsZero() {
		t.Errorf("unmuted %+v", f)
	}
	if n := got(w.ActAll(t.Context(), ledger.FindingFilter{Check: "orders", Pattern: `status: owner "paid" replica "pending"`},
		drift.Observation{Event: drift.Mute, At: w.clock.now(), Actor: "ada", Until: w.clock.now().Add(time.Hour)}))(t); n != 3 {
		t.Errorf("%d muted, want 3", n)
	}
	if n := got(w.AcceptBaseline(t.Context(), "orders", "ada", "known"))(t); n != 7 {
		t.Errorf("%d accepted, want 7", n)
	}
	if again := got(w.AcceptBaseline(t.Context(), "orders", "ada", "known"))(t); again != 0 {
		t.Errorf("%d accepted again", again)
	}
	if f := w.finding("search", 6); f.State != drift.Acknowledged || !f.Accepted {
		t.Errorf("accepted %+v", f)
	}
	if s := got(w.Summary(t.Context()))(t); s.OpenFindings() != 7 || len(s.Open) != 3 {
		t.Errorf("summary %+v", s)
	}
}

func actsOnManyAreDoneInBatches(t *testing.T, w *world) {
	var vs []checks.Verdict
	for n := range 1234 {
		vs = append(vs, w.differs(w.suspect(n), "paid", "pending"))
	}
	w.recheck("search", vs...)
	got(w.Act(t.Context(), []string{id("search", 5)}, drift.Observation{Event: drift.Mute, At: w.clock.now(), Actor: "ada", Until: w.clock.now().Add(time.Hour)}, 0))(t)
	if n := got(w.AcceptBaseline(t.Context(), "orders", "ada", ""))(t); n != 1234 {
		t.Errorf("%d accepted, want 1234", n)
	}
	if e := w.edge("search"); len(e.Open) != 1 || e.Open[0].State != drift.Acknowledged || e.Open[0].N != 1234 {
		t.Errorf("edge %+v", e.Open)
	}
}

// Two records whose short ids are alike are two findings.
func idsThatMeet(t *testing.T, w *world) {
	w.recheck("search", w.differs(w.suspect(1), "a", "b"))
	for _, statement := range []string{`UPDATE findings SET id = $1`, `UPDATE finding_fields SET finding = $1`, `UPDATE finding_words SET finding = $1`, `UPDATE transitions SET finding = $1`} {
		if _, err := w.DB().ExecContext(t.Context(), statement, id("search", 2)); err != nil {
			t.Fatal(err)
		}
	}
	w.recheck("search", w.differs(w.suspect(2), "c", "d"))
	w.recheck("search", w.differs(w.suspect(2), "c", "d"))
	list, _, err := w.Findings(t.Context(), ledger.FindingFilter{})
	must(t, err)
	var names []string
	for _, f := range list {
		names = append(names, f.ID+" "+f.Key.String())
	}
	slices.Sort(names)
	if want := []string{id("search", 2) + " 1", id("search", 2) + "-2 2"}; !cmp.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if f := got(w.Finding(t.Context(), id("search", 2)+"-2"))(t); f.Seen != 2 {
		t.Errorf("got %+v", f)
	}
}

func watchersHear(t *testing.T, w *world) {
	w.mu.Lock()
	w.changes = nil
	w.mu.Unlock()
	r := w.scanned("search", w.suspects(1)...)
	w.confirm("search")
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, want := range []ledger.Change{
		{Topic: "run", Check: "orders", Replica: "search", ID: r.ID},
		{Topic: "segment", Check: "orders", Replica: "search", ID: r.ID},
		{Topic: "finding", Check: "orders", Replica: "search", ID: id("search", 1)},
		{Topic: "edge", Check: "orders", Replica: "search"},
	} {
		if !slices.Contains(w.changes, want) {
			t.Errorf("nobody heard of %+v", want)
		}
	}
}
