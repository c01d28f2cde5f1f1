package slacktest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Person is somebody in the workspace, or with another Team in a foreign one.
type Person struct{ ID, Name, Team string }

// Door is how requests reach the app: over HTTP, signed, or over a socket that the
// app opened.
type Door struct {
	s    *Server
	base string // "" is the socket
	// Patience is how long Slack waits for an answer; 0 is its 3 s.
	Patience time.Duration
	client   *http.Client
}

// Over returns the door to an app that serves /slack/interactions and
// /slack/commands beneath base.
func (s *Server) Over(base string) *Door {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Door{s: s, base: strings.TrimRight(base, "/"), client: client}
}

// OverSocket returns the door to an app that opens sockets. Each request goes to
// one of them in turn.
func (s *Server) OverSocket() *Door { return &Door{s: s} }

// Ack is what the app answered, at once.
type Ack struct {
	Status int    // of HTTP; 200 for an envelope that was acknowledged
	Body   []byte // of HTTP, or the payload of the acknowledgement
	Took   time.Duration
	// Sent is what was sent, to be sent again as it was.
	Sent Sent
}

// Sent is a request as it goes out.
type Sent struct {
	Path   string      // beneath the app's address, over HTTP
	Header http.Header // with its signature
	Body   []byte
	// Envelope is what goes over a socket.
	Envelope []byte
	ID       string
}

// Click presses a button of a message as it is now, whose value it takes unless
// one is given: that of an older state, for a person who pressed late.
func (d *Door) Click(ctx context.Context, p Person, channel, ts, actionID, value string) (Ack, error) {
	return d.act(ctx, p, channel, ts, actionID, func(e object) (object, error) {
		if e == nil && value == "" {
			return nil, fmt.Errorf("the message has no button %s", actionID)
		}
		action := object{"type": "button", "action_id": actionID, "block_id": "actions", "action_ts": d.s.moment()}
		if e != nil {
			action["text"], action["value"] = e["text"], e["value"]
		}
		if value != "" {
			action["value"] = value
		}
		return action, nil
	})
}

// Choose chooses from a select of a message the option that reads as label.
func (d *Door) Choose(ctx context.Context, p Person, channel, ts, actionID, label string) (Ack, error) {
	return d.act(ctx, p, channel, ts, actionID, func(e object) (object, error) {
		options, _ := e["options"].([]any)
		for _, raw := range options {
			o, _ := raw.(object)
			if text, _ := o["text"].(object); text["text"] == label {
				return object{
					"type": "static_select", "action_id": actionID, "block_id": "actions", "action_ts": d.s.moment(),
					"placeholder": e["placeholder"], "selected_option": o,
				}, nil
			}
		}
		return nil, fmt.Errorf("the message has no choice %q in %s", label, actionID)
	})
}

func (d *Door) act(ctx context.Context, p Person, channel, ts, actionID string, action func(object) (object, error)) (Ack, error) {
	sent, err := d.Interaction(p, channel, ts, actionID, action)
	if err != nil {
		return Ack{}, err
	}
	return d.Send(ctx, sent)
}

// Interaction makes a signed block_actions request without sending it. action is
// given the element of the message, nil where it has none of that name.
func (d *Door) Interaction(p Person, channel, ts, actionID string, action func(object) (object, error)) (Sent, error) {
	d.s.mu.Lock()
	m := d.s.find(channel, ts)
	if m == nil {
		d.s.mu.Unlock()
		return Sent{}, fmt.Errorf("no message %s in %s", ts, channel)
	}
	c, _ := d.s.channel(channel, true)
	message, element := d.s.shown(m, true), elementOf(m.Blocks, actionID)
	answers := d.s.answerAt(p.ID, c.ID, ts)
	d.s.mu.Unlock()
	done, err := action(element)
	if err != nil {
		return Sent{}, err
	}
	payload, err := json.Marshal(object{
		"type": "block_actions", "api_app_id": App, "token": "verification-token", "trigger_id": rand.Text(),
		"user":      object{"id": p.ID, "username": p.Name, "name": p.Name, "team_id": d.s.teamOf(p)},
		"team":      object{"id": d.s.teamOf(p), "domain": "slacktest"},
		"container": object{"type": "message", "message_ts": ts, "channel_id": c.ID, "is_ephemeral": false},
		"channel":   object{"id": c.ID, "name": c.Name},
		"message":   message, "response_url": answers, "actions": []any{done},
		"enterprise": nil, "is_enterprise_install": false, "state": object{"values": object{}},
	})
	if err != nil {
		return Sent{}, fmt.Errorf("write the interaction: %w", err)
	}
	if d.base == "" {
		return envelope("interactive", payload)
	}
	return d.signed("/slack/interactions", url.Values{"payload": {string(payload)}}), nil
}

