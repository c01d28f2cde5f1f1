package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/slack-go/slack"

	"plumbline/drift"
)

const (
	// longestSection bounds the text of a block, longestAnswer that of an answer.
	longestSection = 2800
	longestAnswer  = 9000
)

// said makes an answer of lines of mrkdwn whose names went through code or
// escaped. What is too much is left out, and the last line says so.
func said(lines ...string) Message {
	var m Message
	var section strings.Builder
	total, left := 0, 0
	flush := func() {
		if section.Len() > 0 {
			m.Blocks = append(m.Blocks, slack.NewSectionBlock(marked(section.String()), nil, nil))
			section.Reset()
		}
	}
	for _, line := range lines {
		if total += units(line) + 1; total > longestAnswer || units(line) > longestSection {
			left++
			continue
		}
		if section.Len()+len(line)+1 > longestSection {
			flush()
		}
		if section.Len() > 0 {
			section.WriteByte('\n')
		}
		section.WriteString(line)
	}
	if flush(); left > 0 {
		m.Blocks = append(m.Blocks, slack.NewSectionBlock(marked(fmt.Sprintf("… and %d more lines", left)), nil, nil))
	}
	if len(lines) > 0 {
		m.Text = quiet(bareWords(lines[0]), 300)
	}
	return m
}

// bareWords are a line of mrkdwn without its marks: a link as its label.
func bareWords(line string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(line, "<")
		b.WriteString(before)
		if !found {
			break
		}
		inside, after, _ := strings.Cut(rest, ">")
		_, label, _ := strings.Cut(inside, "|")
		b.WriteString(label)
		line = after
	}
	return unescaped(strings.NewReplacer("`", "", "*", "").Replace(b.String()))
}

// answered is an answer as Slack takes it at a response_url.
type answered struct {
	ResponseType    string        `json:"response_type"`
	ReplaceOriginal bool          `json:"replace_original"`
	UnfurlLinks     bool          `json:"unfurl_links"`
	Text            string        `json:"text"`
	Blocks          []slack.Block `json:"blocks,omitempty"`
}

func (m Message) answer(share bool) answered {
	a := answered{ResponseType: slack.ResponseTypeEphemeral, Text: m.Text, Blocks: m.Blocks}
	if share {
		a.ResponseType = slack.ResponseTypeInChannel
	}
	return a
}

// tell answers whoever asked: where the request says, which Slack allows five
// times within half an hour, and where that does not do by a private message.
// Only a command that asked for it is answered to the whole channel.
func (in *Inbound) tell(ctx context.Context, a *asked, m Message, share bool) error {
	if a.Reply != "" && in.mayAnswer(a.Reply) {
		err := in.respond(ctx, a.Reply, m.answer(share))
		if err == nil || share {
			return err
		}
		in.o.Log.Info("an answer was not taken at its response_url, and goes as a message", "error", err)
	}
	_, err := in.api.PostEphemeralContext(ctx, a.Channel, a.User, slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...),
		slack.MsgOptionDisableLinkUnfurl())
	if err != nil {
		return errors.New("answer in private: " + why(err))
	}
	return nil
}

// mayAnswer says whether an address is one at which Slack takes answers: whoever
// could name another would have us call it.
func (in *Inbound) mayAnswer(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return false
	}
	if test, err := url.Parse(in.o.APIURL); in.o.APIURL != "" && err == nil && u.Host == test.Host && u.Scheme == test.Scheme {
		return true
	}
	return u.Scheme == "https" && u.Host == "hooks.slack.com"
}

func (in *Inbound) respond(ctx context.Context, address string, a answered) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write an answer: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("answer: the response_url cannot be read")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := in.o.HTTP.Do(request)
	if err != nil {
		return errors.New("answer: " + why(err))
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answer: Slack says %s", http.StatusText(response.StatusCode))
	}
	return nil
}

// why is what may be told of an error of slack-go or of the network: no address,
// which may hold a secret.
func why(err error) string {
	var said slack.SlackErrorResponse
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	var at *url.Error
	var network *net.OpError
	switch {
	case errors.As(err, &said):
		return drift.Visible(said.Err)
	case errors.As(err, &limited):
		return "Slack asks to wait " + limited.RetryAfter.String()
	case errors.As(err, &status):
		return fmt.Sprintf("Slack answers with status %d", status.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return "Slack does not answer in time"
	case errors.Is(err, context.Canceled):
		return "it was given up"
	case errors.As(err, &network):
		return "Slack cannot be reached: " + network.Err.Error()
	case errors.As(err, &at):
		return "Slack cannot be reached"
	}
	return "Slack's answer cannot be read"
}
