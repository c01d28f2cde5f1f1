package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
)

// pulse is the timing of a stream of events.
type pulse struct {
	heartbeat time.Duration // keeps idle connections from being taken for dead
	// gather lets changes that come together be told together.
	gather time.Duration
	// tick is how often a listener is told to look where other processes write to
	// the same ledger, of whose changes this one does not hear.
	tick time.Duration
}

func steady() pulse {
	return pulse{heartbeat: 15 * time.Second, gather: 200 * time.Millisecond, tick: 5 * time.Second}
}

// writeWithin is how long a listener may take to receive what is written.
const writeWithin = 10 * time.Second

// EventBody is one change. What changed is read anew; no values are in it.
type EventBody struct {
	Topic   string `json:"topic" enum:"run,segment,finding,edge,source,config,incident,alert,fix,many,tick" doc:"incident: one opened, changed or was resolved. fix: a plan of fixes, or what keeps them from being made. alert: there is something to be sent. many: so much changed that it is not listed. tick: other processes write to the ledger, so look."`
	Check   string `json:"check"`
	Replica string `json:"replica"`
	ID      string `json:"id" doc:"The run's, the finding's, the incident's or the plan's; empty for many."`
}

// events adds the stream of changes, which no framework describes.
func (a *api) events(document *huma.OpenAPI) {
	operation := get("watch-events", "/events", access.View, "Changes as they happen, as server-sent events")
	operation.Description = "Unnamed events, each an Event in JSON, with a comment as heartbeat every 15 seconds."
	operation.Responses = map[string]*huma.Response{"200": {Description: "The stream, which ends with the process or the connection.",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: document.Components.Schemas.Schema(reflect.TypeFor[EventBody](), true, "Event")}}}}
	described := operation.described()
	document.AddOperation(&described)
	a.routes.stream(operation, a.watch)
}

// watch writes changes until the reader leaves or the process ends.
func (a *api) watch(c *gin.Context) {
	l, ok := a.Events.listen()
	if !ok {
		writeProblem(c, newProblem(http.StatusServiceUnavailable, "too many listen to events already", "close a page, or ask again later"))
		return
	}
	defer a.Events.leave(l)
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	stream := &eventStream{w: c.Writer, control: http.NewResponseController(c.Writer)}
	// The server bounds how long a request may be read, and would take a reader
	// who has nothing more to say for gone.
	_ = stream.control.SetReadDeadline(time.Time{})
	heartbeat, tick := time.NewTicker(a.pulse.heartbeat), time.NewTicker(a.pulse.tick)
	defer heartbeat.Stop()
	defer tick.Stop()
	err := stream.comment("changes follow as they happen")
	for err == nil {
		select {
		case <-c.Request.Context().Done():
			return
		case <-heartbeat.C:
			if !still(c) {
				return // signed out, or the role was taken away
			}
			err = stream.comment("heartbeat")
		case <-tick.C:
			if a.otherProcesses(c.Request.Context()) {
				err = stream.events([]ledger.Change{{Topic: "tick"}})
			}
		case _, open := <-l.wake:
			if !open {
				return
			}
			wait(c.Request.Context(), a.pulse.gather)
			err = stream.events(a.Events.take(l))
		}
	}
}

// otherProcesses says whether others write to the ledger. Where it cannot be
// told, a look too many does no harm.
func (a *api) otherProcesses(ctx context.Context) bool {
	processes, err := a.Ledger.Processes(ctx)
	alive := 0
	for i := range processes {
		if a.Now().Sub(processes[i].Heartbeat) < time.Minute {
			alive++
		}
	}
	return err != nil || alive > 1
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// eventStream writes server-sent events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s *eventStream) comment(text string) error { return s.write(fmt.Appendf(nil, ": %s\n\n", text)) }

func (s *eventStream) events(changes []ledger.Change) error {
	var b bytes.Buffer
	for _, c := range changes {
		b.WriteString("data: ")
		encoder := json.NewEncoder(&b) // which ends the line
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(EventBody{c.Topic, c.Check, c.Replica, c.ID}); err != nil {
			return err
		}
		b.WriteByte('\n')
	}
	return s.write(b.Bytes())
}

// write ends with an error once the reader is gone or does not keep up.
func (s *eventStream) write(b []byte) error {
	// Where the writer knows no deadlines, as in a test, there is none to set.
	_ = s.control.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.control.Flush()
}
