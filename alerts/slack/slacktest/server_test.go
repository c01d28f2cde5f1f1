package slacktest_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"plumbline/alerts/slack/slacktest"
)

// clock is a time that passes when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func client(s *slacktest.Server) *slack.Client {
	return slack.New(slacktest.Token, slack.OptionAPIURL(s.API()), slack.OptionAppLevelToken(slacktest.AppToken))
}

func text(s string) slack.MsgOption { return slack.MsgOptionText(s, false) }

func code(err error) string {
	if said, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return said.Err
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestServerHoldsMessagesEditsAndThreads(t *testing.T) {
	t.Parallel()
	s := slacktest.Start(t, slacktest.Options{Unpaced: true})
	api := client(s)
	who, err := api.AuthTestContext(t.Context())
	if err != nil || who.TeamID != slacktest.Team || who.BotID != slacktest.BotID {
		t.Fatalf("%+v, %v", who, err)
	}
	metadata := slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "e", EventPayload: map[string]any{"incident": "I-1"}})
	id, ts, err := api.PostMessageContext(t.Context(), "#basket", text("one"), metadata)
	if err != nil || id != "C0000BASKET" {
		t.Fatal(id, err)
	}
	if _, _, _, err := api.UpdateMessageContext(t.Context(), id, ts, text("two")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.PostMessageContext(t.Context(), id, text("reply"), slack.MsgOptionTS(ts)); err != nil {
		t.Fatal(err)
	}
	history, err := api.GetConversationHistoryContext(t.Context(), &slack.GetConversationHistoryParameters{ChannelID: id, IncludeAllMetadata: true})
	if err != nil || len(history.Messages) != 1 || history.Messages[0].Text != "two" || history.Messages[0].Metadata.EventPayload["incident"] != "I-1" {
		t.Errorf("%+v, %v", history, err)
	}
	history, err = api.GetConversationHistoryContext(t.Context(), &slack.GetConversationHistoryParameters{ChannelID: id, Oldest: ts})
	if err != nil || len(history.Messages) != 0 {
		t.Errorf("%+v, %v", history, err)
	}
	thread, _, _, err := api.GetConversationRepliesContext(t.Context(), &slack.GetConversationRepliesParameters{ChannelID: id, Timestamp: ts})
	if err != nil || len(thread) != 2 || thread[1].Text != "reply" || thread[1].Metadata.EventType != "" {
		t.Errorf("%+v, %v", thread, err)
	}
	if m := s.Roots("basket"); len(m) != 1 || len(m[0].Edits) != 1 || m[0].Edits[0].Text != "one" {
		t.Errorf("%+v", m)
	}
	s.Delete("basket", ts)
	_, _, _, err = api.UpdateMessageContext(t.Context(), id, ts, text("three"))
	if code(err) != "message_not_found" {
		t.Error(err)
	}
	_, _, orphan, err := api.PostMessageWithResponseContext(t.Context(), id, text("late"), slack.MsgOptionTS(ts))
	if err != nil || orphan.ThreadTimestamp != "" {
		t.Errorf("%+v, %v", orphan, err)
	}
}

