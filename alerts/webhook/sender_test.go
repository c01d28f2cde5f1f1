package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/alerts/webhook"
	"plumbline/sources"
)

const (
	secret = "sixteen-or-more-characters"
	hidden = "hunter2"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// sender sends to one webhook named pager.
func sender(address string, limit time.Duration) *webhook.Sender {
	return webhook.New(webhook.Options{Hooks: map[string]webhook.Hook{"pager": {URL: sources.Secret(address), Secret: secret}},
		PublicURL: "https://plumbline.example.com", Version: "test", Now: func() time.Time { return noon }, Timeout: limit})
}

func delivery() *alerts.Delivery {
	return &alerts.Delivery{ID: "D-1", Step: alerts.Post, Target: alerts.Target{Integration: webhook.Integration, Address: "pager"}, Now: noon,
		Incident:   &alerts.Incident{ID: "I-204", Check: "prices", Kind: alerts.Drift, State: alerts.Open, Revision: 7, OpenedAt: noon, Facts: alerts.Facts{Counted: 412}},
		Policy:     alerts.Policy{Check: "prices", Severity: "high"},
		Milestones: []alerts.Milestone{{Event: alerts.WasOpened, At: noon, Counted: 412}}}
}

// server answers every request by answer and keeps what it was sent.
func server(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// A receiver can verify a delivery as docs/alerts.md says.
func TestDeliveriesAreSigned(t *testing.T) {
	t.Parallel()
	verified := false
	address := server(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		verified = verify(r.Header.Get("Plumbline-Signature"), body, []byte(secret), noon)
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "Plumbline/test" ||
			r.Header.Get("Plumbline-Delivery") != "D-1" {
			t.Errorf("got %s with %v", r.Method, r.Header)
		}
		if verify(r.Header.Get("Plumbline-Signature"), append(body, ' '), []byte(secret), noon) ||
			verify(r.Header.Get("Plumbline-Signature"), body, []byte("another"), noon) ||
			verify(r.Header.Get("Plumbline-Signature"), body, []byte(secret), noon.Add(time.Hour)) {
			t.Error("a wrong signature is taken for right")
		}
	})
	if _, err := sender(address, 0).Send(t.Context(), delivery()); err != nil {
		t.Fatal(err)
	}
	if !verified {
		t.Error("the signature cannot be verified")
	}
}

// verify is the example of docs/alerts.md.
func verify(header string, body, secret []byte, now time.Time) bool {
	var at int64
	var signature string
	if _, err := fmt.Sscanf(header, "t=%d,v1=%s", &at, &signature); err != nil {
		return false
	}
	if age := now.Sub(time.Unix(at, 0)).Abs(); age > 5*time.Minute {
		return false
	}
	given, err := hex.DecodeString(signature)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%d.%s", at, body)
	return hmac.Equal(mac.Sum(nil), given)
}

// Each answer leads to the right thing to do next.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		header string
		retry  time.Duration // -1: it is refused; -2: it is taken
		words  string
	}{
		"taken":           {status: 204, retry: -2},
		"slow down":       {status: 429, header: "30", retry: 30 * time.Second, words: "answered 429"},
		"until a date":    {status: 503, header: noon.Add(2 * time.Minute).Format(http.TimeFormat), retry: 2 * time.Minute, words: "answered 503"},
		"a past date":     {status: 503, header: noon.Add(-time.Minute).Format(http.TimeFormat), words: "answered 503"},
		"for ever":        {status: 429, header: "999999999", retry: time.Hour, words: "answered 429"},
		"nonsense":        {status: 429, header: "-5 soon", words: "answered 429"},
		"broken":          {status: 500, words: "answered 500"},
		"gateway":         {status: 502, words: "answered 502"},
		"gone":            {status: 410, retry: -1, words: "configure its new url"},
		"not found":       {status: 404, retry: -1, words: "configure its new url"},
		"unauthorized":    {status: 401, retry: -1, words: "the same secret"},
		"forbidden":       {status: 403, retry: -1, words: "the same secret"},
		"not understood":  {status: 422, retry: -1, words: "docs/alerts.md"},
		"moved for ever":  {status: 308, header: "", retry: -1, words: "redirects are not followed"},
		"moved elsewhere": {status: 302, header: "", retry: -1, words: "redirects are not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := atomic.Int64{}
			address := server(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
			})
			_, err := sender(address+"/"+hidden, 0).Send(t.Context(), delivery())
			var retry *alerts.RetryError
			var refused *alerts.RefusedError
			switch {
			case c.retry == -2 && err != nil, c.retry == -1 && !errors.As(err, &refused), c.retry >= 0 && !errors.As(err, &retry):
				t.Fatalf("got %v", err)
			case c.retry >= 0 && (retry.After != c.retry || retry.Everywhere):
				t.Errorf("got %+v, want to wait %s", retry, c.retry)
			}
			checkWords(t, err, c.words)
			if asked.Load() != 1 {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}

// checkWords wants words in an error, and nothing secret.
func checkWords(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil {
		return
	}
	if text := err.Error(); !strings.Contains(text, words) || strings.Contains(text, hidden) || strings.Contains(text, "127.0.0.1") || strings.Contains(text, secret) {
		t.Errorf("the error is %q", text)
	}
}

// What cannot be reached is tried again, and no error says where it is.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	slow := server(t, func(http.ResponseWriter, *http.Request) { <-held })
	t.Cleanup(func() { close(held) }) // before the server is, which waits for its answers
	cut := server(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	for name, c := range map[string]struct {
		address, words string
		limit          time.Duration
	}{
		"slow":            {slow, "did not answer in time", 100 * time.Millisecond},
		"cut":             {cut, "cannot be reached", time.Minute},
		"closed":          {closed.URL, "cannot be reached", time.Minute},
		"bad certificate": {secure.URL, "certificate", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sender(c.address+"/"+hidden, c.limit).Send(t.Context(), delivery())
			var retry *alerts.RetryError
			if !errors.As(err, &retry) {
				t.Errorf("got %v", err)
			}
			checkWords(t, err, c.words)
		})
	}
}

