package http_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"plumbline/sources"
)

func look(t *testing.T, s sources.Source, d *sources.Dataset, ids ...int) (records []sources.Record, err error) {
	t.Helper()
	var keys []sources.Key
	for _, id := range ids {
		keys = append(keys, sources.Key{sources.Int(int64(id))})
	}
	var after sources.Position
	for {
		page, err := s.Lookup(t.Context(), d, keys, after, sources.Limit{Records: 1000, Bytes: 1 << 20})
		records = append(records, page.Records...)
		if err != nil || page.Done {
			return records, err
		}
		after = page.Next
	}
}

func serviceOf(t *testing.T, handle http.HandlerFunc) sources.Source {
	t.Helper()
	return open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + serveOn(t, handle))})
}

// An error object in the place of a document with an array is no document without one.
func TestAnErrorObjectIsNoDocumentWithoutElements(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"an error": `{"error":"shard 3 is down"}`, "another document": `{"id":9,"items":[{"n":1}]}`, "another without elements": `{"id":9,"items":[]}`} {
		s := serviceOf(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/baskets/7":
				say(w, body)
			case strings.HasPrefix(r.URL.Path, "/baskets/"):
				say(w, `{"id":`+strings.TrimPrefix(r.URL.Path, "/baskets/")+`,"items":[{"n":1},{"n":2}]}`)
			default:
				say(w, `[{"id":1,"items":[{"n":1}]},`+body+`]`)
			}
		})
		d := &sources.Dataset{Endpoint: &sources.Endpoint{List: &sources.Listing{Path: "/baskets"}, Get: &sources.Getting{Path: "/baskets/{id}"},
			Batch: &sources.Batching{Path: "/baskets", Query: map[string]string{"ids": "{ids}"}}}, Unwind: "items", Key: []string{"id"}, Fields: []string{"items.n"}}
		get := *d
		get.Endpoint = &sources.Endpoint{Get: d.Endpoint.Get}
		records, err := look(t, s, &get, 3, 7)
		if err == nil && (len(records) != 3 || records[2].Skipped == "") {
			t.Errorf("%s by get: %+v: nobody knows of 7", name, records)
		}
		records, err = look(t, s, d, 1, 7)
		if err == nil && (len(records) != 2 || records[1].Skipped == "") {
			t.Errorf("%s by batch: %+v: nobody knows of 7", name, records)
		}
		if keys, err := scan(t.Context(), s, d); strings.HasPrefix(name, "an e") && err == nil {
			t.Errorf("%s in the list: %q", name, keys)
		}
	}
}

// A batch whose answer holds nothing now and then, or only the first few of the
// keys, leaves out no record that is there.
func TestABatchIsBelievedOnlyWhereItHoldsWhatIsKnown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ there, honoured, every int }{
		"nothing now and then":   {there: 100, honoured: 1000, every: 3},
		"the first ten keys":     {there: 30, honoured: 10},
		"nothing but first keys": {there: 30, honoured: 3},
	} {
		var asked atomic.Int64
		s := serviceOf(t, func(w http.ResponseWriter, r *http.Request) {
			var out []string
			for i, id := range strings.Split(r.URL.Query().Get("ids"), ",") {
				n, err := strconv.Atoi(id)
				if err == nil && i < c.honoured && n > 70 && n <= 70+c.there {
					out = append(out, fmt.Sprintf(`{"id":%d}`, n))
				}
			}
			if n := asked.Add(1); c.every > 0 && n%int64(c.every) == 0 {
				out = nil
			}
			say(w, `[`+strings.Join(out, ",")+`]`)
		})
		d := members(&sources.Endpoint{Batch: &sources.Batching{Path: "/members", Query: map[string]string{"ids": "{ids}"}, Size: 50}})
		if _, err := look(t, s, d, 71); err != nil { // it is known from now on
			t.Fatal(err)
		}
		ids := []int{}
		for id := range 100 { // 71 to 100 are there
			ids = append(ids, id+1)
		}
		if records, err := look(t, s, d, ids...); err == nil && len(records) != 30 {
			t.Errorf("%s: %d records of 30 after %d requests", name, len(records), asked.Load())
		} else if err != nil {
			t.Logf("%s: %v", name, err)
		}
	}
}

