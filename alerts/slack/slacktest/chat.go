package slacktest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Message is one in a channel, as it is now.
type Message struct {
	Channel  string // its id
	TS       string
	ThreadTS string // of the message it replies to, "" for none
	Text     string
	Blocks   json.RawMessage
	Metadata json.RawMessage
	At       time.Time
	// Edits are the states it had before.
	Edits   []Message
	Deleted bool
}

// Private is a message that only one person sees: an ephemeral one, or an answer.
type Private struct {
	User, Channel string
	Text          string
	Blocks        json.RawMessage
	At            time.Time
}

// Messages returns the messages of a channel, by name or id, the oldest first and
// without deleted ones; "" is every channel.
func (s *Server) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, _ := s.channel(channel, true)
	var list []Message
	for _, m := range s.messages {
		if !m.Deleted && (channel == "" || m.Channel == c.ID) {
			copied := *m
			copied.Edits = slices.Clone(m.Edits)
			list = append(list, copied)
		}
	}
	return list
}

// Roots returns the messages of a channel that reply to none.
func (s *Server) Roots(channel string) []Message {
	return slices.DeleteFunc(s.Messages(channel), func(m Message) bool { return m.ThreadTS != "" })
}

// Replies returns the messages in a thread.
func (s *Server) Replies(channel, ts string) []Message {
	return slices.DeleteFunc(s.Messages(channel), func(m Message) bool { return m.ThreadTS != ts })
}

// Private returns what a person alone was told.
func (s *Server) Private(user string) []Private {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.private), func(p Private) bool { return p.User != user })
}

// Delete takes a message away, as a person may.
func (s *Server) Delete(channel, ts string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(channel, ts)
	if m == nil {
		return false
	}
	m.Deleted = true
	s.change()
	return true
}

// Archive closes a channel, or opens it again.
func (s *Server) Archive(name string, archived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.o.Channels {
		if s.o.Channels[i].Name == name || s.o.Channels[i].ID == name {
			s.o.Channels[i].Archived = archived
		}
	}
}

// find looks for a message that is still there. mu is held.
func (s *Server) find(channel, ts string) *Message {
	c, ok := s.channel(channel, true)
	for _, m := range s.messages {
		if ok && m.Channel == c.ID && m.TS == ts && !m.Deleted {
			return m
		}
	}
	return nil
}

// content is what a message says, checked against Slack's limits. mu is held.
func (s *Server) content(form url.Values) (m Message, code string) {
	m = Message{Text: form.Get("text"), At: s.o.Now()}
	if blocks := form.Get("blocks"); blocks != "" && blocks != "[]" {
		m.Blocks = json.RawMessage(blocks)
	}
	if metadata := form.Get("metadata"); metadata != "" {
		m.Metadata = json.RawMessage(metadata)
	}
	code, problems := judge(&m)
	s.violations = append(s.violations, problems...)
	return m, code
}

func (s *Server) postMessage(form url.Values) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.channel(form.Get("channel"), true)
	switch {
	case !ok || c.Private && c.Outside:
		return refused("channel_not_found")
	case c.Archived:
		return refused("is_archived")
	case c.Outside:
		return refused("not_in_channel")
	}
	if wait := s.paced(c.ID); wait > 0 {
		return answer{code: "ratelimited", after: wait}
	}
	m, code := s.content(form)
	if code != "" {
		return refused(code)
	}
	m.Channel, m.TS = c.ID, s.stamp()
	if thread := form.Get("thread_ts"); thread != "" {
		if s.find(c.ID, thread) != nil {
			m.ThreadTS = thread // of a deleted one the reply stands in the channel, as in Slack
		}
	}
	s.messages = append(s.messages, &m)
	s.change()
	return answer{fields: map[string]any{"channel": c.ID, "ts": m.TS, "message": s.shown(&m, true)}}
}

// paced says how long a channel must be left alone, and notes a message in it. A
// message that comes a little early counts against the next. mu is held.
func (s *Server) paced(channel string) time.Duration {
	if s.o.Unpaced {
		return 0
	}
	now := s.o.Now()
	free := s.free[channel]
	if wait := free.Sub(now); wait > s.o.Slack {
		s.violations = append(s.violations, "a message in "+channel+" came "+wait.String()+" too early: one a second")
		return wait
	}
	s.free[channel] = later(now, free).Add(s.o.Pace)
	return 0
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *Server) updateMessage(form url.Values) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.channel(form.Get("channel"), false)
	if !ok {
		return refused("channel_not_found")
	}
	if c.Archived {
		return refused("is_archived")
	}
	if wait := s.tiered(); wait > 0 {
		return answer{code: "ratelimited", after: wait}
	}
	now := s.find(c.ID, form.Get("ts"))
	if now == nil {
		return refused("message_not_found")
	}
	m, code := s.content(form)
	if code != "" {
		return refused(code)
	}
	before := *now
	before.Edits = nil
	now.Edits = append(now.Edits, before)
	now.Text, now.Blocks, now.At = m.Text, m.Blocks, m.At
	if m.Metadata != nil {
		now.Metadata = m.Metadata
	}
	s.change()
	return answer{fields: map[string]any{"channel": c.ID, "ts": now.TS, "text": now.Text, "message": s.shown(now, true)}}
}