func TestServerRefusesAsSlackDoes(t *testing.T) {
	t.Parallel()
	s := slacktest.Start(t, slacktest.Options{Unpaced: true, Channels: []slacktest.Channel{
		{ID: "C0000000IN", Name: "in"}, {ID: "C00000OUT", Name: "out", Outside: true}, {ID: "C0PRIVATE", Name: "private", Private: true, Outside: true},
		{ID: "C0ARCHIVED", Name: "archived", Archived: true},
	}})
	api := client(s)
	post := func(api *slack.Client, channel string, options ...slack.MsgOption) string {
		_, _, err := api.PostMessageContext(t.Context(), channel, options...)
		return code(err)
	}
	blocks := func() slack.MsgOption {
		return slack.MsgOptionBlocks(slack.UnknownBlock{Type: "x"}, slack.NewDividerBlock())
	}
	for _, row := range []struct{ got, want string }{
		{post(api, "#in", text("x")), ""},
		{post(api, "#out", text("x")), "not_in_channel"},
		{post(api, "#private", text("x")), "channel_not_found"},
		{post(api, "#archived", text("x")), "is_archived"},
		{post(api, "#nowhere", text("x")), "channel_not_found"},
		{post(api, "#in", text("")), "no_text"},
		{post(api, "#in", text(strings.Repeat("x", 4001))), "msg_too_long"},
		{post(api, "#in", text("x"), blocks()), "invalid_blocks"},
		{post(slack.New("xoxb-other", slack.OptionAPIURL(s.API())), "#in", text("x")), "invalid_auth"},
		{post(slack.New("", slack.OptionAPIURL(s.API())), "#in", text("x")), "not_authed"},
		{post(slack.New(slacktest.AppToken, slack.OptionAPIURL(s.API())), "#in", text("x")), "not_allowed_token_type"},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
	if got := s.Violations(); len(got) == 0 {
		t.Error("what was malformed is no violation")
	}
	_, _, _, err := api.UpdateMessageContext(t.Context(), "#in", "1.0", text("x"))
	if code(err) != "channel_not_found" { // an edit takes an id
		t.Error(err)
	}
}

// One message a second and channel; one that comes a little early is let through
// and counts against the next.
func TestServerKeepsThePace(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := slacktest.Start(t, slacktest.Options{Now: c.Now})
	api := client(s)
	post := func(channel string) error {
		_, _, err := api.PostMessageContext(t.Context(), channel, text("x"))
		return err
	}
	for _, row := range []struct {
		channel string
		passed  time.Duration
		limited bool
	}{
		{"#basket", 0, false},
		{"#data", 0, false},
		{"#basket", 300 * time.Millisecond, true},
		{"#basket", 700 * time.Millisecond, false},
		{"#basket", 700 * time.Millisecond, false}, // a little early
		{"#basket", 700 * time.Millisecond, true},  // and again: too much
		{"#basket", 2 * time.Second, false},
	} {
		c.pass(row.passed)
		err := post(row.channel)
		limit, limited := errors.AsType[*slack.RateLimitedError](err)
		if limited != row.limited || !limited && err != nil || limited && limit.RetryAfter < time.Second {
			t.Errorf("%+v: %v", row, err)
		}
	}
	if got := s.Violations(); len(got) != 2 {
		t.Errorf("%d violations: %q", len(got), got)
	}
}

func TestServerNoticesWhoComesBeforeRetryAfter(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := slacktest.Start(t, slacktest.Options{Now: c.Now, Unpaced: true, Faults: slacktest.Faults{RetryAfter: 10 * time.Second}})
	s.Script("chat.postMessage", slacktest.TooMany)
	api := client(s)
	for range 2 {
		_, _, _ = api.PostMessageContext(t.Context(), "#basket", text("x"))
		c.pass(9 * time.Second)
	}
	c.pass(time.Second)
	if _, _, err := api.PostMessageContext(t.Context(), "#basket", text("x")); err != nil {
		t.Fatal(err)
	}
	if got := s.Violations(); len(got) != 1 || !strings.Contains(got[0], "Retry-After") {
		t.Errorf("%q", got)
	}
}

func TestServerBreaksAsItIsTold(t *testing.T) {
	t.Parallel()
	s := slacktest.Start(t, slacktest.Options{Unpaced: true})
	for _, row := range []struct {
		fault slacktest.Fault
		done  bool
	}{
		{slacktest.TooMany, false},
		{slacktest.Broken, false},
		{slacktest.BrokenDone, true},
		{slacktest.Internal, false},
		{slacktest.InternalDid, true},
		{slacktest.LostBefore, false},
		{slacktest.LostAfter, true},
		{slacktest.Cut, true},
	} {
		before := len(s.Messages(""))
		s.Script("chat.postMessage", row.fault)
		_, _, err := client(s).PostMessageContext(t.Context(), "#basket", text("x"))
		if err == nil {
			t.Errorf("%s: no error", row.fault)
		}
		if done := len(s.Messages("")) > before; done != row.done {
			t.Errorf("%s: done is %v", row.fault, done)
		}
		asked := s.Requests("chat.postMessage")
		if last := asked[len(asked)-1]; last.Fault != row.fault || last.Done != row.done || last.Form.Has("token") {
			t.Errorf("%s: kept as %+v", row.fault, last)
		}
	}
	s.Violations() // nobody waited for Retry-After
}

func TestServerPagesAndListsChannels(t *testing.T) {
	t.Parallel()
	s := slacktest.Start(t, slacktest.Options{Unpaced: true})
	api := client(s)
	for range 5 {
		if _, _, err := api.PostMessageContext(t.Context(), "#data", text("x")); err != nil {
			t.Fatal(err)
		}
	}
	seen, cursor := 0, ""
	for {
		page, err := api.GetConversationHistoryContext(t.Context(), &slack.GetConversationHistoryParameters{ChannelID: "C000000DATA", Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Messages)
		if cursor = page.ResponseMetaData.NextCursor; cursor == "" {
			break
		}
	}
	if seen != 5 {
		t.Errorf("%d messages", seen)
	}
	channels, _, err := api.GetConversationsContext(t.Context(), &slack.GetConversationsParameters{Limit: 100})
	if err != nil || len(channels) != 2 || channels[0].Name != "basket" {
		t.Errorf("%+v, %v", channels, err)
	}
	shut := slacktest.Start(t, slacktest.Options{NoHistory: true})
	if _, err := client(shut).GetConversationHistoryContext(t.Context(), &slack.GetConversationHistoryParameters{ChannelID: "C000000DATA"}); code(err) != "missing_scope" {
		t.Error(err)
	}
}

func TestServerSeesPingsAndLinks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text, blocks string
		pings, links int
	}{
		{"plain", ``, 0, 0},
		{"<!channel> <@U1> <#C1> <!subteam^S1>", ``, 4, 0},
		{"<http://a.example|x> http://b.example www.c.example", ``, 0, 3},
		{"&lt;!channel&gt;", ``, 0, 0},
		{"x", `[{"type":"section","text":{"type":"mrkdwn","text":"http://a.example"}}]`, 0, 1},
		{"x", `[{"type":"section","text":{"type":"mrkdwn","verbatim":true,"text":"http://a.example <http://b.example>"}}]`, 0, 1},
		{"x", `[{"type":"section","text":{"type":"plain_text","text":"<!channel> http://a.example"}}]`, 0, 0},
		{"x", `[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"broadcast","range":"here"},{"type":"link","url":"http://a.example"}]}]}]`, 1, 1},
		{"x", `[{"type":"actions","elements":[{"type":"button","url":"http://a.example"}]}]`, 0, 1},
		{"<!date^1^{date}^http://a.example|x>", ``, 0, 1},
	} {
		m := slacktest.Message{Text: row.text, Blocks: json.RawMessage(row.blocks)}
		if p, l := slacktest.Pings(m), slacktest.Links(m); len(p) != row.pings || len(l) != row.links {
			t.Errorf("%s %s: pings %q, links %q", row.text, row.blocks, p, l)
		}
	}
}
