package slack

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
)

// broken is a desk at which everything breaks down, before an inbox with one request.
type broken struct {
	Desk
	Door
	claims   chan *alerts.Request
	put      chan time.Duration // back, after how long; -1 is finished
	attested []access.Outcome
}

func (b *broken) TakeRequest(context.Context, []byte, string, string) (bool, error) { return true, nil }

func (b *broken) ClaimRequest(context.Context, time.Duration) (*alerts.Request, error) {
	select {
	case r := <-b.claims:
		return r, nil
	default:
		return nil, nil
	}
}

func (b *broken) PostponeRequest(_ context.Context, _ *alerts.Request, after time.Duration) error {
	b.put <- after
	return nil
}

func (b *broken) FinishRequest(context.Context, *alerts.Request) error {
	b.put <- -1
	return nil
}

func (b *broken) SlackActor(context.Context, string, string) (access.Actor, error) {
	return access.Actor{Name: "ann", Role: access.Operator, Via: access.BySlack}, nil
}

func (b *broken) Attest(_ context.Context, _ *access.Attempt, outcome access.Outcome) error {
	b.attested = append(b.attested, outcome)
	return nil
}

func (b *broken) Unmute(context.Context, string) error { panic("a fault of ours") }

// A request at which we break down ends no process, which would come to it again
// once it is back, and is given up like any other that fails by our fault.
func TestARequestAtWhichWeBreakDownIsGivenUpInTheEnd(t *testing.T) {
	t.Parallel()
	told := make(chan string, 10)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "chat.postEphemeral") {
			told <- r.FormValue("text")
		}
		_, _ = w.Write([]byte(`{"ok":true,"team_id":"T1"}`))
	}))
	t.Cleanup(api.Close)
	b := &broken{claims: make(chan *alerts.Request, 1), put: make(chan time.Duration, 1)}
	in := NewInbound(InboundOptions{Token: "xoxb-1", APIURL: api.URL + "/api/", Inbox: b, Door: b, Desk: b, Log: slog.New(slog.DiscardHandler)})
	body, err := json.Marshal(asked{Teams: []string{"T1"}, User: "U1", Channel: "C1", Order: order{Verb: doUnmute, What: "orders"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { in.Work(ctx); close(ended) }()
	for term := int64(1); term <= mostTries; term++ {
		b.claims <- &alerts.Request{ID: []byte{1}, Kind: kindCommand, Body: string(body), CameAt: time.Now(), Term: term}
		in.poke()
		if again := <-b.put; (again == -1) != (term == mostTries) {
			t.Errorf("try %d is put back for %s", term, again)
		}
	}
	if words := <-told; !strings.HasPrefix(words, "This could not be done") {
		t.Errorf("whoever asked is told %q", words)
	}
	cancel()
	<-ended
	if len(b.attested) != 1 || b.attested[0] != access.Failed {
		t.Errorf("the audit log has %v", b.attested)
	}
}
