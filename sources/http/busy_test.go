package http_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/sources"
)

// A service that allows a few requests at a time is read to the end of its list:
// what was read before it said so stands, and it is left alone before the next.
func TestAListIsReadFromAServiceThatIsOftenBusy(t *testing.T) {
	t.Parallel()
	const pages, each = 14, 10
	var requests, hasty, until atomic.Int64
	host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if time.Now().UnixNano() < until.Load() {
			hasty.Add(1)
		}
		if requests.Add(1)%6 == 0 {
			until.Store(time.Now().Add(time.Second).UnixNano())
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		at, err := strconv.Atoi("0" + r.URL.Query().Get("next"))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var items []string
		for i := range each {
			items = append(items, fmt.Sprintf(`{"id":%d,"level":"x"}`, at*each+i))
		}
		next := "null"
		if at+1 < pages {
			next = fmt.Sprint(at + 1)
		}
		say(w, fmt.Sprintf(`{"data":[%s],"next":%s}`, strings.Join(items, ","), next))
	}))
	s := open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host)})
	d := members(&sources.Endpoint{List: &sources.Listing{Path: "/members", Items: "$.data", Next: "$.next"}})
	reader := sources.NewReader("loyalty", s, sources.Limits{Backoff: time.Millisecond}, nil)
	stream, got := reader.Stream(d, sources.ScanRequest{}), 0
	for {
		page, err := stream.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got += page.Len()
	}
	if got != pages*each {
		t.Errorf("read %d of %d records", got, pages*each)
	}
	if n, early := requests.Load(), hasty.Load(); n > pages+3 || early > 0 {
		t.Errorf("%d requests for %d pages, %d of them before the service allowed it", n, pages, early)
	}
}
