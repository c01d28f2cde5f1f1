package slack

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"plumbline/alerts"
	"plumbline/sources"
)

// Options are what a Sender needs.
type Options struct {
	Token sources.Secret // of the bot: xoxb-…
	// APIURL is where Slack's API is; "" is Slack itself.
	APIURL string
	// PublicURL is where people reach the pages; "" where they cannot.
	PublicURL string
	// HTTP makes the requests; nil is one that waits 15 s for an answer.
	HTTP *http.Client
}

// Sender writes messages in Slack. It makes one request a step, and looks a
// doubtful message up before that. It knows nothing but the ids of channels it
// met, which do not change.
type Sender struct {
	api       *slack.Client
	publicURL string
	ids       sync.Map // the name of a channel → its id
}

// New returns a sender; it reaches nothing before the first step.
func New(o Options) *Sender {
	client := &http.Client{Timeout: 15 * time.Second}
	if o.HTTP != nil {
		copied := *o.HTTP
		client = &copied
	}
	// The token is in the body of a request, which a redirect would carry elsewhere.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	options := []slack.Option{slack.OptionHTTPClient(client)}
	if o.APIURL != "" {
		options = append(options, slack.OptionAPIURL(strings.TrimRight(o.APIURL, "/")+"/"))
	}
	return &Sender{api: slack.New(o.Token.Reveal(), options...), publicURL: o.PublicURL}
}

// Send takes one step. A post, reply or notice whose answer was lost is looked for
// by its metadata before it is made again. Where the history cannot be read it is
// made again all the same; a root message only once more, and not a third time:
// that is refused until somebody lets the history be read.
func (s *Sender) Send(ctx context.Context, d *alerts.Delivery) (alerts.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m := Render(d, s.publicURL)
	if Check(m) != nil {
		m = m.bare() // rather short than not at all
	}
	if d.Step == alerts.Edit {
		return alerts.Receipt{Ref: d.Ref}, s.edit(ctx, d.Ref, m)
	}
	if !d.Doubtful.IsZero() {
		found, err := s.find(ctx, d)
		if err != nil || found != (alerts.Ref{}) {
			return alerts.Receipt{Ref: found, Found: err == nil}, err
		}
		if d.Step == alerts.Post && (d.Incident.State == alerts.Resolved || d.Muted != nil) {
			return alerts.Receipt{}, nil // nobody was told, and now nobody is to be
		}
	}
	return s.post(ctx, d, m)
}

// post makes a new message: a root, a reply in its thread, a notice.
func (s *Sender) post(ctx context.Context, d *alerts.Delivery, m Message) (alerts.Receipt, error) {
	channel, thread := d.Target.Address, ""
	if d.Step == alerts.Reply {
		channel, thread = d.Ref.Channel, d.Ref.TS
	}
	write := func(m Message) (alerts.Ref, error) {
		options := written(m)
		if thread != "" {
			options = append(options, slack.MsgOptionTS(thread))
		}
		id, ts, answer, err := s.api.PostMessageWithResponseContext(ctx, channel, options...)
		switch {
		case err != nil:
			return alerts.Ref{}, fault(err, d, true)
		case id == "" || ts == "":
			return alerts.Ref{}, alerts.ErrLost
		case thread != "" && answer.ThreadTimestamp != thread:
			// Slack writes a reply to a deleted message in the channel.
			return alerts.Ref{}, alerts.ErrGone
		}
		return alerts.Ref{Channel: id, TS: ts}, nil
	}
	ref, err := write(m)
	if unfit(err) && len(m.Blocks) > 0 {
		ref, err = write(m.bare())
	}
	if err != nil {
		return alerts.Receipt{}, err
	}
	s.ids.Store(channel, ref.Channel)
	if thread != "" {
		ref = d.Ref
	}
	return alerts.Receipt{Ref: ref}, nil
}

func (s *Sender) edit(ctx context.Context, ref alerts.Ref, m Message) error {
	write := func(m Message) error {
		_, _, _, err := s.api.UpdateMessageContext(ctx, ref.Channel, ref.TS, written(m)...)
		if err == nil {
			return nil
		}
		return fault(err, &alerts.Delivery{Step: alerts.Edit, Target: alerts.Target{Address: ref.Channel}}, false)
	}
	err := write(m)
	if unfit(err) && len(m.Blocks) > 0 {
		err = write(m.bare())
	}
	return err
}

