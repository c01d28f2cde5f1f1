package http_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/sources"
	httpsource "plumbline/sources/http"
)

func open(t *testing.T, o sources.Options) sources.Source {
	t.Helper()
	s, err := httpsource.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func scan(ctx context.Context, s sources.Source, d *sources.Dataset) (keys []string, err error) {
	var after sources.Position
	for {
		page, err := s.(sources.Scanner).Scan(ctx, d, sources.ScanRequest{Span: sources.Span{After: after}, Limit: sources.Limit{Records: 100, Bytes: 1 << 20}})
		if err != nil {
			return keys, err
		}
		for _, r := range page.Records {
			keys = append(keys, r.Key.String())
		}
		if page.Done {
			return keys, nil
		}
		after = page.Next
	}
}

func members(e *sources.Endpoint) *sources.Dataset {
	return &sources.Dataset{Endpoint: e, Key: []string{"id"}, Fields: []string{"level"}}
}

func text(s string) sources.Key { return sources.Key{sources.Text(s)} }

// A key is one part of a path or one value of a query, whatever it holds: it never
// asks for another resource.
func TestAHostileKeyAsksForNothingElse(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.RequestURI)
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		segments := strings.Split(r.URL.EscapedPath(), "/")
		key, err := url.PathUnescape(segments[len(segments)-1])
		if len(segments) != 4 || segments[2] != "members" || err != nil || r.URL.RawQuery != "v=2" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		body, err := json.Marshal(map[string]string{"id": key, "level": "x"})
		if err != nil {
			t.Error(err)
		}
		say(w, string(body))
	}))
	s := open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host + "/api?v=2")})
	d := members(&sources.Endpoint{Get: &sources.Getting{Path: "/members/{id}"}})
	for _, key := range []string{"a/b", "a/../b", "../admin", "../../admin", "?admin=1", "#x", "a?b#c", "%2e%2e", "%2F", "a%00b", ";x", "a b", "a+b", "&v=3", "ключ", "😀", ":", "//evil", `\..\admin`, "http://evil/", "..;/x"} {
		page, err := s.Lookup(t.Context(), d, []sources.Key{text(key)}, nil, sources.Limit{Records: 10, Bytes: 1 << 20})
		if err != nil || page.Len() != 1 || page.Records[0].Skipped != "" || page.Records[0].Key[0].AsText() != key {
			t.Errorf("%q: %+v, %v", key, page.Records, err)
		}
	}
	for _, key := range []string{".", "..", strings.Repeat("x", 10_000)} {
		page, err := s.Lookup(t.Context(), d, []sources.Key{text(key)}, nil, sources.Limit{Records: 10, Bytes: 1 << 20})
		if err != nil || page.Len() != 1 || page.Records[0].Skipped == "" {
			t.Errorf("%.10q: %+v, %v; it is not skipped", key, page.Records, err)
		}
	}
	before := len(asked)
	if page, err := s.Lookup(t.Context(), d, []sources.Key{text("")}, nil, sources.Limit{Records: 10, Bytes: 1 << 20}); err != nil || page.Len() != 0 || len(asked) != before {
		t.Errorf("an empty key: %+v, %v, %q", page.Records, err, asked[before:])
	}
}

// One key that a service cannot read spoils neither the batch nor the run.
func TestAKeyThatIsRefusedIsSkippedAlone(t *testing.T) {
	t.Parallel()
	host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var out []string
		for id := range strings.SplitSeq(r.URL.Query().Get("ids"), ",") {
			if strings.Contains(id, "\n") {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			out = append(out, fmt.Sprintf(`{"id":%q}`, id))
		}
		say(w, `[`+strings.Join(out, ",")+`]`)
	}))
	s := open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host)})
	d := members(&sources.Endpoint{Batch: &sources.Batching{Path: "/members", Query: map[string]string{"ids": "{ids}"}}})
	keys := []sources.Key{text("a"), text("b"), text("c\nd"), text("e"), text("f,g")}
	page, err := s.Lookup(t.Context(), d, keys, nil, sources.Limit{Records: 10, Bytes: 1 << 20})
	if err != nil || page.Len() != 5 {
		t.Fatalf("%+v, %v", page.Records, err)
	}
	for _, r := range page.Records {
		if hostile := strings.ContainsAny(r.Key[0].AsText(), "\n,"); hostile != (r.Skipped != "") {
			t.Errorf("%q: skipped %q", r.Key[0].AsText(), r.Skipped)
		}
	}
}

