package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// answer is what a method says: its fields beside ok, or an error's word.
type answer struct {
	code   string
	fields map[string]any
	after  time.Duration // of a 429
}

func refused(code string) answer { return answer{code: code} }

// serveMethod answers a method of the API, unless a fault comes between.
func (s *Server) serveMethod(w http.ResponseWriter, r *http.Request) {
	method := r.PathValue("method")
	form, err := readForm(r)
	token := bearer(r, form)
	form.Del("token")
	asked := Request{Method: method, Form: form, At: s.o.Now()}
	if err != nil {
		asked.Error = "invalid_form_data"
		s.keep(asked)
		writeAnswer(w, refused(asked.Error))
		return
	}
	fault, code := s.faults.next(method)
	asked.Fault = fault
	if early := s.faults.early(method, asked.At); early > 0 {
		s.violate("%s came %s before its Retry-After had passed", method, early)
	}
	if fault == LostBefore || fault == Broken || fault == TooMany {
		s.keep(asked)
		s.breakOff(w, r, method, fault, answer{})
		return
	}
	said := refused("internal_error")
	switch {
	case code != "":
		said = refused(code)
	case fault != Internal:
		said = s.call(method, token, form)
		asked.Done = said.code == "" && said.after == 0
	}
	asked.Error = said.code
	s.keep(asked)
	if fault != None {
		s.breakOff(w, r, method, fault, said)
		return
	}
	writeAnswer(w, said)
}

func (s *Server) keep(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	s.change()
}

// breakOff answers as the fault would have it.
func (s *Server) breakOff(w http.ResponseWriter, r *http.Request, method string, fault Fault, said answer) {
	switch fault {
	case TooMany:
		writeAnswer(w, answer{code: "ratelimited", after: s.faults.limited(method, s.o.Now())})
	case Broken, BrokenDone:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "<html><body>Server Error</body></html>")
	case Internal, InternalDid:
		writeAnswer(w, refused("internal_error"))
	case Cut:
		body, err := json.Marshal(said.body())
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case Hang:
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		panic(http.ErrAbortHandler)
	default:
		panic(http.ErrAbortHandler) // how net/http is asked to cut a connection
	}
}

func (a answer) body() map[string]any {
	body := map[string]any{"ok": a.code == ""}
	if a.code != "" {
		body["error"] = a.code
	}
	for name, value := range a.fields {
		body[name] = value
	}
	return body
}

func writeAnswer(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if a.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((a.after+time.Second-1)/time.Second)))
		w.WriteHeader(http.StatusTooManyRequests)
	}
	if err := json.NewEncoder(w).Encode(a.body()); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// readForm reads arguments as Slack takes them: a form, a query, or JSON whose
// lists and objects stay JSON.
func readForm(r *http.Request) (url.Values, error) {
	form := url.Values{}
	for name, values := range r.URL.Query() {
		form[name] = values
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || len(body) == 0 {
		return form, err
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return form, fmt.Errorf("read the content type: %w", err)
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(body))
		for name, list := range values {
			form[name] = list
		}
		return form, err
	case "application/json":
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			return form, fmt.Errorf("read the JSON: %w", err)
		}
		for name, raw := range fields {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			form.Set(name, text)
		}
		return form, nil
	}
	return form, fmt.Errorf("content type %s", kind)
}

func bearer(r *http.Request, form url.Values) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return form.Get("token")
}

// call carries a method out.
func (s *Server) call(method, token string, form url.Values) answer {
	want := s.o.Token
	if method == "apps.connections.open" {
		want = s.o.AppToken
	}
	switch {
	case token == "":
		return refused("not_authed")
	case token != want && (token == s.o.Token || token == s.o.AppToken):
		return refused("not_allowed_token_type")
	case token != want:
		return refused("invalid_auth")
	}
	switch method {
	case "auth.test":
		return answer{fields: map[string]any{
			"url": "https://slacktest.slack.com/", "team": "slacktest", "team_id": s.o.Team, "user": "plumbline",
			"user_id": s.o.Bot, "bot_id": BotID,
		}}
	case "chat.postMessage":
		return s.postMessage(form)
	case "chat.update":
		return s.updateMessage(form)
	case "chat.postEphemeral":
		return s.postEphemeral(form)
	case "conversations.history", "conversations.replies":
		return s.read(method, form)
	case "conversations.list":
		return s.listChannels(form)
	case "apps.connections.open":
		return s.openSocket()
	}
	return refused("unknown_method")
}
