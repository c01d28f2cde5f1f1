package http

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// api is a real service on a loopback port, with tables of JSON records below /api.
type api struct {
	host string

	mu     sync.Mutex
	tables map[string]*served
}

// served is one table: by its list, by get where get is set, and by batch.
type served struct {
	get     bool
	records []string
	byKey   map[string][]int
}

func (a *api) put(name string, table *served) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tables[name] = table
}

func serve(t *testing.T) *api {
	t.Helper()
	a := &api{tables: map[string]*served{}}
	a.host = listen(t, a)
	return a
}

// listen serves a handler until the test ends.
func listen(t testing.TB, handler http.Handler) (host string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	var done sync.WaitGroup
	done.Go(func() {
		if err := server.Serve(l); err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		done.Wait()
	})
	return l.Addr().String()
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	if r.Method != http.MethodGet || user != "reader" || password != "hidden!word" || r.URL.Query().Get("key") != "hidden-query" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/api"), "/")
	var table *served
	if len(parts) > 1 {
		a.mu.Lock()
		table = a.tables[parts[1]]
		a.mu.Unlock()
	}
	switch {
	case table == nil:
		http.Error(w, `{"error":"no such path"}`, http.StatusNotFound)
	case len(parts) > 2 && table.get:
		table.one(w, parts[2:])
	case len(parts) > 2:
		http.Error(w, `{"error":"no such path"}`, http.StatusNotFound)
	case r.URL.Query().Has("ids"):
		table.many(w, strings.Split(r.URL.Query().Get("ids"), ","))
	default:
		table.list(w, r.URL.Query())
	}
}

func say(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if _, err := w.Write([]byte(body)); err != nil {
		return // the reader is gone
	}
}

func (s *served) one(w http.ResponseWriter, parts []string) {
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			http.Error(w, "bad key", http.StatusBadRequest)
			return
		}
		parts[i] = text
	}
	found := s.byKey[strings.Join(parts, "\x00|")]
	if len(found) == 0 {
		http.Error(w, `{"error":"no such record"}`, http.StatusNotFound)
		return
	}
	say(w, s.records[found[0]])
}

func (s *served) many(w http.ResponseWriter, ids []string) {
	var out []string
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			for _, n := range s.byKey[id] {
				out = append(out, s.records[n])
			}
		}
	}
	say(w, `{"data":[`+strings.Join(out, ",")+`]}`)
}

func (s *served) list(w http.ResponseWriter, query url.Values) {
	size, err := strconv.Atoi(query.Get("page_size"))
	if err != nil {
		http.Error(w, "no page_size", http.StatusBadRequest)
		return
	}
	from := 0
	if next := query.Get("next"); next != "" {
		if from, err = strconv.Atoi(next); err != nil {
			http.Error(w, "bad next", http.StatusBadRequest)
			return
		}
	}
	to := min(from+size, len(s.records))
	next := "null"
	if to < len(s.records) {
		next = fmt.Sprintf("%q", strconv.Itoa(to))
	}
	say(w, fmt.Sprintf(`{"data":[%s],"page":{"next":%s}}`, strings.Join(s.records[from:to], ","), next))
}
