package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/slack-go/slack"
)

// What Slack takes, from its reference of Block Kit and chat.postMessage. The
// longest message is measured: Slack refuses blocks of about 13,200 characters in
// all, their JSON counted, and documents 12,000.
const (
	maxText     = 4000
	maxBlocks   = 50
	maxMessage  = 12000
	maxHeader   = 150
	maxSection  = 3000
	maxFields   = 10
	maxField    = 2000
	maxContext  = 10
	maxActions  = 25
	maxActionID = 255
	maxButton   = 75
	maxValue    = 2000
	maxURL      = 3000
	maxOptions  = 100
	maxOption   = 75
	maxChoice   = 150
)

// Check says what Slack would refuse in a message, and what in it names somebody
// or leads somewhere that Mention and Links do not allow. nil is fit to be sent.
func Check(m Message) error {
	c := &checker{message: &m}
	c.length("text", m.Text, 1, maxText)
	c.mrkdwn("text", m.Text)
	if len(m.Blocks) > maxBlocks {
		c.wrong("%d blocks, more than %d", len(m.Blocks), maxBlocks)
	}
	for i, b := range m.Blocks {
		c.block(fmt.Sprintf("block %d", i), b)
	}
	switch all, err := json.Marshal(slack.Blocks{BlockSet: m.Blocks}); {
	case err != nil:
		c.wrong("blocks: %w", err)
	case units(string(all)) > maxMessage:
		c.wrong("the blocks are %d long, more than %d", units(string(all)), maxMessage)
	}
	return errors.Join(c.problems...)
}

type checker struct {
	message  *Message
	problems []error
}

func (c *checker) wrong(format string, a ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, a...))
}

func (c *checker) length(at, s string, least, most int) {
	if n := units(s); n < least || n > most {
		c.wrong("%s: %d long, not %d to %d", at, n, least, most)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		c.wrong("%s: a character that cannot be seen, %+q", at, s[i:min(len(s), i+4)])
	}
}

func (c *checker) block(at string, b slack.Block) {
	switch b := b.(type) {
	case *slack.HeaderBlock:
		c.text(at, b.Text, maxHeader)
		if b.Text != nil && b.Text.Type != slack.PlainTextType {
			c.wrong("%s: a header is plain text", at)
		}
	case *slack.SectionBlock:
		c.section(at, b)
	case *slack.ContextBlock:
		c.count(at, len(b.ContextElements.Elements), maxContext)
		for _, e := range b.ContextElements.Elements {
			t, ok := e.(*slack.TextBlockObject)
			if !ok {
				c.wrong("%s: %T in a context", at, e)
				continue
			}
			c.text(at, t, maxField)
		}
	case *slack.ActionBlock:
		c.actions(at, b)
	case *slack.RichTextBlock:
		c.richText(at, b)
	case *slack.DividerBlock:
	default:
		c.wrong("%s: %T is none of those we write", at, b)
	}
}

func (c *checker) count(at string, n, most int) {
	if n < 1 || n > most {
		c.wrong("%s: %d elements, not 1 to %d", at, n, most)
	}
}

func (c *checker) text(at string, t *slack.TextBlockObject, most int) {
	if t == nil {
		c.wrong("%s: no text", at)
		return
	}
	c.length(at, t.Text, 1, most)
	if t.Type != slack.MarkdownType {
		return
	}
	c.mrkdwn(at, t.Text)
	if !t.Verbatim {
		c.wrong("%s: mrkdwn that is not verbatim makes links of what looks like one", at)
	}
}

func (c *checker) section(at string, b *slack.SectionBlock) {
	if b.Text == nil && len(b.Fields) == 0 {
		c.wrong("%s: neither a text nor fields", at)
	}
	if b.Accessory != nil {
		c.wrong("%s: an accessory is none of those we write", at)
	}
	if b.Text != nil {
		c.text(at, b.Text, maxSection)
	}
	if len(b.Fields) > maxFields {
		c.wrong("%s: %d fields, more than %d", at, len(b.Fields), maxFields)
	}
	for _, f := range b.Fields {
		c.text(at, f, maxField)
	}
}

