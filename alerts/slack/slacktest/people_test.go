package slacktest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/goleak"

	"plumbline/alerts/slack/slacktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pressable posts a message with a button and a select.
func pressable(t *testing.T, s *slacktest.Server) (ts string) {
	t.Helper()
	plain := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, true, false)
	}
	actions := slack.NewActionBlock("",
		slack.NewButtonBlockElement("ack", "I-1:7", plain("Acknowledge")),
		slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("Mute…"), "mute",
			slack.NewOptionBlockObject("I-1:7:1h", plain("1 hour"), nil), slack.NewOptionBlockObject("I-1:7:grow", plain("Until it grows"), nil)))
	_, ts, err := client(s).PostMessageContext(t.Context(), "#basket", text("x"), slack.MsgOptionBlocks(actions))
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

// app is an app that keeps what it was sent, once the signature holds.
func app(t *testing.T, got chan<- []byte) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		verifier, err := slack.NewSecretsVerifier(r.Header, slacktest.SigningSecret)
		if err == nil {
			_, err = verifier.Write(body)
		}
		if err != nil || verifier.Ensure() != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		got <- append([]byte(r.URL.Path+"\n"), body...)
		io.WriteString(w, "taken")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestPeoplePressAndCommandOverHTTP(t *testing.T) {
	t.Parallel()
	s := slacktest.Start(t, slacktest.Options{Unpaced: true})
	ts := pressable(t, s)
	got := make(chan []byte, 1)
	door := s.Over(app(t, got))
	ann := slacktest.Person{ID: "U0ANN", Name: "ann"}

	interaction := func() slack.InteractionCallback {
		t.Helper()
		path, body, _ := strings.Cut(string(<-got), "\n")
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		call, err := slack.InteractionCallbackParse(r)
		if err != nil || path != "/slack/interactions" {
			t.Fatal(path, err)
		}
		return call
	}
	ack, err := door.Click(t.Context(), ann, "basket", ts, "ack", "")
	if err != nil || ack.Status != 200 || string(ack.Body) != "taken" {
		t.Fatalf("%+v, %v", ack, err)
	}
	call := interaction()
	if a := call.ActionCallback.BlockActions; len(a) != 1 || a[0].ActionID != "ack" || a[0].Value != "I-1:7" ||
		call.User.ID != "U0ANN" || call.Team.ID != slacktest.Team || call.Message.Timestamp != ts || call.Channel.ID != "C0000BASKET" {
		t.Errorf("%+v", call)
	}
	if _, err := door.Choose(t.Context(), ann, "basket", ts, "mute", "Until it grows"); err != nil {
		t.Fatal(err)
	}
	call = interaction()
	if a := call.ActionCallback.BlockActions; len(a) != 1 || a[0].SelectedOption.Value != "I-1:7:grow" {
		t.Errorf("%+v", a)
	}
	if _, err := door.Click(t.Context(), ann, "basket", ts, "unmute", ""); err == nil {
		t.Error("a button that is not there was pressed")
	}
	if _, err := door.Command(t.Context(), slacktest.Person{ID: "U0EVE", Team: "T0FOREIGN"}, "data", "ack I-1 on it"); err != nil {
		t.Fatal(err)
	}
	path, body, _ := strings.Cut(string(<-got), "\n")
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	command, err := slack.SlashCommandParse(r)
	if err != nil || path != "/slack/commands" || command.Text != "ack I-1 on it" || command.TeamID != "T0FOREIGN" || command.ChannelID != "C000000DATA" {
		t.Errorf("%s %+v %v", path, command, err)
	}
}

func TestPeopleSendBadSignaturesToo(t *testing.T) {
	t.Parallel()
	s := slacktest.Start(t, slacktest.Options{})
	got := make(chan []byte, 1)
	door := s.Over(app(t, got))
	sent, err := door.CommandRequest(slacktest.Person{ID: "U0ANN"}, "basket", "status")
	if err != nil {
		t.Fatal(err)
	}
	tampered := sent
	tampered.Body = bytes.Replace(sent.Body, []byte("status"), []byte("unmute"), 1)
	unsigned := sent
	unsigned.Header = sent.Header.Clone()
	unsigned.Header.Del("X-Slack-Signature")
	expired := door.SignedAt(sent.Path, sent.Body, time.Now().Add(-6*time.Minute))
	for name, bad := range map[string]slacktest.Sent{"tampered": tampered, "unsigned": unsigned, "expired": expired} {
		if ack, err := door.Send(t.Context(), bad); err != nil || ack.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %v", name, ack.Status, err)
		}
	}
	for range 2 { // the same bytes twice
		if ack, err := door.Send(t.Context(), sent); err != nil || ack.Status != http.StatusOK {
			t.Errorf("%d %v", ack.Status, err)
		}
		<-got
	}
}

