package slack

import (
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// Message is what is written in Slack. Whatever the words in it, it names nobody
// but Mention and leads nowhere but to Links; Check holds it to that and to
// Slack's limits.
type Message struct {
	// Text is what a notification shows, and all that is shown where there are no
	// blocks.
	Text     string
	Blocks   []slack.Block
	Metadata slack.SlackMetadata
	// Mention is the user or group that the configuration wants named, "" nobody.
	Mention string
	// Links are the addresses that the configuration leads to.
	Links []string
}

// bare returns the message as its text alone, in the one block that keeps Slack
// from looking for addresses in it: for a Slack that refuses the others.
func (m Message) bare() Message {
	if units(m.Text) > maxSection {
		m.Text = escaped(clip(unescaped(m.Text), maxSection/5)) // an escape is at most five long
	}
	m.Blocks = []slack.Block{slack.NewSectionBlock(marked(m.Text), nil, nil)}
	return m
}

// leads notes an address that the message may lead to, and returns it as Slack
// takes it; "" is no address.
func (m *Message) leads(address string) string {
	address = web(address)
	if address != "" {
		m.Links = append(m.Links, address)
	}
	return address
}

func plainText(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, true, false)
}

// marked returns a text in which Slack's marks count, and nothing that only looks
// like an address or a channel becomes a link.
func marked(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, true)
}

func headed(s string) slack.Block { return slack.NewHeaderBlock(plainText(clip(s, maxHeader))) }

// A line is words of rich text, in which nothing is parsed.
type line []slack.RichTextSectionElement

func (l *line) say(words string) {
	if words != "" {
		*l = append(*l, slack.NewRichTextSectionTextElement(words, nil))
	}
}

func (l *line) stress(words string) {
	if words == "" {
		return
	}
	*l = append(*l, slack.NewRichTextSectionTextElement(words, &slack.RichTextSectionTextStyle{Bold: true}))
}

func (l *line) date(t time.Time) {
	words := t.UTC().Format(timeWords)
	*l = append(*l, slack.NewRichTextSectionDateElement(t.Unix(), dateFormat, nil, &words))
}

// name names the user or group of Slack whose id it is.
func (l *line) name(id string) {
	switch said := mention(id); {
	case strings.HasPrefix(said, "<!"):
		*l = append(*l, slack.NewRichTextSectionUserGroupElement(id))
	case said != "":
		*l = append(*l, slack.NewRichTextSectionUserElement(id, nil))
	}
}

func (l *line) link(address, label string) {
	if label == "" {
		label = "open"
	}
	*l = append(*l, slack.NewRichTextSectionLinkElement(address, label, nil))
}

// lines returns lines as one block, with what is listed beneath them in letters of
// one width; nil for nothing.
func lines(said []line, listing []string) []slack.Block {
	var elements []slack.RichTextElement
	for _, words := range said {
		if len(words) > 0 {
			elements = append(elements, slack.NewRichTextSection(words...))
		}
	}
	if len(listing) > 0 {
		text := slack.NewRichTextSectionTextElement(strings.Join(listing, "\n"), nil)
		elements = append(elements, &slack.RichTextPreformatted{
			Type: slack.RTEPreformatted, Elements: []slack.RichTextSectionElement{text},
		})
	}
	if len(elements) == 0 {
		return nil
	}
	return []slack.Block{slack.NewRichTextBlock("", elements...)}
}