// Command gives /plumbline with a text.
func (d *Door) Command(ctx context.Context, p Person, channel, text string) (Ack, error) {
	sent, err := d.CommandRequest(p, channel, text)
	if err != nil {
		return Ack{}, err
	}
	return d.Send(ctx, sent)
}

// CommandRequest makes a signed command without sending it.
func (d *Door) CommandRequest(p Person, channel, text string) (Sent, error) {
	d.s.mu.Lock()
	c, ok := d.s.channel(channel, true)
	answers := d.s.answerAt(p.ID, c.ID, "")
	d.s.mu.Unlock()
	if !ok {
		return Sent{}, fmt.Errorf("no channel %s", channel)
	}
	fields := map[string]string{
		"token": "verification-token", "team_id": d.s.teamOf(p), "team_domain": "slacktest", "channel_id": c.ID,
		"channel_name": c.Name, "user_id": p.ID, "user_name": p.Name, "command": "/plumbline", "text": text,
		"response_url": answers, "trigger_id": rand.Text(), "api_app_id": App, "is_enterprise_install": "false",
	}
	if d.base == "" {
		payload, err := json.Marshal(fields)
		if err != nil {
			return Sent{}, fmt.Errorf("write the command: %w", err)
		}
		return envelope("slash_commands", payload)
	}
	form := url.Values{}
	for name, value := range fields {
		form.Set(name, value)
	}
	return d.signed("/slack/commands", form), nil
}

func (s *Server) teamOf(p Person) string {
	if p.Team != "" {
		return p.Team
	}
	return s.o.Team
}

func (s *Server) moment() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stamp()
}

// elementOf finds what a person would press.
func elementOf(blocks json.RawMessage, actionID string) object {
	var list []object
	if json.Unmarshal(blocks, &list) != nil {
		return nil
	}
	for _, b := range list {
		elements, _ := b["elements"].([]any)
		for _, raw := range elements {
			if e, ok := raw.(object); ok && b["type"] == "actions" && e["action_id"] == actionID {
				return e
			}
		}
	}
	return nil
}

// signed makes a request signed as of now.
func (d *Door) signed(path string, form url.Values) Sent {
	return d.SignedAt(path, []byte(form.Encode()), d.s.o.Now())
}

// SignedAt makes a request of any body whose signature is of a time.
func (d *Door) SignedAt(path string, body []byte, at time.Time) Sent {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	return Sent{Path: path, Body: body, Header: http.Header{
		"Content-Type":              {"application/x-www-form-urlencoded"},
		"X-Slack-Request-Timestamp": {timestamp},
		"X-Slack-Signature":         {Signature(d.s.o.SigningSecret, timestamp, body)},
		"User-Agent":                {"Slackbot 1.0 (+https://api.slack.com/robots)"},
	}}
}

// Signature is how Slack signs a request.
func Signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", timestamp, body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// Send sends a request, or sends it again, and waits as long as Slack would. An
// answer that comes later is an error.
func (d *Door) Send(ctx context.Context, sent Sent) (Ack, error) {
	patience := d.Patience
	if patience == 0 {
		patience = 3 * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the app did not answer within "+patience.String()))
	defer cancel()
	began := time.Now()
	if sent.Envelope != nil {
		payload, err := d.s.throughSocket(ctx, sent)
		return Ack{Status: http.StatusOK, Body: payload, Took: time.Since(began), Sent: sent}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+sent.Path, bytes.NewReader(sent.Body))
	if err != nil {
		return Ack{}, fmt.Errorf("make the request: %w", err)
	}
	request.Header = sent.Header.Clone()
	response, err := d.client.Do(request)
	if err != nil {
		return Ack{Sent: sent, Took: time.Since(began)}, errors.Join(err, context.Cause(ctx))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return Ack{Status: response.StatusCode, Body: body, Took: time.Since(began), Sent: sent}, err
}

func envelope(kind string, payload []byte) (Sent, error) {
	id := rand.Text()
	body, err := json.Marshal(object{
		"envelope_id": id, "type": kind, "payload": json.RawMessage(payload),
		"accepts_response_payload": kind == "slash_commands", "retry_attempt": 0, "retry_reason": "",
	})
	if err != nil {
		return Sent{}, fmt.Errorf("write the envelope: %w", err)
	}
	return Sent{Envelope: body, ID: id}, nil
}
