package checks_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// pieces reads an edge as a service does: every segment stopped after any part
// and resumed by an Audit opened anew, suspects judged in batches of any size.
func pieces(t *testing.T, r *rand.Rand, check *checks.Check, readers checks.Readers, options checks.Options) (found []string, counts checks.Counts) {
	t.Helper()
	ctx := context.Background()
	open := func() *checks.Audit {
		audit, err := checks.Open(ctx, check, 0, readers, options)
		if err != nil {
			t.Fatal(err)
		}
		return audit
	}
	segments, err := open().Cut(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
	told := map[string]bool{}
	tell := func(d *checks.Difference) bool {
		name := fmt.Sprintf("%s %s", d.Kind, d.Key)
		if id := name + d.ID.Encode(); d.Key.Whole() && told[id] {
			return false
		} else if d.Key.Whole() {
			told[id] = true
		}
		found = append(found, name)
		return true
	}
	var suspects []checks.Suspect
	for _, s := range segments {
		for done := false; !done; {
			left := 1 + r.IntN(3)
			err := open().Scan(ctx, s, func(p *checks.Part) error {
				counts.Add(p.Counts)
				suspects = append(suspects, p.Suspects...)
				for i := range p.Settled {
					tell(&p.Settled[i])
				}
				s.Span.After, done = p.Next, p.Done
				if left--; left == 0 && !p.Done {
					return checks.ErrStopped
				}
				return nil
			})
			if err != nil && !errors.Is(err, checks.ErrStopped) {
				t.Fatal(err)
			}
		}
	}
	audit := open()
	for len(suspects) > 0 {
		n := 1 + r.IntN(len(suspects))
		verdicts, err := audit.Judge(ctx, suspects[:n])
		if err != nil {
			t.Fatal(err)
		}
		suspects = suspects[n:]
		for i := range verdicts {
			v := &verdicts[i]
			if v.Outcome != checks.Confirmed || tell(v.Difference) {
				counts.Add(v.Counts)
			}
			if v.Follow != nil {
				suspects = append(suspects, *v.Follow)
			}
		}
	}
	slices.Sort(found)
	return found, counts
}

// Reading a check part by part, stopped and resumed anywhere, comes to what
// reading it in one go does.
func TestPiecesAreTheWhole(t *testing.T) {
	t.Parallel()
	laws(t, 150, func(t *testing.T, _ uint64, r *rand.Rand) {
		w := makeWorld(r)
		if liveOwners(w) == 0 {
			return
		}
		owner, replica, check := w.stores(r, r.IntN(3) == 0)
		readers, options := arrange(r, owner, replica, float64(r.IntN(2))*0.1)
		run := checks.Run(context.Background(), check, 0, readers, options)
		found, counts := pieces(t, r, check, readers, options)
		if diff := cmp.Diff(kinds(run), found); diff != "" {
			t.Errorf("%+v\nby %s (-whole +pieces):\n%s", w, run.Plan.Words(), diff)
		}
		if diff := cmp.Diff(run.Counts, counts); diff != "" {
			t.Errorf("%+v\nby %s (-whole +pieces):\n%s", w, run.Plan.Words(), diff)
		}
	})
}

// What the versions of both sides say of a copy that differs.
func TestAgeOfACopy(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, row := range []struct {
		name           string
		owner, replica sources.Value
		want           checks.Age
	}{
		{"older number", sources.Int(7), sources.Int(6), checks.Stale},
		{"newer number", sources.Int(6), sources.Int(7), checks.Ahead},
		{"the same number", sources.Int(6), sources.Float(6), checks.Diverged},
		{"older time", sources.Time(at.Add(time.Second), 6), sources.Time(at, 3), checks.Stale},
		{"newer time", sources.Time(at, 6), sources.Time(at.Add(time.Second), 3), checks.Ahead},
		{"the same time, told less exactly", sources.Time(at.Add(1234*time.Microsecond), 6), sources.Time(at.Add(time.Millisecond), 3), checks.Diverged},
		{"no version on the replica", sources.Int(7), sources.Null(), ""},
		{"no version on the owner", sources.Value{}, sources.Int(7), ""},
		{"texts have no order", sources.Text("b"), sources.Text("a"), ""},
		{"the same text", sources.Text("a"), sources.Text("a"), checks.Diverged},
		{"a zoned and a naive time", sources.Time(at.Add(time.Hour), 6), sources.NaiveTime(at, 6), ""},
		{"not a number", sources.Float(math.NaN()), sources.Int(7), ""},
	} {
		if got := checks.AgeOf(row.owner, row.replica); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// What stands on the owner's having no record is doubted where the owner has
// come to answer with nothing at all.
func TestJudgeDoubtsAnEmptyOwner(t *testing.T) {
	t.Parallel()
	owner, replica, check, find := pairOfStores()
	put(replica, 2, 1)
	audit, err := checks.Open(t.Context(), check, 0, find, checks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	suspects := []checks.Suspect{{Key: sources.Key{sources.Int(2)}, Known: true}, {Key: sources.Key{sources.Int(3)}, Known: true}}
	for _, row := range []struct {
		name       string
		allowEmpty bool
		want       []checks.Outcome
	}{
		{"the owner has other records", false, []checks.Outcome{checks.Confirmed, checks.Cleared}},
		{"the owner has none", false, []checks.Outcome{checks.Unread, checks.Unread}},
		{"the owner has none, and that is a fact", true, []checks.Outcome{checks.Confirmed, checks.Cleared}},
	} {
		check.AllowEmpty = row.allowEmpty
		verdicts, err := audit.Judge(t.Context(), suspects)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range verdicts {
			if v.Outcome != row.want[i] {
				t.Errorf("%s: key %s is %s, want %s", row.name, v.Suspect.Key, v.Outcome, row.want[i])
			}
		}
		owner.Delete("records", func(func(string) sources.Value) bool { return true })
	}
}

// What was noted before a check's key was changed cannot be looked up any more.
func TestJudgeOfAnotherKey(t *testing.T) {
	t.Parallel()
	_, _, check, find := pairOfStores()
	audit, err := checks.Open(t.Context(), check, 0, find, checks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	old := sources.Key{sources.Int(1), sources.Text("eu")}
	verdicts, err := audit.Judge(t.Context(), []checks.Suspect{{Key: old}, {Key: old, Known: true},
		{Key: old[:1], ID: sources.Key{sources.Int(1)}, Known: true}, {Key: old[:1], Known: true}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(verdicts[0].Outcome, verdicts[1].Cleared, verdicts[2].Cleared, verdicts[3].Cleared); len(verdicts) != 4 ||
		got != fmt.Sprint(checks.Unread, checks.ClearedRedefined, checks.ClearedRedefined, checks.ClearedEqual) {
		t.Errorf("got %s", got)
	}
}

// A key that this side could never be asked for is kept as it was written, and
// never taken for the canonical key that it looks like.
func TestKeyWithoutCanonicalFormIsNoKey(t *testing.T) {
	t.Parallel()
	_, replica, check, find := pairOfStores()
	replica.Create(memory.Table{Name: "prefixed", Unique: []string{"id"}, Columns: []memory.Column{{Name: "id", FieldType: sources.FieldType{Kind: sources.KindText}},
		{Name: "value", FieldType: sources.FieldType{Kind: sources.KindInt}}}})
	replica.Put("prefixed", sources.Text("p-1"), sources.Int(1))
	replica.Put("prefixed", sources.Text("1"), sources.Int(1))
	check.Edges[0].Replica.Dataset.Name, check.Edges[0].Replica.Forms = "prefixed", []checks.KeyForm{{Prefix: "p-"}}
	run := checks.Run(t.Context(), check, 0, find, checks.Options{Settle: noSettle()})
	if len(run.Differences) != 1 || run.Differences[0].Kind != checks.Unreadable || run.Counts.Equal != 1 {
		t.Fatalf("%s: %+v, %+v", run.Result, run.Differences, run.Counts)
	}
	key := run.Differences[0].Key
	if key.Whole() || key.Encode() == (sources.Key{sources.Text("1")}).Encode() || key[0].String() != "1" {
		t.Errorf("its key is %v", key)
	}
}

// Stores that declare kinds of keys that never meet are not told as records that
// are all missing and all extra.
func TestKeysThatNeverMeetAreNotCompared(t *testing.T) {
	t.Parallel()
	owner, replica, check, find := pairOfStores()
	for store, id := range map[*memory.Store]sources.Value{owner: sources.Int(1), replica: sources.Text("1")} {
		store.Create(memory.Table{Name: "strict", Unique: []string{"id"}, Columns: []memory.Column{
			{Name: "id", FieldType: sources.FieldType{Kind: id.Kind(), Declared: id.Kind().String(), Strict: true}},
			{Name: "value", FieldType: sources.FieldType{Kind: sources.KindInt}}}})
		store.Put("strict", id, sources.Int(1))
	}
	check.Owner.Dataset.Name, check.Edges[0].Replica.Dataset.Name = "strict", "strict"
	run := checks.Run(t.Context(), check, 0, find, checks.Options{Settle: noSettle()})
	if run.Result != checks.Error || len(run.Differences) > 0 || !strings.Contains(run.Err.Error(), "no key would ever match") {
		t.Fatalf("%s: %v, %+v", run.Result, run.Err, run.Differences)
	}
	check.Edges[0].Replica.Forms = []checks.KeyForm{{As: sources.KindText}}
	if run = checks.Run(t.Context(), check, 0, find, checks.Options{Settle: noSettle()}); run.Result != checks.Clean {
		t.Errorf("as text: %s, %v, %+v", run.Result, run.Err, run.Differences)
	}
}

// Nothing of a record that could not be read is said to be equal.
func TestNothingOfAnUnreadableRecordIsEqual(t *testing.T) {
	t.Parallel()
	owner, replica, check, find := pairOfStores()
	for _, store := range []*memory.Store{owner, replica} {
		put(store, 7, 1)
	}
	replica.PutRow("records", memory.Row{Values: []sources.Value{sources.Int(8), sources.Int(1)}, Unreadable: "a name twice"})
	put(owner, 8, 1)
	for id, equal := range map[int64]bool{7: true, 8: false} {
		pairs, err := checks.Inspect(t.Context(), check, 0, find, sources.Key{sources.Int(id)})
		if err != nil || len(pairs) != 1 || len(pairs[0].Fields) != 1 || pairs[0].Fields[0].Equal != equal {
			t.Errorf("key %d: %+v, %v", id, pairs, err)
		}
	}
}
