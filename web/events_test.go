package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/ledger"
)

// hear listens to a stream of events; each line that is not blank is sent on.
func hear(t *testing.T, a *api) <-chan string {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/events", a.watch)
	server := httptest.NewUnstartedServer(engine)
	server.Config.ReadTimeout = 300 * time.Millisecond // a stream outlives what bounds other requests
	server.Start()
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("content type %q", kind)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		defer answer.Body.Close()
		scanner := bufio.NewScanner(answer.Body)
		for scanner.Scan() {
			if line := scanner.Text(); line != "" {
				select {
				case lines <- line:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return lines
}

// next is the next line, within a deadline.
func next(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line, open := <-lines:
		if !open {
			t.Fatal("the stream has ended")
		}
		return line
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
	return ""
}

func quiet() *api {
	o := Options{}
	return &api{Options: o.withDefaults(), pulse: pulse{heartbeat: time.Hour, gather: 50 * time.Millisecond, tick: time.Hour}}
}

// Changes are told without names, each once where they come together, and the
// stream ends when the process does.
func TestEventsTellChanges(t *testing.T) {
	t.Parallel()
	a := quiet()
	lines := hear(t, a)
	if greeting := next(t, lines); !strings.HasPrefix(greeting, ": ") {
		t.Errorf("the stream begins with %q", greeting)
	}
	hostile := ledger.Change{Topic: "run", Check: "a\n\ndata: {}", Replica: "</script>", ID: "one"}
	a.Events.Publish(hostile)
	a.Events.Publish(hostile)
	a.Events.Publish(ledger.Change{Topic: "finding", ID: "F-1"})
	for _, want := range []EventBody{{"run", hostile.Check, hostile.Replica, "one"}, {"finding", "", "", "F-1"}} {
		text, found := strings.CutPrefix(next(t, lines), "data: ")
		var got EventBody
		if err := json.Unmarshal([]byte(text), &got); !found || err != nil || got != want {
			t.Errorf("got %q (%v), want %+v", text, err, want)
		}
	}
	a.Events.Close()
	if line, open := <-lines; open {
		t.Errorf("after the end came %q", line)
	}
}

// A flood is told in short, and nobody who publishes waits for a reader.
func TestEventsFlood(t *testing.T) {
	t.Parallel()
	a := quiet()
	l, ok := a.Events.listen()
	if !ok {
		t.Fatal("nobody may listen")
	}
	for i := range 10 * mostPending {
		a.Events.Publish(ledger.Change{Topic: "finding", ID: fmt.Sprint(i)})
	}
	if told := a.Events.take(l); len(told) != 1 || told[0].Topic != "many" {
		t.Errorf("told %v", told)
	}
	a.Events.Publish(ledger.Change{Topic: "run", ID: "after"})
	if told := a.Events.take(l); len(told) != 1 || told[0].ID != "after" {
		t.Errorf("after the flood: told %v", told)
	}
	a.Events.leave(l)
	for range mostListeners {
		if _, ok := a.Events.listen(); !ok {
			t.Fatal("fewer may listen than there is room for")
		}
	}
	if _, ok := a.Events.listen(); ok {
		t.Error("one more than there is room for listens")
	}
}

// A quiet stream is kept from being taken for dead.
func TestEventsHeartbeat(t *testing.T) {
	t.Parallel()
	a := quiet()
	a.pulse.heartbeat = 100 * time.Millisecond
	lines := hear(t, a)
	next(t, lines)
	for range 10 {
		if beat := next(t, lines); beat != ": heartbeat" {
			t.Errorf("got %q", beat)
		}
	}
}