func TestResponseURLTakesFiveAnswersInHalfAnHour(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := slacktest.Start(t, slacktest.Options{Unpaced: true, Now: c.Now})
	ts := pressable(t, s)
	door := s.OverSocket()
	place := func() string {
		t.Helper()
		sent, err := door.CommandRequest(slacktest.Person{ID: "U0ANN"}, "basket", "status")
		if err != nil {
			t.Fatal(err)
		}
		var envelope struct{ Payload slack.SlashCommand }
		if err := json.Unmarshal(sent.Envelope, &envelope); err != nil {
			t.Fatal(err)
		}
		return envelope.Payload.ResponseURL
	}
	answer := func(url, body string) int {
		t.Helper()
		response, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	url := place()
	for range 4 {
		if got := answer(url, `{"text":"here you are"}`); got != http.StatusOK {
			t.Fatal(got)
		}
	}
	if got := answer(url, `{"text":"to all","response_type":"in_channel"}`); got != http.StatusOK {
		t.Fatal(got)
	}
	if got := answer(url, `{"text":"too many"}`); got != http.StatusNotFound {
		t.Error(got)
	}
	if len(s.Violations()) != 1 || len(s.Private("U0ANN")) != 4 || len(s.Roots("basket")) != 2 {
		t.Errorf("%+v, %+v", s.Private("U0ANN"), s.Roots("basket"))
	}
	old := place()
	c.pass(31 * time.Minute)
	if got := answer(old, `{"text":"late"}`); got != http.StatusNotFound {
		t.Error(got)
	}
	if got := answer(place(), `not JSON`); got != http.StatusBadRequest {
		t.Error(got)
	}
	s.Delete("basket", ts)
}

// Slack's own client for sockets is told who pressed what, and its word comes back.
func TestPeoplePressAndCommandOverASocket(t *testing.T) {
	t.Parallel()
	s := slacktest.Start(t, slacktest.Options{Unpaced: true})
	ts := pressable(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	conn := socketmode.New(client(s))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := conn.RunContext(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	heard := make(chan socketmode.EventType, 10)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-conn.Events:
				switch data := e.Data.(type) {
				case slack.InteractionCallback:
					if data.ActionCallback.BlockActions[0].Value != "I-1:7" {
						t.Errorf("%+v", data.ActionCallback)
					}
					heard <- e.Type
					conn.Ack(*e.Request)
				case slack.SlashCommand:
					heard <- e.Type
					conn.Ack(*e.Request, map[string]any{"text": "taken: " + data.Text})
				}
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	open := func() {
		t.Helper()
		if err := s.Await(t.Context(), "a socket is open", func() bool { return s.Sockets() > 0 }); err != nil {
			t.Fatal(err)
		}
	}
	open()
	door := s.OverSocket()
	ann := slacktest.Person{ID: "U0ANN", Name: "ann"}
	if _, err := door.Click(t.Context(), ann, "basket", ts, "ack", ""); err != nil {
		t.Fatal(err)
	}
	if e := <-heard; e != socketmode.EventTypeInteractive {
		t.Error(e)
	}
	ack, err := door.Command(t.Context(), ann, "basket", "status")
	if err != nil || !strings.Contains(string(ack.Body), "taken: status") {
		t.Errorf("%s %v", ack.Body, err)
	}
	<-heard
	if _, err := door.Send(t.Context(), ack.Sent); err != nil { // the same envelope again
		t.Fatal(err)
	}
	<-heard
	s.Disconnect()
	open()
	if _, err := door.Command(t.Context(), ann, "basket", "status"); err != nil {
		t.Fatal(err)
	}
	<-heard
}

func TestSocketThatSaysNothingIsTooLate(t *testing.T) {
	t.Parallel()
	s := slacktest.Start(t, slacktest.Options{})
	door := s.OverSocket()
	ann := slacktest.Person{ID: "U0ANN"}
	if _, err := door.Command(t.Context(), ann, "basket", "status"); err == nil {
		t.Error("a command went through no socket")
	}
	ctx, cancel := context.WithCancel(t.Context())
	conn := socketmode.New(client(s))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = conn.RunContext(ctx) // ends with ctx
	}()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-conn.Events: // and says nothing
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	if err := s.Await(t.Context(), "a socket is open", func() bool { return s.Sockets() > 0 }); err != nil {
		t.Fatal(err)
	}
	door.Patience = 20 * time.Millisecond
	if _, err := door.Command(t.Context(), ann, "basket", "status"); err == nil || !strings.Contains(err.Error(), "did not answer") {
		t.Error(err)
	}
}
