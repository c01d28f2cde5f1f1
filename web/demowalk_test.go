package web_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"plumbline/access"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/demo"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// demoShop is the shop of `plumbline demo --people` while it runs.
type demoShop struct {
	*testing.T
	demo.Service
	seed   uint64
	people []demo.Person
	end    context.CancelFunc
	ended  chan error

	mu    sync.Mutex
	shown bytes.Buffer // what its terminal shows
}

func (s *demoShop) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Write(p)
}

func (s *demoShop) terminal() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// newDemoShop starts a demo in which two people sign in.
func newDemoShop(t *testing.T) *demoShop {
	t.Helper()
	s := &demoShop{T: t, seed: uint64(time.Now().UnixNano() % 1_000_000), ended: make(chan error, 1), people: []demo.Person{
		{Name: "olga", Role: string(access.Operator), Password: "what she alone knows"}, {Name: "anton", Role: string(access.Approver), Password: "what he alone knows"}}}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	s.end = end
	started := make(chan demo.Service, 1)
	go func() {
		s.ended <- demo.Run(ctx, s, demo.Options{Dir: filepath.Join(t.TempDir(), "shop"), Seed: s.seed, People: s.people,
			Serve: func(ctx context.Context, path, dir string, watch func(ledger.Change)) (demo.Service, error) {
				one, err := s.serve(ctx, path, dir, watch)
				if err == nil {
					started <- one
				}
				return one, err
			}})
		close(s.ended)
	}()
	t.Cleanup(func() {
		end()
		if err := <-s.ended; err != nil || t.Failed() {
			t.Errorf("the demo of seed %d ended with %v:\n%s", s.seed, err, s.terminal())
		}
	})
	select {
	case s.Service = <-started:
	case err := <-s.ended:
		t.Fatalf("the demo of seed %d ended: %v", s.seed, err)
	}
	return s
}

// serve audits the shop as `plumbline demo --people` does, on any free port.
func (s *demoShop) serve(ctx context.Context, path, dir string, watch func(ledger.Change)) (demo.Service, error) {
	load := func() (*configs.Config, error) {
		return configs.Load(path, func(name string) (string, bool) {
			value, known := map[string]string{"SHOP_DIR": dir, "SHOP_APPROVALS": "1"}[name]
			return value, known
		}, os.ReadFile)
	}
	config, err := load()
	if err != nil {
		return nil, err
	}
	one, err := service.Start(ctx, service.Options{Config: config, Load: load, Stamp: func() string { return "" }, Listen: "127.0.0.1:0", Version: "test",
		Scrub: func(s string) string { return s }, Log: slog.New(slog.DiscardHandler), Watch: watch, ProbeEvery: 5 * time.Second})
	if err != nil {
		return nil, err
	}
	for _, p := range s.people {
		if _, err := one.Ledger().CreateAccount(ctx, p.Name, access.Role(p.Role), p.Password); err != nil {
			return nil, err
		}
	}
	return one, nil
}

// eventually waits until something is so, for as long as a busy machine may take.
func (s *demoShop) eventually(what string, so func() bool) {
	s.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("%s did not come true in the demo of seed %d:\n%s", what, s.seed, s.terminal())
		}
		select {
		case err := <-s.ended:
			s.Fatalf("the demo of seed %d ended: %v\n%s", s.seed, err, s.terminal())
		default:
		}
	}
}

// proposal is the plan that Plumbline drafted by itself of the batch of events
// that search lost, and one of its findings.
func (s *demoShop) proposal() (plan, finding string) {
	s.Helper()
	s.eventually("a plan of a lost batch", func() bool {
		list, _, err := s.Ledger().Plans(s.Context(), ledger.PlanFilter{Check: "orders-in-search", State: string(reconciler.Waiting), Limit: 20})
		if err != nil {
			s.Fatal(err)
		}
		for _, p := range list {
			if p.Auto && p.Items() >= 20 {
				plan = p.ID
			}
		}
		return plan != ""
	})
	items, err := s.Ledger().PlanItems(s.Context(), plan, ledger.ItemFilter{Limit: 1000})
	if err != nil {
		s.Fatal(err)
	}
	at, most := map[time.Time]int{}, 0
	for i := range items { // a batch is confirmed by one run; what is beside it in the plan heals by itself
		f, err := s.Ledger().Finding(s.Context(), items[i].Finding)
		if err != nil {
			s.Fatal(err)
		}
		if at[f.FirstSeen]++; at[f.FirstSeen] > most {
			most, finding = at[f.FirstSeen], f.ID
		}
	}
	return plan, finding
}

