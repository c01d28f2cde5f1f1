package slacktest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// answerPlace is a response_url: it takes five answers within half an hour.
type answerPlace struct {
	user, channel, ts string // the message a button was pressed in, "" for a command
	made              time.Time
	used              int
}

const (
	answersMost = 5
	answersLong = 30 * time.Minute
)

// answerAt makes a response_url. mu is held.
func (s *Server) answerAt(user, channel, ts string) string {
	name := rand.Text()
	s.answers[name] = &answerPlace{user: user, channel: channel, ts: ts, made: s.o.Now()}
	return s.URL + "/respond/" + name
}

// serveAnswer takes an answer at a response_url.
func (s *Server) serveAnswer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	code := s.takeAnswer(r.PathValue("place"), body)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch code {
	case "":
		io.WriteString(w, "ok")
	case "used_url", "expired_url":
		w.WriteHeader(http.StatusNotFound)
		writeAnswer(w, refused(code))
	default:
		w.WriteHeader(http.StatusBadRequest)
		writeAnswer(w, refused(code))
	}
}

func (s *Server) takeAnswer(name string, body []byte) (code string) {
	var given struct {
		Text            string          `json:"text"`
		Blocks          json.RawMessage `json:"blocks"`
		ResponseType    string          `json:"response_type"`
		ReplaceOriginal bool            `json:"replace_original"`
		DeleteOriginal  bool            `json:"delete_original"`
	}
	if json.Unmarshal(body, &given) != nil {
		return "invalid_payload"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.answers[name]
	now := s.o.Now()
	switch {
	case place == nil || now.Sub(place.made) > answersLong:
		return "expired_url"
	case place.used >= answersMost:
		s.violations = append(s.violations, "a response_url was used more than five times")
		return "used_url"
	}
	place.used++
	if given.DeleteOriginal {
		if m := s.find(place.channel, place.ts); m != nil {
			m.Deleted = true
		}
		s.change()
		return ""
	}
	m := Message{Channel: place.channel, Text: given.Text, Blocks: given.Blocks, At: now}
	code, problems := judge(&m)
	s.violations = append(s.violations, problems...)
	if code != "" {
		return code
	}
	switch original := s.find(place.channel, place.ts); {
	case given.ReplaceOriginal && original != nil:
		before := *original
		before.Edits = nil
		original.Edits = append(original.Edits, before)
		original.Text, original.Blocks, original.At = m.Text, m.Blocks, now
	case given.ResponseType == "in_channel":
		m.TS = s.stamp()
		s.messages = append(s.messages, &m)
	default:
		s.private = append(s.private, Private{User: place.user, Channel: place.channel, Text: m.Text, Blocks: m.Blocks, At: now})
	}
	s.change()
	return ""
}
