package reconciler_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/reconciler"
	"plumbline/sources"
)

// service answers requests as a script says, and then takes them.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	script map[string][]func(http.ResponseWriter, *http.Request) // by path
	asked  map[string][]string                                   // the Idempotency-Key and body of each request, by path
	effect func(path string)
}

func newService(t testing.TB) *service {
	s := &service{script: map[string][]func(http.ResponseWriter, *http.Request){}, asked: map[string][]string{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	path := r.URL.EscapedPath()
	s.asked[path] = append(s.asked[path], strings.Join([]string{r.Method, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}, " "))
	answer := func(w http.ResponseWriter, _ *http.Request) {
		if s.effect != nil {
			s.effect(path)
		}
		w.WriteHeader(http.StatusAccepted)
	}
	if left := s.script[path]; len(left) > 0 {
		answer, s.script[path] = left[0], left[1:]
	}
	s.mu.Unlock()
	answer(w, r)
}

// answering answers with a status and headers, given in pairs.
func answering(status int, headers ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
	}
}

// askingShop is a shop whose fixes ask a service, with rows that differ.
func askingShop(t *testing.T, service *service, rows int64) (*shop, *reconciler.Plan) {
	t.Helper()
	s := newShop(t, "sqlite", func(c *checks.Check, p *reconciler.Policy) {
		c.Edges[0].Rules[1].Mask = checks.MaskFull
		p.By, p.Allow = reconciler.Request, []reconciler.Allow{"update", "insert"}
		p.Request = &reconciler.RequestTemplate{Method: http.MethodPost, URL: service.URL + "/items/{key.id}", Body: `{"price": {owner.price}, "title": {owner.title}}`,
			Headers: map[string]sources.Secret{"Authorization": "Bearer hunter2"}, Accepted: []int{200, 202}, Timeout: 5 * time.Second, Tries: 4}
		must(t, p.Request.Check(c, &c.Edges[0]))
	})
	s.stock(rows)
	var ids []int64
	for id := int64(1); id <= rows; id++ {
		s.owner.put(t, row{id: id, price: "12.50", title: "secret thing", version: 1})
		ids = append(ids, id)
	}
	s.replica.drop(t, rows) // one is missing
	p, items := s.draft(s.differing(ids...))
	for _, i := range items {
		if strings.Contains(i.Statement+fmt.Sprint(i.Fields), "secret thing") || strings.Contains(i.Statement, "hunter2") || !strings.Contains(i.Statement, `"price": 12.5`) {
			t.Fatalf("shown is %s, %v", i.Statement, i.Fields)
		}
	}
	if len(items) != int(rows) || p.Kinds[sources.Insert] != 1 {
		t.Fatalf("%d items, left out %v", len(items), p.Left)
	}
	return s, p
}

func (s *shop) asking() *reconciler.Applier {
	a := s.applier()
	a.Fixer, a.HTTP, a.Now = nil, http.DefaultClient, s.now
	return a
}

func TestAServiceIsAskedUntilItAnswersUnderOneName(t *testing.T) {
	t.Parallel()
	service := newService(t)
	s, p := askingShop(t, service, 12)
	for id := 1; id <= 12; id++ {
		path := fmt.Sprint("/items/", id)
		for n := range id % 4 {
			service.script[path] = append(service.script[path], answering([]int{503, 429, 500}[n], "Retry-After", "0"))
		}
	}
	service.effect = func(path string) {
		var id int64
		if _, err := fmt.Sscanf(path, "/items/%d", &id); err != nil {
			t.Error(err)
		}
		s.replica.put(t, row{id: id, price: "12.50", title: "secret thing", version: 1})
	}
	a := s.asking()
	a.Verify = s.seeing
	if p = s.apply(p, a); p.State != reconciler.Applied || p.Counts[reconciler.ItemVerified] != 12 {
		t.Fatalf("%s: %v", p.State, p.Counts)
	}
	names := map[string]bool{}
	for id := 1; id <= 12; id++ {
		asked := service.asked[fmt.Sprint("/items/", id)]
		if len(asked) != 1+id%4 {
			t.Fatalf("item %d was asked %d times", id, len(asked))
		}
		for _, one := range asked {
			if one != asked[0] || !strings.Contains(one, `Bearer hunter2 application/json {"price": 12.5, "title": "secret thing"}`) {
				t.Fatalf("item %d was asked %q, and %q", id, asked[0], one)
			}
		}
		names[strings.Fields(asked[0])[1]] = true
	}
	if len(names) != 12 {
		t.Fatalf("12 items have %d names", len(names))
	}
}

func TestWhatAServiceDoesNotTakeHasFailed(t *testing.T) {
	t.Parallel()
	service, elsewhere := newService(t), newService(t)
	s, p := askingShop(t, service, 6)
	busy := answering(500, "Retry-After", "0")
	service.script = map[string][]func(http.ResponseWriter, *http.Request){
		"/items/1": {answering(302, "Location", elsewhere.URL)},
		"/items/2": {answering(404)},
		"/items/3": {answering(503, "Retry-After", "3600")},
		"/items/4": {busy, busy, busy, busy, busy},
		"/items/5": {answering(307, "Location", elsewhere.URL)},
	}
	s.begin(p)
	claimed, hashes, err := s.ledger.ClaimPlan(t.Context(), p.ID, "worker")
	must(t, err)
	claimed.StopOnError = false
	if done, _, err := s.asking().Apply(t.Context(), claimed, hashes); !done || err != nil {
		t.Fatal(done, err)
	}
	for i, want := range []string{"redirects are not followed", "404 Not Found", "left alone for 1h", "tried 4 times", "redirects"} {
		if item := s.items(p)[i]; item.State != reconciler.ItemFailed || !strings.Contains(item.Note, want) {
			t.Errorf("item %d is %s: %q, want %q", item.N, item.State, item.Note, want)
		}
	}
	if item := s.items(p)[5]; item.State != reconciler.ItemSent {
		t.Errorf("item %d is %s: %q", item.N, item.State, item.Note)
	}
	if len(elsewhere.asked) > 0 {
		t.Errorf("a redirect was followed: %v", elsewhere.asked)
	}
	if len(service.asked["/items/4"]) != 4 {
		t.Errorf("asked %d times", len(service.asked["/items/4"]))
	}
}

func TestAServiceThatDoesNotAnswerMayHaveTakenIt(t *testing.T) {
	t.Parallel()
	service := newService(t)
	s, p := askingShop(t, service, 1)
	s.edge.Policy.Request.Tries, s.edge.Policy.Request.Timeout = 1, 50*time.Millisecond
	service.script["/items/1"] = append(service.script["/items/1"], func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p = s.apply(p, s.asking())
	if item := s.items(p)[0]; item.State != reconciler.ItemFailed || !strings.Contains(item.Note, "may have taken it") || strings.Contains(item.Note, "/items/1") {
		t.Fatalf("item is %s: %q", item.State, item.Note)
	}
}

// Between two tries the owner may have changed: what is outdated is not sent again.
func TestWhatChangedBetweenTwoTriesIsNotSentAgain(t *testing.T) {
	t.Parallel()
	service := newService(t)
	s, p := askingShop(t, service, 2)
	service.script["/items/1"] = append(service.script["/items/1"], func(w http.ResponseWriter, r *http.Request) {
		s.owner.put(t, row{id: 1, price: "99.00", title: "secret thing", version: 2})
		answering(503, "Retry-After", "0")(w, r)
	})
	p = s.apply(p, s.asking())
	if asked := service.asked["/items/1"]; len(asked) != 1 {
		t.Errorf("asked %d times, with %q", len(asked), asked)
	}
	if item := s.items(p)[0]; item.State != reconciler.ItemFailed || !strings.Contains(item.Note, "not sent again") || !strings.Contains(item.Note, "owner") {
		t.Errorf("item is %s: %q", item.State, item.Note)
	}
}

// A refusal says nothing of an earlier try that had no answer.
func TestARefusalAfterSilenceLeavesOpenWhetherItWasTaken(t *testing.T) {
	t.Parallel()
	service := newService(t)
	s, p := askingShop(t, service, 1)
	s.edge.Policy.Request.Timeout = 50 * time.Millisecond
	service.script["/items/1"] = append(service.script["/items/1"], func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, answering(409))
	p = s.apply(p, s.asking())
	if item := s.items(p)[0]; item.State != reconciler.ItemFailed || !strings.Contains(item.Note, "409") || !strings.Contains(item.Note, "may have taken it") {
		t.Fatalf("item is %s: %q", item.State, item.Note)
	}
}

// forgetful is a journal that dies before it keeps the first outcome.
type forgetful struct {
	reconciler.Journal
	died bool
}

func (j *forgetful) Settle(ctx context.Context, i *reconciler.Item, state reconciler.ItemState) error {
	if !j.died {
		j.died = true
		return errKilled
	}
	return j.Journal.Settle(ctx, i, state)
}

func TestARequestWhoseAnswerNobodyKeptIsSentAgainUnderItsName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		then  func(s *shop)
		asked int
		state reconciler.ItemState
		note  string
	}{
		{"nothing else happened", func(*shop) {}, 2, reconciler.ItemSent, "sent again"},
		{"its effect is seen", func(s *shop) { s.replica.put(t, row{id: 1, price: "12.50", title: "secret thing", version: 1}) }, 1, reconciler.ItemSent, "agree by now"},
		{"the owner changed", func(s *shop) { s.owner.put(t, row{id: 1, price: "99.00", title: "secret thing", version: 2}) }, 1, reconciler.ItemFailed, "not sent again"},
	} {
		service := newService(t)
		s, p := askingShop(t, service, 2)
		a := s.asking()
		a.Journal = &forgetful{Journal: s.journal}
		s.begin(p)
		claimed, hashes, err := s.ledger.ClaimPlan(t.Context(), p.ID, a.Worker)
		must(t, err)
		if _, _, err := a.Apply(t.Context(), claimed, hashes); err == nil {
			t.Fatal("nobody died")
		}
		c.then(s)
		s.passed.Add(int64(time.Hour))
		next := s.asking()
		next.Worker = "another"
		p = s.goOn(p, next)
		asked := service.asked["/items/1"]
		if item := s.items(p)[0]; item.State != c.state || !strings.Contains(item.Note, c.note) || len(asked) != c.asked || asked[0] != asked[len(asked)-1] {
			t.Errorf("%s: item is %s (%q), asked %q", c.name, item.State, item.Note, asked)
		}
	}
}

func TestARehearsalAsksNothingAndAStaleRequestIsNotSent(t *testing.T) {
	t.Parallel()
	service := newService(t)
	s, p := askingShop(t, service, 3)
	s.owner.put(t, row{id: 1, price: "99.00", title: "secret thing", version: 2})
	s.replica.put(t, row{id: 2, price: "12.50", title: "secret thing", version: 1})
	rehearsed, err := reconciler.Rehearse(t.Context(), s.edge, s.items(p))
	must(t, err)
	if len(service.asked) > 0 || rehearsed[0].State != reconciler.ItemStale || rehearsed[1].State != reconciler.ItemStale || rehearsed[2].State != reconciler.Pending {
		t.Fatalf("rehearsed %v, asked %v", rehearsed, service.asked)
	}
	p = s.apply(p, s.asking())
	if p.Counts[reconciler.ItemStale] != 2 || p.Counts[reconciler.ItemSent] != 1 || len(service.asked) != 1 {
		t.Fatalf("%v, asked %v", p.Counts, service.asked)
	}
}
