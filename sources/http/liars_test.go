package http_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// member is a record of a service that lies, as JSON.
type member struct {
	id   int
	json string
}

// honest is a service of members without a fault, in the order of their ids.
type honest struct {
	members []member
	mu      sync.Mutex
	order   func(n int) []int // which member stands where, asked for each page; nil is by id
}

func (h *honest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/members/"):
		for _, m := range h.members {
			if strconv.Itoa(m.id) == strings.TrimPrefix(r.URL.Path, "/members/") {
				say(w, m.json)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		say(w, `{"error":"no such member"}`)
	case r.URL.Query().Has("ids"):
		var out []string
		for id := range strings.SplitSeq(r.URL.Query().Get("ids"), ",") {
			for _, m := range h.members {
				if strconv.Itoa(m.id) == id {
					out = append(out, m.json)
				}
			}
		}
		say(w, `{"data":[`+strings.Join(out, ",")+`]}`)
	default:
		h.page(w, r)
	}
}

func (h *honest) page(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(r.URL.Query().Get("page_size"))
	from, _ := strconv.Atoi(r.URL.Query().Get("next"))
	at := make([]int, len(h.members))
	for i := range at {
		at[i] = i
	}
	if h.order != nil {
		h.mu.Lock()
		at = h.order(len(h.members))
		h.mu.Unlock()
	}
	var out []string
	to := min(from+size, len(at))
	for _, i := range at[min(from, to):to] {
		out = append(out, h.members[i].json)
	}
	next := "null"
	if to < len(at) {
		next = strconv.Itoa(to)
	}
	say(w, fmt.Sprintf(`{"data":[%s],"page":{"next":%s}}`, strings.Join(out, ","), next))
}

func say(w http.ResponseWriter, body string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	_, _ = io.WriteString(w, body) // whoever asked may be gone
}

// recorded is an answer before it is sent, for a liar to change.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(status int)      { r.status = status }
func (r *recorded) Write(b []byte) (int, error) { return r.body.Write(b) }

// lie is one way not to tell the truth. It tells the answer to a request, in
// place of the honest one.
type lie struct {
	name string
	// tell answers; share is how often the lie is told, of all requests, once it has begun.
	tell  func(s *script, w http.ResponseWriter, r *http.Request, honest *recorded)
	share float64
	order func(random *rand.Rand) func(n int) []int
	// needs is the way of reading that the lie is about: list, get or batch; "" is any.
	needs string
	// begins is the first request that the lie may begin with.
	begins int
	// omits: the list says that it ends where it does not. What it leaves out may
	// stay unseen, and what is found must be true all the same.
	omits bool
}

// script is one service that lies.
type script struct {
	lie    *lie
	honest *honest
	mu     sync.Mutex
	random *rand.Rand
	begins int // the request with which the lie begins
	asked  int
	told   int
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked++
	lies := s.lie.tell != nil && s.asked > s.begins && s.random.Float64() < s.lie.share
	if lies {
		s.told++
	}
	s.mu.Unlock()
	if !lies {
		s.honest.ServeHTTP(w, r)
		return
	}
	out := &recorded{header: http.Header{}, status: http.StatusOK}
	s.honest.ServeHTTP(out, r)
	s.lie.tell(s, w, r, out)
}

func (s *script) counts() (told, asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told, s.asked
}

// instead says a body with a type and a status.
func instead(status int, kind, body string, header ...string) func(*script, http.ResponseWriter, *http.Request, *recorded) {
	return func(_ *script, w http.ResponseWriter, _ *http.Request, _ *recorded) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		say(w, body)
	}
}

// changed says the honest body, changed.
func changed(change func(body string) string) func(*script, http.ResponseWriter, *http.Request, *recorded) {
	return func(_ *script, w http.ResponseWriter, _ *http.Request, h *recorded) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(h.status)
		say(w, change(h.body.String()))
	}
}

// onList tells a lie about pages of the list alone.
func onList(tell func(*script, http.ResponseWriter, *http.Request, *recorded)) func(*script, http.ResponseWriter, *http.Request, *recorded) {
	return func(s *script, w http.ResponseWriter, r *http.Request, h *recorded) {
		if r.URL.Path != "/members" || r.URL.Query().Has("ids") {
			s.honest.ServeHTTP(w, r)
			return
		}
		tell(s, w, r, h)
	}
}

// replaced asks the honest service something else.
func replaced(change func(r *http.Request)) func(*script, http.ResponseWriter, *http.Request, *recorded) {
	return func(s *script, w http.ResponseWriter, r *http.Request, _ *recorded) {
		other := r.Clone(r.Context())
		change(other)
		s.honest.ServeHTTP(w, other)
	}
}