// tiered holds edits to Slack's third tier, "50 and more a minute". mu is held.
func (s *Server) tiered() time.Duration {
	if s.o.Unpaced {
		return 0
	}
	now := s.o.Now()
	s.updates = slices.DeleteFunc(s.updates, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(s.updates) >= 100 {
		s.violations = append(s.violations, "more than 100 edits within a minute")
		return time.Minute - now.Sub(s.updates[0])
	}
	s.updates = append(s.updates, now)
	return 0
}

func (s *Server) postEphemeral(form url.Values) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.channel(form.Get("channel"), true)
	switch {
	case !ok:
		return refused("channel_not_found")
	case c.Archived:
		return refused("is_archived")
	case form.Get("user") == "":
		return refused("user_not_in_channel")
	}
	m, code := s.content(form)
	if code != "" {
		return refused(code)
	}
	s.private = append(s.private, Private{User: form.Get("user"), Channel: c.ID, Text: m.Text, Blocks: m.Blocks, At: m.At})
	s.change()
	return answer{fields: map[string]any{"message_ts": s.stamp()}}
}

// shown is a message as the methods tell of it.
func (s *Server) shown(m *Message, metadata bool) map[string]any {
	body := map[string]any{
		"type": "message", "user": s.o.Bot, "bot_id": BotID, "app_id": App, "team": s.o.Team,
		"ts": m.TS, "text": m.Text,
	}
	if m.Blocks != nil {
		body["blocks"] = m.Blocks
	}
	if m.ThreadTS != "" {
		body["thread_ts"] = m.ThreadTS
	}
	if metadata && m.Metadata != nil {
		body["metadata"] = m.Metadata
	}
	if n := len(m.Edits); n > 0 {
		body["edited"] = map[string]any{"user": s.o.Bot, "ts": m.TS}
	}
	return body
}

// read answers conversations.history, the newest first, and conversations.replies,
// the oldest first.
func (s *Server) read(method string, form url.Values) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.channel(form.Get("channel"), false)
	switch {
	case s.o.NoHistory:
		return answer{code: "missing_scope", fields: map[string]any{"needed": "channels:history", "provided": "chat:write"}}
	case !ok || c.Private && c.Outside:
		return refused("channel_not_found")
	case c.Outside:
		return refused("not_in_channel")
	}
	replies := method == "conversations.replies"
	if replies && s.find(c.ID, form.Get("ts")) == nil {
		return refused("thread_not_found")
	}
	metadata := form.Get("include_all_metadata") == "1" || form.Get("include_all_metadata") == "true"
	var list []map[string]any
	for _, m := range s.messages {
		in := m.ThreadTS == ""
		if replies {
			in = m.ThreadTS == form.Get("ts") || m.TS == form.Get("ts")
		}
		if in && m.Channel == c.ID && !m.Deleted && (form.Get("oldest") == "" || m.TS > form.Get("oldest")) {
			list = append(list, s.shown(m, metadata))
		}
	}
	if !replies {
		slices.Reverse(list)
	}
	page, next, code := paged(list, form, 100)
	if code != "" {
		return refused(code)
	}
	return answer{fields: map[string]any{
		"messages": page, "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next},
	}}
}

func (s *Server) listChannels(form url.Values) answer {
	if s.o.NoHistory {
		return answer{code: "missing_scope", fields: map[string]any{"needed": "channels:read", "provided": "chat:write"}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []map[string]any
	for _, c := range s.o.Channels {
		if c.Archived && form.Get("exclude_archived") == "true" || c.Private && c.Outside {
			continue
		}
		list = append(list, map[string]any{"id": c.ID, "name": c.Name, "is_archived": c.Archived, "is_member": !c.Outside, "is_private": c.Private})
	}
	page, next, code := paged(list, form, 100)
	if code != "" {
		return refused(code)
	}
	return answer{fields: map[string]any{"channels": page, "response_metadata": map[string]any{"next_cursor": next}}}
}

// paged cuts a list to a page; the cursor is where the next begins.
func paged(list []map[string]any, form url.Values, limit int) (page []map[string]any, next, code string) {
	if asked := form.Get("limit"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 1 || n > 1000 {
			return nil, "", "invalid_limit"
		}
		limit = n
	}
	from := 0
	if cursor := form.Get("cursor"); cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil || n < 0 || n > len(list) {
			return nil, "", "invalid_cursor"
		}
		from = n
	}
	to := min(len(list), from+limit)
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return append([]map[string]any{}, list[from:to]...), next, ""
}