// An answer is read no further than it must be: not one that never ends, and not
// one that would unpack to more than it is.
func TestEndlessAnswersAreCutShort(t *testing.T) {
	t.Parallel()
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		for chunk := make([]byte, 4<<10); ; {
			if _, err := w.Write(chunk); err != nil || r.Context().Err() != nil {
				return
			}
		}
	})
	if _, err := sender(address, 0).Send(t.Context(), delivery()); err != nil {
		t.Errorf("a delivery that was taken is not: %v", err)
	}
}

// A webhook that is not configured, or not readable, is refused with what to do.
func TestUnknownWebhooks(t *testing.T) {
	t.Parallel()
	d := delivery()
	d.Target.Address = "other"
	_, err := sender("http://127.0.0.1", 0).Send(t.Context(), d)
	checkRefused(t, err, "webhook other is not configured")
	_, err = sender("http://["+hidden, 0).Send(t.Context(), delivery())
	checkRefused(t, err, "cannot be read")
}

func checkRefused(t *testing.T, err error, words string) {
	t.Helper()
	var refused *alerts.RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	checkWords(t, err, words)
}

// An event is what happened last, and no list is null.
func TestEventIsTheLastMilestone(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*alerts.Delivery){
		"opened":  func(*alerts.Delivery) {},
		"changed": func(d *alerts.Delivery) { d.Milestones = nil },
		"grown": func(d *alerts.Delivery) {
			d.Milestones = append(d.Milestones, alerts.Milestone{Event: alerts.HasGrown, At: noon, Counted: 900})
		},
		"digest": func(d *alerts.Delivery) {
			d.Step, d.Incident, d.Milestones, d.Digest = alerts.Notice, nil, nil, &alerts.Digest{From: noon, To: noon}
		},
		"test": func(d *alerts.Delivery) { d.Step, d.Incident, d.Milestones = alerts.Trial, nil, nil },
	} {
		d := delivery()
		change(d)
		body, err := webhook.Body(d, "https://plumbline.example.com")
		if err != nil {
			t.Fatal(err)
		}
		var message webhook.Message
		if err := json.Unmarshal(body, &message); err != nil {
			t.Fatal(err)
		}
		if message.Event != want {
			t.Errorf("event is %s, want %s", message.Event, want)
		}
		if message.Incident != nil && message.Incident.URL != "https://plumbline.example.com/incidents/I-204" {
			t.Errorf("the link is %s", message.Incident.URL)
		}
		for _, list := range []string{"milestones", "kinds", "fields", "edges", "replicas", "open", "unheard", "stale", "results"} {
			if strings.Contains(string(body), `"`+list+`":null`) {
				t.Errorf("%s is null: %s", list, body)
			}
		}
	}
}