// Headers, the url's userinfo and its query go with each request to the service,
// to nobody else, and into no error.
func TestSecretsGoToTheServiceAlone(t *testing.T) {
	t.Parallel()
	var strangers atomic.Int32
	stranger := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		strangers.Add(1)
		say(w, `[{"id":1}]`)
	}))
	var status atomic.Int32
	host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "hidden-password" || r.Header.Get("X-Key") != "hidden-header" || r.URL.Query().Get("key") != "hidden-query" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch code := int(status.Load()); {
		case code/100 == 3:
			http.Redirect(w, r, "http://"+stranger+"/?key=hidden-query", code)
		case code == 1:
			say(w, `{"data":[{"id":1}],"next":"http://`+stranger+`/?key=hidden-query"}`)
		case code == 2:
			say(w, `{"data":[{"id":1}],"next":"//`+stranger+`/x"}`)
		case code == 0:
			say(w, `hidden-body`)
		default:
			w.WriteHeader(code)
		}
	}))
	o := sources.Options{Name: "loyalty", URL: sources.Secret("http://reader:hidden-password@" + host + "/?key=hidden-query"), Headers: map[string]sources.Secret{"x-key": "hidden-header"}}
	s := open(t, o)
	d := members(&sources.Endpoint{List: &sources.Listing{Path: "/members", Items: "$.data", Next: "$.next"}})
	for _, code := range []int{0, 1, 2, 301, 302, 303, 307, 308, 400, 401, 403, 404, 429, 500} {
		status.Store(int32(code))
		_, err := scan(t.Context(), s, d)
		if err == nil {
			t.Errorf("%d is no error", code)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if told := fmt.Sprintf("%v %#v", e, e); strings.Contains(told, "hidden") {
				t.Errorf("%d: an error shows a secret: %s", code, told)
			}
		}
	}
	if n := strangers.Load(); n > 0 {
		t.Errorf("another host was called %d times", n)
	}
	bad := o
	bad.Headers = map[string]sources.Secret{"X-Key": "hidden\r\nX-Other: 1"}
	if _, err := httpsource.Open(bad); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a header with a line break: %v", err)
	}
}

func TestLinkLocalAddressesAreNeverCalled(t *testing.T) {
	t.Parallel()
	d := members(&sources.Endpoint{List: &sources.Listing{Path: "/latest/meta-data"}})
	for _, host := range []string{"169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]", "0.0.0.0", "[64:ff9b::a9fe:a9fe]", "100.100.100.200"} {
		s := open(t, sources.Options{Name: "cloud", URL: sources.Secret("http://" + host)})
		if _, err := scan(t.Context(), s, d); err == nil || sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "never called") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A service that asks to be left alone is read again when it says, and not before.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	for after, want := range map[string]time.Duration{"7": 7 * time.Second, "0": 0, "": 0, "-3": 0, "soon": 0, "86400": 5 * time.Minute,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second, "Wed, 21 Oct 2015 07:28:00 GMT": 0} {
		for _, status := range []int{429, 503} {
			host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", now.Format(http.TimeFormat))
				w.Header().Set("Retry-After", after)
				w.WriteHeader(status)
			}))
			s := open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host)})
			_, err := scan(t.Context(), s, members(&sources.Endpoint{List: &sources.Listing{Path: "/members"}}))
			if got := sources.RetryAfterOf(err); got != want || sources.FailureOf(err) != sources.FailureTransient {
				t.Errorf("%d with Retry-After %q: wait %s, want %s: %v", status, after, got, want, err)
			}
		}
	}
}