func setQuery(r *http.Request, name, value string) {
	query := r.URL.Query()
	query.Set(name, value)
	r.URL.RawQuery = query.Encode()
}

func lies() []lie {
	const page, json = "<html><body>Something went wrong</body></html>", "application/json"
	cut := func(body string) string { return body[:len(body)*2/3] }
	hangUp := func(_ *script, w http.ResponseWriter, _ *http.Request, h *recorded) {
		w.Header().Set("Content-Type", json)
		w.Header().Set("Content-Length", strconv.Itoa(h.body.Len()))
		say(w, cut(h.body.String()))
		panic(http.ErrAbortHandler)
	}
	zipped := func(_ *script, w http.ResponseWriter, _ *http.Request, h *recorded) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(h.body.Bytes()) // into memory
		_ = z.Close()
		w.Header().Set("Content-Type", json)
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(h.status)
		say(w, packed.String()[:packed.Len()-9])
	}
	return []lie{
		{name: "an error page with 200", tell: instead(200, "text/html", page), share: 0.3},
		{name: "an error page with 200 from some moment on", tell: instead(200, "text/html", page), share: 1},
		{name: "an error page that says it is JSON", tell: instead(200, json, page), share: 0.3},
		{name: "an error object with 200", tell: instead(200, json, `{"error":"internal","data":null}`), share: 0.3},
		{name: "an error object with 200 from some moment on", tell: instead(200, json, `{"error":"internal"}`), share: 1},
		{name: "a text in place of the records", tell: instead(200, json, `{"data":"try later"}`), share: 0.5},
		{name: "an object in place of the records", tell: instead(200, json, `{"data":{"0":{"id":1}}}`), share: 0.5},
		{name: "null for an answer", tell: instead(200, json, `null`), share: 0.3},
		{name: "an empty body with 200", tell: instead(200, json, ``), share: 0.3},
		{name: "204 and nothing", tell: instead(204, json, ``), share: 0.3},
		{name: "206 and a part", tell: instead(206, json, `{"data":[]}`), share: 0.3},
		{name: "304 to what was never asked before", tell: instead(304, json, ``), share: 0.3},
		{name: "truncated JSON", tell: changed(cut), share: 0.3},
		{name: "JSON followed by an error page", tell: changed(func(body string) string { return body + page }), share: 0.3},
		{name: "a body shorter than it says", tell: hangUp, share: 0.3},
		{name: "a gzip that is cut off", tell: zipped, share: 0.3},
		{name: "records without their key", tell: changed(func(body string) string { return strings.ReplaceAll(body, `"id"`, `"uid"`) }), share: 0.3},
		{name: "records whose key is null", tell: changed(func(body string) string { return strings.ReplaceAll(body, `"id":1`, `"id":null,"n":1`) }), share: 0.3},
		{name: "errors among the records", tell: onList(changed(func(body string) string { return strings.Replace(body, `[`, `[{"error":"shard 3 is down"},`, 1) })), share: 0.3, needs: "list"},
		{name: "the records twice in an answer", tell: changed(func(body string) string { return strings.Replace(body, `"data":[`, `"data":[],"data":[`, 1) }), share: 0.4, needs: "list"},
		{name: "deep nesting", tell: changed(func(body string) string { return strings.Repeat("[", 100_000) + body }), share: 0.3},
		{name: "a page repeated under another token", tell: onList(replaced(func(r *http.Request) {
			if next, _ := strconv.Atoi(r.URL.Query().Get("next")); next > 0 {
				setQuery(r, "next", strconv.Itoa(max(0, next-10)))
			}
		})), share: 1, needs: "list"},
		{name: "a page loop", tell: onList(changed(func(body string) string { return strings.Replace(body, `"next":null`, `"next":20`, 1) })), share: 1, needs: "list"},
		{name: "a page that leads to itself", tell: onList(func(_ *script, w http.ResponseWriter, r *http.Request, h *recorded) {
			at, _, _ := strings.Cut(h.body.String(), `"page"`)
			here, _ := strconv.Atoi(r.URL.Query().Get("next"))
			say(w, fmt.Sprintf(`%s"page":{"next":%d}}`, at, here))
		}), share: 1, needs: "list"},
		{name: "empty pages without end", tell: onList(func(s *script, w http.ResponseWriter, _ *http.Request, _ *recorded) {
			s.mu.Lock()
			defer s.mu.Unlock()
			say(w, fmt.Sprintf(`{"data":[],"page":{"next":%d}}`, 1_000_000+s.asked))
		}), share: 1, needs: "list"},
		{name: "an order that changes between pages", order: func(random *rand.Rand) func(int) []int { return random.Perm }, needs: "list"},
		{name: "a list that turns round now and then", order: func(random *rand.Rand) func(int) []int {
			return func(n int) []int {
				at, back := make([]int, n), random.IntN(2) == 0
				for i := range at {
					if at[i] = i; back {
						at[i] = n - 1 - i
					}
				}
				return at
			}
		}, needs: "list"},
		{name: "an empty list now and then", tell: onList(func(s *script, w http.ResponseWriter, r *http.Request, _ *recorded) {
			if r.URL.Query().Has("next") {
				s.honest.ServeHTTP(w, r)
				return
			}
			say(w, `{"data":[],"page":{"next":null}}`)
		}), share: 0.3, needs: "list", begins: 2},
		{name: "an empty list all along", tell: onList(instead(200, json, `{"data":[],"page":{"next":null}}`)), share: 1, needs: "list and", begins: -100},
		{name: "a list that ends early now and then", tell: onList(instead(200, json, `{"data":[],"page":{"next":null}}`)), share: 0.5, needs: "list and", begins: 2, omits: true},
		{name: "a list that ends early once in ten pages", tell: onList(instead(200, json, `{"data":[],"page":{"next":null}}`)), share: 0.1, needs: "list", begins: 2, omits: true},
		{name: "a page that lacks a record now and then", tell: onList(changed(func(body string) string {
			first, rest, more := strings.Cut(body, `},{`)
			if !more {
				return first
			}
			return `{"data":[{` + rest
		})), share: 0.05, needs: "list", begins: 2, omits: true},
		{name: "a batch that finds nothing now and then", tell: replaced(func(r *http.Request) {
			if r.URL.Query().Has("ids") {
				setQuery(r, "ids", "0")
			}
		}), share: 0.3, needs: "batch"},
		{name: "a list that ends after its first page", tell: onList(func(s *script, w http.ResponseWriter, _ *http.Request, h *recorded) {
			at, _, _ := strings.Cut(h.body.String(), `"page"`)
			say(w, at+`"page":{"next":""}}`)
		}), share: 1, needs: "list and", omits: true},
		{name: "a next page somewhere else", tell: onList(changed(func(body string) string {
			return strings.Replace(body, `"next":`, `"next":"http://192.0.2.1/members","was":`, 1)
		})), share: 1, needs: "list"},
		{name: "a next page that is an object", tell: onList(changed(func(body string) string { return strings.Replace(body, `"next":`, `"next":{"to":1},"was":`, 1) })), share: 0.5, needs: "list"},
		{name: "429 now and then", tell: instead(429, json, `{}`, "Retry-After", "0"), share: 0.3},
		{name: "429 from some moment on", tell: instead(429, "text/plain", "slow down"), share: 1},
		{name: "503 with a date", tell: instead(503, "text/html", page, "Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"), share: 0.3},
		{name: "500 now and then", tell: instead(500, "text/html", page), share: 0.3},
		{name: "a redirect to another host", tell: instead(302, "text/html", page, "Location", "http://192.0.2.1/login"), share: 1},
		{name: "a redirect to a login page", tell: instead(302, "text/html", page, "Location", "/login"), share: 1},
		{name: "401 from some moment on", tell: instead(401, json, `{}`), share: 1},
		{name: "404 for everything from some moment on", tell: instead(404, json, `{}`), share: 1},
		{name: "404 for every record from some moment on", tell: func(s *script, w http.ResponseWriter, r *http.Request, _ *recorded) {
			if strings.HasPrefix(r.URL.Path, "/members/") {
				w.WriteHeader(404)
				return
			}
			s.honest.ServeHTTP(w, r)
		}, share: 1, needs: "get"},
		{name: "another record than was asked for", tell: func(s *script, w http.ResponseWriter, r *http.Request, _ *recorded) {
			if strings.HasPrefix(r.URL.Path, "/members/") {
				say(w, s.honest.members[0].json)
				return
			}
			s.honest.ServeHTTP(w, r)
		}, share: 0.4, needs: "get"},
		{name: "a batch that ignores its keys", tell: replaced(func(r *http.Request) {
			if r.URL.Query().Has("ids") {
				r.URL.RawQuery = "page_size=20"
			}
		}), share: 1, needs: "batch"},
		{name: "a batch that gives ten at most", tell: replaced(func(r *http.Request) {
			if ids := strings.Split(r.URL.Query().Get("ids"), ","); len(ids) > 10 {
				setQuery(r, "ids", strings.Join(ids[:10], ","))
			}
		}), share: 1, needs: "batch"},
		{name: "a batch that finds nothing from some moment on", tell: replaced(func(r *http.Request) {
			if r.URL.Query().Has("ids") {
				setQuery(r, "ids", "0")
			}
		}), share: 1, needs: "batch"},
	}
}
