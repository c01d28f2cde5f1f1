package slack

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
)

// asked is what somebody of Slack asks for, as far as it matters. It is kept in
// the inbox.
type asked struct {
	// Teams are all workspaces that the request says it is of: its own, and its user's.
	Teams      []string `json:"teams"`
	Enterprise string   `json:"enterprise,omitempty"`
	User       string   `json:"user"`
	Channel    string   `json:"channel"`
	Reply      string   `json:"reply,omitempty"` // the response_url
	Order      order    `json:"order"`
	// Runs and Until are of what is followed to its end.
	Runs  []string `json:"runs,omitempty"`
	Until int64    `json:"until,omitempty"`
}

// The kinds of requests in the inbox.
const (
	kindCommand = "command"
	kindAction  = "action"
	kindFollow  = "follow" // of a run, until it has ended
)

// errMalformed: the request is none that Slack would make.
var errMalformed = errors.New("the request is malformed")

// isID says whether a text is the id of a workspace, a person or a channel.
func isID(text string) bool {
	other := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }
	return text != "" && len(text) <= 32 && !strings.ContainsFunc(text, other)
}

const (
	longestText  = 4000
	longestReply = 2000
)

func (a *asked) check() error {
	for _, id := range append([]string{a.User, a.Channel}, a.Teams...) {
		if !isID(id) {
			return errMalformed
		}
	}
	if len(a.Teams) == 0 || a.Enterprise != "" && !isID(a.Enterprise) || len(a.Reply) > longestReply {
		return errMalformed
	}
	return nil
}

// askedByCommand reads the form of a slash command.
func askedByCommand(form url.Values) (*asked, error) {
	if len(form.Get("text")) > longestText || form.Get("command") == "" {
		return nil, errMalformed
	}
	a := &asked{Teams: []string{form.Get("team_id")}, Enterprise: form.Get("enterprise_id"), User: form.Get("user_id"),
		Channel: form.Get("channel_id"), Reply: form.Get("response_url"), Order: parseOrder(form.Get("text"))}
	return a, a.check()
}

// askedByCommandJSON reads a slash command as Socket Mode brings it.
func askedByCommandJSON(payload []byte) (*asked, error) {
	var fields map[string]any
	if err := json.Unmarshal(payload, &fields); err != nil {
		return nil, errMalformed
	}
	form := url.Values{}
	for name, value := range fields {
		if text, ok := value.(string); ok {
			form.Set(name, text)
		}
	}
	return askedByCommand(form)
}

// interaction is what matters of an interaction's payload.
type interaction struct {
	Type string `json:"type"`
	Team *struct {
		ID string `json:"id"`
	} `json:"team"`
	Enterprise *struct {
		ID string `json:"id"`
	} `json:"enterprise"`
	User struct {
		ID     string `json:"id"`
		TeamID string `json:"team_id"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Container struct {
		ChannelID string `json:"channel_id"`
	} `json:"container"`
	ResponseURL string `json:"response_url"`
	Actions     []struct {
		ActionID       string `json:"action_id"`
		Value          string `json:"value"`
		SelectedOption struct {
			Value string `json:"value"`
		} `json:"selected_option"`
	} `json:"actions"`
}

// askedByAction reads what a button or a menu sent.
func askedByAction(payload []byte) (*asked, error) {
	var i interaction
	if err := json.Unmarshal(payload, &i); err != nil || i.Type == "" {
		return nil, errMalformed
	}
	a := &asked{User: i.User.ID, Channel: i.Channel.ID, Reply: i.ResponseURL}
	if a.Channel == "" {
		a.Channel = i.Container.ChannelID
	}
	if i.Team != nil {
		a.Teams = append(a.Teams, i.Team.ID)
	}
	if i.User.TeamID != "" {
		a.Teams = append(a.Teams, i.User.TeamID)
	}
	if i.Enterprise != nil {
		a.Enterprise = i.Enterprise.ID
	}
	if i.Type == "block_actions" && len(i.Actions) > 0 {
		value := i.Actions[0].Value
		if value == "" {
			value = i.Actions[0].SelectedOption.Value
		}
		var err error
		if a.Order, err = orderOfAction(i.Actions[0].ActionID, value); err != nil {
			return nil, err
		}
	}
	return a, a.check()
}

// decodeAsked reads what was kept in the inbox.
func decodeAsked(body string) (*asked, error) {
	a := &asked{}
	if err := json.NewDecoder(strings.NewReader(body)).Decode(a); err != nil {
		return nil, errMalformed
	}
	return a, a.check()
}