// A service that says 429 to every seventh request is got through: what came before stands.
func TestALookupGetsThroughAServiceThatIsOftenBusy(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%7 == 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		say(w, fmt.Sprintf(`{"id":%s,"level":"x"}`, strings.TrimPrefix(r.URL.Path, "/members/")))
	}))
	reader := sources.NewReader("loyalty", open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host)}), sources.Limits{Backoff: time.Millisecond}, nil)
	var keys []sources.Key
	for i := range 300 {
		keys = append(keys, sources.Key{sources.Int(int64(i))})
	}
	found := 0
	err := reader.Lookup(t.Context(), members(&sources.Endpoint{Get: &sources.Getting{Path: "/members/{id}"}}), keys, func(p *sources.Page) error {
		found += p.Len()
		return nil
	})
	if err != nil || found != 300 {
		t.Errorf("found %d of 300: %v", found, err)
	}
	if n := requests.Load(); n > 1500 {
		t.Errorf("%d requests for 300 keys", n)
	}
}

// An answer that would fill the memory is given up, packed or not.
func TestAnAnswerIsNoLongerThanItMayBe(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	zeros := bytes.Repeat([]byte(" "), 1<<20)
	for range 65 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		say(w, packed.String())
	}))
	s := open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host)})
	_, err := scan(t.Context(), s, members(&sources.Endpoint{List: &sources.Listing{Path: "/members"}}))
	if err == nil || !strings.Contains(err.Error(), "longer than 64 MiB") || sources.FailureOf(err) != sources.FailureFinal {
		t.Error(err)
	}
}

// A list that says by a strong tag that nothing changed is not sent again, and a
// weak tag promises nothing.
func TestOnlyAStrongTagStandsForTheSameRecords(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string][]string{`"v1"`: {"1"}, `W/"v1"`: {"2"}} {
		var bodies, level atomic.Int32
		level.Store(1)
		host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			if r.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			bodies.Add(1)
			say(w, fmt.Sprintf(`[{"id":%d}]`, level.Load()))
		}))
		s := open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host)})
		d := members(&sources.Endpoint{List: &sources.Listing{Path: "/members"}})
		if keys, err := scan(t.Context(), s, d); err != nil || len(keys) != 1 {
			t.Fatal(keys, err)
		}
		level.Store(2)
		keys, err := scan(t.Context(), s, d)
		if err != nil || fmt.Sprint(keys) != fmt.Sprint(want) {
			t.Errorf("%s: %q after %d bodies, %v", tag, keys, bodies.Load(), err)
		}
	}
}

// The next page may be an address, a path, a query or a cursor.
func TestTheNextPageIsFollowedHoweverItIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		next  func(host string) string
		query map[string]string
		want  string // of the second request
	}{
		"an address":               {func(host string) string { return "http://" + host + "/api/members?page=2" }, nil, "/api/members?key=k&page=2"},
		"a path":                   {func(string) string { return "/api/members?page=2" }, nil, "/api/members?key=k&page=2"},
		"a query":                  {func(string) string { return "?page=2" }, nil, "/api/members?key=k&page=2"},
		"a cursor":                 {func(string) string { return "c 2&x" }, nil, "/api/members?cursor=c+2%26x&key=k&page_size=50"},
		"a cursor for a parameter": {func(string) string { return "c2" }, map[string]string{"from": "{next}", "size": "{page_size}", "sort": "id"}, "/api/members?from=c2&key=k&size=50&sort=id"},
	} {
		var mu sync.Mutex
		var asked []string
		host := ""
		ready := make(chan struct{})
		host = serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-ready
			mu.Lock()
			defer mu.Unlock()
			if asked = append(asked, r.RequestURI); len(asked) > 1 {
				say(w, `{"data":[{"id":2}],"page":{"cursor":null}}`)
				return
			}
			say(w, fmt.Sprintf(`{"data":[{"id":1}],"page":{"cursor":%q}}`, c.next(host)))
		}))
		close(ready)
		s := open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host + "/api/?key=k")})
		keys, err := scan(t.Context(), s, members(&sources.Endpoint{List: &sources.Listing{Path: "/members", Items: "$.data", Next: "$.page['cursor']", PageSize: 50, Query: c.query}}))
		if err != nil || len(keys) != 2 || len(asked) != 3 || asked[1] != c.want || asked[2] != c.want { // an end is asked for twice
			t.Errorf("%s: %q, %v, asked %q, want %q", name, keys, err, asked, c.want)
		}
	}
}
