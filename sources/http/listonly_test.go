package http_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"plumbline/sources"
)

// book is a paged list of members, five a page, of which a page may be told wrongly.
type book struct {
	mu       sync.Mutex
	ids      []int
	level    string
	distort  func(page []string, next string) ([]string, string)
	requests atomic.Int64
}

func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests.Add(1)
	one := func(id int) string { return fmt.Sprintf(`{"id":%d,"level":%q}`, id, b.level) }
	if id, single := strings.CutPrefix(r.URL.Path, "/members/"); single {
		for _, known := range b.ids {
			if strconv.Itoa(known) == id {
				say(w, one(known))
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		return
	}
	from, err := strconv.Atoi("0" + r.URL.Query().Get("next"))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var page []string
	next := ""
	to := min(from+5, len(b.ids))
	for _, id := range b.ids[min(from, to):to] {
		page = append(page, one(id))
	}
	if to < len(b.ids) {
		next = strconv.Itoa(to)
	}
	if b.distort != nil {
		page, next = b.distort(page, next)
	}
	say(w, fmt.Sprintf(`{"data":[%s],"next":%q}`, strings.Join(page, ","), next))
}

func (b *book) change(how func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	how()
}

func newBook(n int) *book {
	b := &book{level: "gold"}
	for id := 1; id <= n; id++ {
		b.ids = append(b.ids, id)
	}
	return b
}

func listOnly() *sources.Dataset {
	return members(&sources.Endpoint{List: &sources.Listing{Path: "/members", Items: "$.data", Next: "$.next"}})
}

// Pages that are short now and then, or end the list, make no record missing.
func TestAKeyIsAbsentFromAListThatIsReadWholeTwice(t *testing.T) {
	t.Parallel()
	told, failed := 0, 0
	for i := range 60 {
		b := newBook(23)
		b.distort = func(page []string, next string) ([]string, string) {
			asked := int(b.requests.Load())
			if asked%(11+i) > 0 || len(page) == 0 {
				return page, next
			}
			if i%2 == 0 {
				return nil, ""
			}
			drop := asked / (11 + i) % len(page)
			return append(page[:drop:drop], page[drop+1:]...), next
		}
		s := serviceOf(t, b.ServeHTTP)
		d := listOnly()
		for range 3 { // a difference is confirmed by asking again
			records, err := look(t, s, d, 1, 7, 12, 18, 23, 24)
			switch {
			case err != nil:
				failed++
			case len(records) != 5:
				t.Errorf("%d of 5 records", len(records))
			default:
				told++
			}
		}
	}
	t.Logf("told %d times, and %d times that nobody can tell", told, failed)
	if told < 60 {
		t.Errorf("told %d times of 180 only", told)
	}
}

// What a list said before a key was asked for again is no answer, whether a look-up
// or a scan told of the key the first time.
func TestAListAnswersAboutAKeyOnce(t *testing.T) {
	t.Parallel()
	b := newBook(12)
	s := serviceOf(t, b.ServeHTTP)
	d := listOnly()
	level := func(id int) string {
		records, err := look(t, s, d, id)
		if err != nil || len(records) != 1 {
			t.Fatalf("%+v, %v", records, err)
		}
		return records[0].Fields[0].AsText()
	}
	level(1)
	level(2)
	before := b.requests.Load()
	level(3)
	if n := b.requests.Load(); n != before {
		t.Errorf("%d requests for a key that was read a moment ago", n-before)
	}
	level(1) // reads the list again
	b.change(func() { b.level = "silver" })
	if got := level(2); got != "silver" {
		t.Errorf("a second question is answered by what was read before it: %s", got)
	}
	if _, err := scan(t.Context(), s, d); err != nil {
		t.Fatal(err)
	}
	b.change(func() { b.level = "bronze" })
	if got := level(9); got != "bronze" {
		t.Errorf("a key that a scan delivered is looked up in what was read before: %s", got)
	}
}

// A list that comes to end before the records it ended with is cut short, unless
// look-ups say that they are gone.
func TestAListThatComesToEndEarlyIsNotWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		get, deleted, wrong bool
	}{"list": {wrong: true}, "list and get": {get: true, wrong: true}, "list and get, deleted": {get: true, deleted: true}} {
		b := newBook(23)
		s := serviceOf(t, b.ServeHTTP)
		d := listOnly()
		if c.get {
			d.Endpoint.Get = &sources.Getting{Path: "/members/{id}"}
		}
		if keys, err := scan(t.Context(), s, d); err != nil || len(keys) != 23 {
			t.Fatal(name, keys, err)
		}
		b.change(func() {
			if c.deleted {
				b.ids = b.ids[:5]
			}
			b.distort = func(page []string, _ string) ([]string, string) { return page, "" }
		})
		again := *d // as each run has its own
		keys, err := scan(t.Context(), s, &again)
		if (err != nil) != c.wrong {
			t.Errorf("%s: the list is cut to %d: %v", name, len(keys), err)
		}
		if records, err := look(t, s, &again, 20); !c.get && err == nil {
			t.Errorf("%s: looked up in a list cut short: %+v", name, records)
		}
	}
}