// Pages whose records are all of another scope are pages with records.
func TestAScopeThatFewRecordsAreInIsFoundHoweverFarBehind(t *testing.T) {
	t.Parallel()
	s := serviceOf(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi("0" + r.URL.Query().Get("next"))
		if err != nil {
			t.Error(err)
		}
		next := "null"
		if n < 250 {
			next = strconv.Itoa(n + 1)
		}
		say(w, fmt.Sprintf(`{"data":[{"id":%d,"tenant":%q}],"next":%s}`, n, map[bool]string{true: "ours"}[n == 250], next))
	})
	d := members(&sources.Endpoint{List: &sources.Listing{Path: "/members", Items: "$.data", Next: "$.next"}})
	d.Scope = []sources.Condition{{Field: "tenant", Value: sources.Text("ours")}}
	if keys, err := scan(t.Context(), s, d); err != nil || len(keys) != 1 {
		t.Errorf("%q, %v", keys, err)
	}
}

// A cursor may begin with a slash, as base64 does, where a parameter takes it.
func TestACursorMayBeginWithASlash(t *testing.T) {
	t.Parallel()
	s := serviceOf(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path + r.URL.Query().Get("from") {
		case "/members":
			say(w, `{"data":[{"id":1}],"next":"/+8="}`)
		case "/members/+8=":
			say(w, `{"data":[{"id":2}],"next":""}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	d := members(&sources.Endpoint{List: &sources.Listing{Path: "/members", Items: "$.data", Next: "$.next", Query: map[string]string{"from": "{next}"}}})
	if keys, err := scan(t.Context(), s, d); err != nil || len(keys) != 2 {
		t.Errorf("%q, %v", keys, err)
	}
}

// A login that knows nothing says nothing of a record.
func TestNotFoundAtAnotherPlaceIsNoAbsence(t *testing.T) {
	t.Parallel()
	for status, absent := range map[int]bool{301: true, 302: false, 303: false, 307: false, 308: true} {
		s := serviceOf(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/members/1":
				say(w, `{"id":1}`)
			case strings.HasPrefix(r.URL.Path, "/members/"):
				http.Redirect(w, r, "/login", status)
			default:
				w.WriteHeader(http.StatusNotFound)
			}
		})
		records, err := look(t, s, members(&sources.Endpoint{Get: &sources.Getting{Path: "/members/{id}"}}), 1, 2)
		if (err == nil) != absent || absent && len(records) != 1 {
			t.Errorf("%d: %+v, %v", status, records, err)
		}
	}
}

// What answers need not be of any size, in records, in what names a page, or in words.
func TestWhatAServiceSaysIsBounded(t *testing.T) {
	t.Parallel()
	const secret = "hidden-value"
	for name, c := range map[string]struct{ body, kind, unwind, want string }{
		"records":  {body: `{"data":[{"id":1}` + strings.Repeat(`,{"id":1}`, 1<<18) + `]}`, want: "more than 262144 records"},
		"elements": {body: `{"data":[{"id":1,"items":[0` + strings.Repeat(`,0`, 1<<18) + `]}]}`, unwind: "items", want: "more than 262144 records"},
		"a token":  {body: `{"data":[{"id":1}],"next":"` + strings.Repeat("x", 9000) + `"}`, want: "longer than 8192"},
		"a type":   {body: `{}`, kind: "text/" + strings.Repeat("x", 9000), want: "…"},
	} {
		s := serviceOf(t, func(w http.ResponseWriter, _ *http.Request) {
			if c.kind != "" {
				w.Header().Set("Content-Type", c.kind)
			}
			say(w, c.body)
		})
		d := members(&sources.Endpoint{List: &sources.Listing{Path: "/members", Items: "$.data", Next: "$.next"}})
		d.Unwind = c.unwind
		if _, err := scan(t.Context(), s, d); err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 400 {
			t.Errorf("%s: %.500v", name, err)
		}
	}
	s := serviceOf(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n")) // whoever asked may be gone
		_ = conn.Close()
	})
	if _, err := scan(t.Context(), s, listOnly()); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a header that is none: %v", err)
	}
}