func (c *checker) actions(at string, b *slack.ActionBlock) {
	c.count(at, len(b.Elements.ElementSet), maxActions)
	seen := map[string]bool{}
	action := func(id string) {
		c.length(at+": action_id", id, 1, maxActionID)
		if seen[id] {
			c.wrong("%s: %q stands twice", at, id)
		}
		seen[id] = true
	}
	for _, e := range b.Elements.ElementSet {
		switch e := e.(type) {
		case *slack.ButtonBlockElement:
			action(e.ActionID)
			c.text(at, e.Text, maxButton)
			c.length(at+": value", e.Value, 0, maxValue)
			if e.URL != "" {
				c.address(at, e.URL)
			}
		case *slack.SelectBlockElement:
			action(e.ActionID)
			c.text(at, e.Placeholder, maxChoice)
			c.count(at, len(e.Options), maxOptions)
			for _, o := range e.Options {
				c.text(at, o.Text, maxOption)
				c.length(at+": value", o.Value, 1, maxChoice)
				if o.URL != "" {
					c.address(at, o.URL)
				}
			}
		default:
			c.wrong("%s: %T is none of those we write", at, e)
		}
	}
}

func (c *checker) richText(at string, b *slack.RichTextBlock) {
	if len(b.Elements) == 0 {
		c.wrong("%s: nothing in it", at)
	}
	for _, e := range b.Elements {
		var words []slack.RichTextSectionElement
		switch e := e.(type) {
		case *slack.RichTextSection:
			words = e.Elements
		case *slack.RichTextPreformatted:
			words = e.Elements
		default:
			c.wrong("%s: %T is none of those we write", at, e)
		}
		for _, w := range words {
			c.word(at, w)
		}
	}
}

func (c *checker) word(at string, w slack.RichTextSectionElement) {
	switch w := w.(type) {
	case *slack.RichTextSectionTextElement:
		c.length(at, w.Text, 1, maxSection)
	case *slack.RichTextSectionDateElement:
	case *slack.RichTextSectionLinkElement:
		c.length(at, w.Text, 1, maxSection)
		c.address(at, w.URL)
	case *slack.RichTextSectionUserElement:
		c.named(at, w.UserID)
	case *slack.RichTextSectionUserGroupElement:
		c.named(at, w.UsergroupID)
	default:
		c.wrong("%s: %T is none of those we write", at, w)
	}
}

func (c *checker) address(at, address string) {
	if !slices.Contains(c.message.Links, address) {
		c.wrong("%s: leads to %+q", at, clip(address, longName))
	}
	c.length(at+": address", address, 1, maxURL)
}

func (c *checker) named(at, id string) {
	if id != c.message.Mention || mention(id) == "" {
		c.wrong("%s: names %+q", at, clip(id, longName))
	}
}

// mrkdwn looks at what Slack takes for a sequence of its own.
func (c *checker) mrkdwn(at, s string) {
	for rest := s; ; {
		i := strings.IndexAny(rest, "<>&")
		if i < 0 {
			return
		}
		rest = rest[i:]
		switch {
		case regexp.MustCompile(`^&(amp|lt|gt);`).MatchString(rest):
			rest = rest[1:]
		case rest[0] == '<':
			end := strings.IndexByte(rest, '>')
			if end < 0 {
				c.wrong("%s: a < that nothing closes", at)
				return
			}
			c.sequence(at, rest[1:end])
			rest = rest[end+1:]
		default:
			c.wrong("%s: an unescaped %c", at, rest[0])
			rest = rest[1:]
		}
	}
}

func (c *checker) sequence(at, s string) {
	address, label, labelled := strings.Cut(s, "|")
	switch {
	case regexp.MustCompile(`^!date\^-?\d+\^[^<>|^]+\|[^<>|]+$`).MatchString(s):
	case mention(c.message.Mention) == "<"+s+">":
	case labelled && label != "" && !strings.ContainsAny(label, "<|") && slices.Contains(c.message.Links, unescaped(address)):
	default:
		c.wrong("%s: names or leads to %+q", at, clip(s, longName))
	}
}