func written(m Message) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(m.Text, false),
		slack.MsgOptionBlocks(m.Blocks...),
		slack.MsgOptionMetadata(m.Metadata),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
	}
}

// patience bounds a step with all that is looked up for it, well within the time
// for which a dispatcher holds the channel.
const patience = 40 * time.Second

// lookBack is how far before a doubtful request its message is looked for, since
// Slack's clock is not ours.
const lookBack = 5 * time.Second

// find looks for a message that may have been made; the zero Ref is none, or none
// that can be looked for while one more may be made.
func (s *Sender) find(ctx context.Context, d *alerts.Delivery) (alerts.Ref, error) {
	messages, channel, err := s.recent(ctx, d)
	if err != nil {
		return unread(err, d)
	}
	for i := range messages {
		if made(&messages[i], d) {
			if d.Step == alerts.Reply {
				return d.Ref, nil
			}
			return alerts.Ref{Channel: channel, TS: messages[i].Timestamp}, nil
		}
	}
	return alerts.Ref{}, nil
}

// made says whether a message is the one a delivery was to make.
func made(m *slack.Message, d *alerts.Delivery) bool {
	payload := m.Metadata.EventPayload
	if d.Step == alerts.Post && d.Incident != nil {
		return m.Metadata.EventType == EventIncident && payload["incident"] == d.Incident.ID &&
			(m.ThreadTimestamp == "" || m.ThreadTimestamp == m.Timestamp)
	}
	return payload["delivery"] == d.ID
}

// unread decides what to do where the history cannot be read.
func unread(err error, d *alerts.Delivery) (alerts.Ref, error) {
	switch {
	case forbidden(err) && (d.Step != alerts.Post || d.Lost < 2):
		return alerts.Ref{}, nil // a reply told twice is better than one that is not
	case forbidden(err):
		return alerts.Ref{}, &alerts.RefusedError{
			Why: "two messages were sent whose answers were lost, and the channel's history cannot be read to find them",
			Do:  "give the Slack app the scopes channels:history, groups:history, channels:read and groups:read, and invite it to the channel",
		}
	}
	return alerts.Ref{}, fault(err, d, false)
}

// recent reads what was written since just before a doubtful request: the channel,
// or the thread for a reply.
func (s *Sender) recent(ctx context.Context, d *alerts.Delivery) (list []slack.Message, channel string, err error) {
	oldest := stamp(d.Doubtful.Add(-lookBack))
	for cursor := ""; ; {
		var page []slack.Message
		var next string
		if d.Step == alerts.Reply {
			channel = d.Ref.Channel
			page, _, next, err = s.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
				ChannelID: channel, Timestamp: d.Ref.TS, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true,
			})
		} else {
			if channel, err = s.channelID(ctx, d.Target.Address); err != nil {
				return nil, "", err
			}
			var history *slack.GetConversationHistoryResponse
			history, err = s.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
				ChannelID: channel, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true,
			})
			if err == nil {
				page, next = history.Messages, history.ResponseMetaData.NextCursor
			}
		}
		if err != nil {
			return nil, "", err
		}
		list = append(list, page...)
		if next == "" || next == cursor {
			return list, channel, nil
		}
		cursor = next
	}
}

func stamp(t time.Time) string {
	return strconv.FormatInt(t.Unix(), 10) + ".000000"
}

// channelID finds the id of a channel: what is posted may name it, what is read
// must not.
func (s *Sender) channelID(ctx context.Context, address string) (string, error) {
	if isChannelID(address) {
		return address, nil
	}
	if id, ok := s.ids.Load(address); ok {
		return id.(string), nil
	}
	name := strings.TrimPrefix(address, "#")
	for cursor := ""; ; {
		page, next, err := s.api.GetConversationsContext(ctx, &slack.GetConversationsParameters{
			Cursor: cursor, Limit: 1000, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"},
		})
		if err != nil {
			return "", err
		}
		for i := range page {
			if page[i].Name == name {
				s.ids.Store(address, page[i].ID)
				return page[i].ID, nil
			}
		}
		if next == "" || next == cursor {
			return "", slack.SlackErrorResponse{Err: "channel_not_found"}
		}
		cursor = next
	}
}

func isChannelID(address string) bool {
	if len(address) < 9 || !strings.ContainsRune("CGD", rune(address[0])) {
		return false
	}
	return strings.Trim(address, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