// signIn has somebody sign in, in a window that shares nothing with another's.
func (s *demoShop) signIn(chromium context.Context, p demo.Person) *tab {
	s.Helper()
	b := open(s.T, chromium, s.Address(), chromedp.WithNewBrowserContext())
	b.look(1200, false)
	b.visit("/login")
	b.fill("input[name=name]", p.Name)
	b.fill("input[name=password]", p.Password)
	b.click("main form button")
	b.clean("sign in " + p.Name)
	return b
}

// keep keeps a picture of the page for docs/fixing.md, where pictures are asked for.
func (b *tab) keep(name string, most float64) {
	b.t.Helper()
	b.clean(name)
	if os.Getenv("PLUMBLINE_UPDATE_SCREENSHOTS") == "" {
		return
	}
	if err := os.WriteFile(filepath.Join("..", "docs", "images", "fixing-"+name+".png"), b.picture(most), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// shows waits until an element says a word.
func (b *tab) shows(selector, word string) {
	b.t.Helper()
	b.await(selector+" says "+word, fmt.Sprintf("document.querySelector(%q).innerText.toLowerCase().includes(%q)", selector, word))
}

// plan is the plan that a page is about.
func (b *tab) plan() string {
	b.t.Helper()
	path, _, _ := strings.Cut(b.path(), "?")
	return strings.TrimPrefix(path, "/fixes/")
}

// approve has somebody approve the plan of a page, having been asked whether they mean it.
func (b *tab) approve(plan string) {
	b.t.Helper()
	b.visit("/fixes/" + plan)
	b.click("a[href$='confirm=approve']")
	b.shows("#live-confirm", "approve "+strings.ToLower(plan))
	b.click("form[action$='/approve'] button")
	b.shows("#live-head", "approved")
}

// apply has somebody apply a plan once it is approved, and waits for its end.
func (s *demoShop) apply(b *tab, plan string) {
	s.Helper()
	b.await("it may be applied", "document.querySelector(\"a[href$='confirm=apply']\") !== null")
	b.click("a[href$='confirm=apply']")
	b.click("form[action$='/apply'] button")
	s.eventually(plan+" ends", func() bool {
		p, err := s.Ledger().Plan(s.Context(), plan)
		return err == nil && (p.State == reconciler.Applied || p.State == reconciler.PartlyApplied)
	})
	b.await("it ended", "['applied', 'partly applied'].includes(document.querySelector('#live-head .pill').innerText.trim().toLowerCase())")
}

// becomes has somebody look at a finding once it is in a state.
func (s *demoShop) becomes(b *tab, finding string, state drift.State) {
	s.Helper()
	s.eventually(finding+" "+string(state), func() bool {
		f, err := s.Ledger().Finding(s.Context(), finding)
		return err == nil && f.State == state
	})
	b.visit("/findings/" + finding)
	b.shows("#live-head", string(state))
}

// takenBack is a finding of a plan that was undone: the one that is meant, or
// another, where the shop's own traffic has changed that record since.
func (s *demoShop) takenBack(undo, meant string) (finding string) {
	s.Helper()
	items, err := s.Ledger().PlanItems(s.Context(), undo, ledger.ItemFilter{State: reconciler.ItemApplied, Limit: 1000})
	if err != nil || len(items) == 0 {
		s.Fatalf("%s took nothing back: %v", undo, err)
	}
	for i := range items {
		if items[i].Finding == meant {
			return meant
		}
	}
	return items[0].Finding
}

// In the demo, somebody comes from a finding to the plan that Plumbline proposes,
// has it approved by somebody else, applies it and sees the shop healed; takes it
// back, sees it drift again, and puts it right once more. The audit log tells it.
func TestTwoPeopleFixTheDemoAndTakeItBack(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	s := newDemoShop(t)
	t.Logf("seed %d", s.seed)
	olga, anton := s.signIn(chromium, s.people[0]), s.signIn(chromium, s.people[1])
	proposed, finding := s.proposal()

	olga.visit("/findings/" + finding)
	olga.keep("finding", 1000)
	olga.click("#live-fix a[href='/fixes/" + proposed + "']")
	olga.shows("#live-notes", "an approver or an admin other than who drafted it approves it")
	olga.keep("plan", 1100)
	anton.visit("/fixes/" + proposed + "?confirm=approve")
	anton.keep("approve", 560)
	anton.approve(proposed)
	s.apply(olga, proposed)
	olga.await("its effect is seen", "/verified\\s+[1-9]/.test(document.querySelector('#live-progress').innerText.toLowerCase())")
	olga.keep("applied", 1100)
	s.becomes(olga, finding, drift.Resolved)
	s.eventually("the terminal tells who healed it", func() bool { return strings.Contains(s.terminal(), "by plan "+proposed) })

	olga.visit("/fixes/" + proposed)
	olga.click("form[action$='/undo'] button")
	undo := olga.plan()
	olga.click("form[action$='/ask'] button")
	olga.shows("#live-head", "waiting for approval")
	olga.keep("undo", 1100)
	anton.approve(undo)
	s.apply(olga, undo)
	finding = s.takenBack(undo, finding)
	s.becomes(olga, finding, drift.Regressed)

	olga.click("#live-fix form button")
	again := olga.plan()
	olga.click("form[action$='/ask'] button")
	anton.approve(again)
	s.apply(olga, again)
	s.becomes(olga, finding, drift.Resolved)
	olga.keep("healed", 1100)

	anton.visit("/audit")
	for _, words := range []string{"approve fix", "apply fix", "undo fix", "takes back " + proposed} {
		anton.shows("main", strings.ToLower(words))
	}
	anton.keep("audit", 1200)
	olga.clean("olga's pages")
	anton.clean("anton's pages")
	want := []string{"plumbline draft fix fix " + proposed, "anton approve fix fix " + proposed, "olga apply fix fix " + proposed, "plumbline ends fix " + proposed,
		"olga undo fix fix " + undo, "olga ask approval fix " + undo, "anton approve fix fix " + undo, "olga apply fix fix " + undo, "plumbline ends fix " + undo,
		"olga draft fix fix " + again, "olga ask approval fix " + again, "anton approve fix fix " + again, "olga apply fix fix " + again, "plumbline ends fix " + again}
	if diff := cmp.Diff(want, s.story(proposed, undo, again)); diff != "" {
		t.Errorf("the audit log tells another story (-want +got):\n%s", diff)
	}

	s.end()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{" 0 missed,", "no false alarm.", "fix plan " + proposed, "plan to undo " + proposed} {
		if !strings.Contains(s.terminal(), want) {
			t.Errorf("the terminal never says %q:\n%s", want, s.terminal())
		}
	}
}

// story is what the audit log says of plans, the oldest first.
func (s *demoShop) story(plans ...string) (lines []string) {
	s.Helper()
	list, _, err := s.Ledger().AuditEntries(s.Context(), ledger.AuditFilter{Limit: 500})
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range slices.Backward(list) {
		plan, of := strings.CutPrefix(e.Object, "fix ")
		if !of || !slices.Contains(plans, plan) {
			continue
		}
		if strings.HasPrefix(e.Action, "fix ") { // applied, or only partly where the shop was quicker
			e.Action = "ends"
		}
		lines = append(lines, e.Actor+" "+e.Action+" "+e.Object)
	}
	return lines
}
