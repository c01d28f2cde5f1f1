package slack

import (
	"regexp"
	"strings"

	"github.com/slack-go/slack"
)

// Plain returns the message as text: for the terminal, the documentation and
// tests. A time is in UTC, a link is "label (address)", a button stands in
// brackets.
func (m Message) Plain() string {
	var b strings.Builder
	if len(m.Blocks) == 0 {
		return plainMarks(m.Text) + "\n"
	}
	for _, block := range m.Blocks {
		switch block := block.(type) {
		case *slack.HeaderBlock:
			b.WriteString(block.Text.Text + "\n")
		case *slack.SectionBlock:
			if block.Text != nil {
				b.WriteString(plainObject(block.Text) + "\n")
			}
			for _, f := range block.Fields {
				b.WriteString(plainField(f) + "\n")
			}
		case *slack.ContextBlock:
			b.WriteString(plainContext(block) + "\n")
		case *slack.ActionBlock:
			b.WriteString(plainActions(block) + "\n")
		case *slack.RichTextBlock:
			plainRichText(&b, block)
		}
	}
	return b.String()
}

func plainObject(t *slack.TextBlockObject) string {
	if t.Type == slack.MarkdownType {
		return plainMarks(t.Text)
	}
	return t.Text
}

// plainField writes "*Label*\nvalue" on one line.
func plainField(t *slack.TextBlockObject) string {
	label, value, ok := strings.Cut(strings.TrimPrefix(t.Text, "*"), "*\n")
	if !ok {
		return plainObject(t)
	}
	value = strings.ReplaceAll(value, "`", "")
	return label + ": " + strings.ReplaceAll(plainMarks(value), "\n", ", ")
}

func plainMarks(s string) string {
	s = regexp.MustCompile(`<!date\^[^|>]*\|([^>]*)>`).ReplaceAllString(s, "$1")
	s = regexp.MustCompile(`<!subteam\^([^>]*)>`).ReplaceAllString(s, "@$1")
	s = regexp.MustCompile(`<([^<>|@!]+)\|([^>]*)>`).ReplaceAllString(s, "$2 ($1)")
	s = regexp.MustCompile(`<(@[^>]*)>`).ReplaceAllString(s, "$1")
	return unescaped(s)
}

func plainContext(block *slack.ContextBlock) string {
	var parts []string
	for _, e := range block.ContextElements.Elements {
		if t, ok := e.(*slack.TextBlockObject); ok {
			parts = append(parts, plainObject(t))
		}
	}
	return strings.Join(parts, " · ")
}

func plainActions(block *slack.ActionBlock) string {
	var parts []string
	for _, e := range block.Elements.ElementSet {
		switch e := e.(type) {
		case *slack.ButtonBlockElement:
			parts = append(parts, "["+e.Text.Text+"]")
		case *slack.SelectBlockElement:
			choices := make([]string, len(e.Options))
			for i, o := range e.Options {
				choices[i] = o.Text.Text
			}
			parts = append(parts, "["+e.Placeholder.Text+" "+strings.Join(choices, " | ")+"]")
		}
	}
	return strings.Join(parts, " ")
}

func plainRichText(b *strings.Builder, block *slack.RichTextBlock) {
	for _, e := range block.Elements {
		switch e := e.(type) {
		case *slack.RichTextSection:
			for _, w := range e.Elements {
				b.WriteString(plainWord(w))
			}
			b.WriteString("\n")
		case *slack.RichTextPreformatted:
			for _, w := range e.Elements {
				b.WriteString("    " + strings.ReplaceAll(plainWord(w), "\n", "\n    ") + "\n")
			}
		}
	}
}

func plainWord(w slack.RichTextSectionElement) string {
	switch w := w.(type) {
	case *slack.RichTextSectionTextElement:
		return w.Text
	case *slack.RichTextSectionDateElement:
		if w.Fallback != nil {
			return *w.Fallback
		}
	case *slack.RichTextSectionLinkElement:
		return w.Text + " (" + w.URL + ")"
	case *slack.RichTextSectionUserElement:
		return "@" + w.UserID
	case *slack.RichTextSectionUserGroupElement:
		return "@" + w.UsergroupID
	}
	return ""
}
