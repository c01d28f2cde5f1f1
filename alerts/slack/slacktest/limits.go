package slacktest

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// object is anything in JSON. Blocks are judged as they come over the wire, by
// Slack's reference and by nobody's types.
type object = map[string]any

// Judge says what of a message Slack's reference forbids: "" and nothing, or the
// word chat.postMessage would refuse it with and all that is wrong.
func Judge(text string, blocks, metadata json.RawMessage) (code string, problems []string) {
	return judge(&Message{Text: text, Blocks: blocks, Metadata: metadata})
}

func judge(m *Message) (code string, problems []string) {
	j := &judgement{}
	switch {
	case m.Text == "" && len(m.Blocks) == 0:
		return "no_text", []string{"neither a text nor blocks"}
	case utf8.RuneCountInString(m.Text) > 4000:
		// Slack cuts at 40,000 and asks for 4,000 at most.
		return "msg_too_long", []string{"a text of more than 4,000 characters"}
	case m.Text == "":
		j.wrong("no text: a notification would show nothing")
	}
	j.visible("text", m.Text)
	if len(m.Metadata) > 0 {
		var metadata struct {
			Type    string `json:"event_type"`
			Payload object `json:"event_payload"`
		}
		if json.Unmarshal(m.Metadata, &metadata) != nil || metadata.Type == "" || metadata.Payload == nil {
			return "invalid_metadata_format", []string{"metadata without a type or a payload"}
		}
	}
	if len(m.Blocks) == 0 {
		return "", j.problems
	}
	var list []object
	if err := json.Unmarshal(m.Blocks, &list); err != nil {
		return "invalid_blocks_format", []string{"blocks that are no list: " + err.Error()}
	}
	if len(list) > 50 {
		j.wrong("%d blocks, at most 50", len(list))
	}
	for i, b := range list {
		j.at = fmt.Sprintf("block %d", i)
		j.block(b)
	}
	if len(j.problems) > 0 {
		return "invalid_blocks", j.problems
	}
	if n := utf8.RuneCountInString(string(m.Blocks)); n > 13_000 {
		return "msg_blocks_too_long", []string{fmt.Sprintf("blocks of %d characters", n)}
	}
	return "", nil
}

type judgement struct {
	at       string
	problems []string
}

func (j *judgement) wrong(format string, a ...any) {
	problem := fmt.Sprintf(format, a...)
	if j.at != "" {
		problem = j.at + ": " + problem
	}
	j.problems = append(j.problems, problem)
}

// only refuses keys that Slack's reference does not know there.
func (j *judgement) only(o object, keys ...string) {
	known := " " + strings.Join(keys, " ") + " type block_id "
	for key := range o {
		if !strings.Contains(known, " "+key+" ") {
			j.wrong("%s knows no %q", o["type"], key)
		}
	}
	if id, ok := o["block_id"]; ok {
		j.text("block_id", id, 1, 255)
	}
}

func (j *judgement) text(what string, v any, least, most int) string {
	s, ok := v.(string)
	if n := utf8.RuneCountInString(s); !ok || n < least || n > most {
		j.wrong("%s of %d characters, must be %d to %d", what, n, least, most)
	}
	j.visible(what, s)
	return s
}

// visible refuses what Slack would show as nothing, or turn the rest around with.
func (j *judgement) visible(what, s string) {
	if !utf8.ValidString(s) {
		j.wrong("%s is no UTF-8", what)
	}
	for _, r := range s {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) && r != '\n' {
			j.wrong("%s holds %U", what, r)
			return
		}
	}
}

func (j *judgement) list(o object, key string, least, most int) []object {
	raw, ok := o[key].([]any)
	if !ok || len(raw) < least || len(raw) > most {
		j.wrong("%d %s, must be %d to %d", len(raw), key, least, most)
	}
	var list []object
	for _, v := range raw {
		e, ok := v.(object)
		if !ok {
			j.wrong("%s holds what is no object", key)
			continue
		}
		list = append(list, e)
	}
	return list
}

// words checks a text object: its kind among the allowed, and its length.
func (j *judgement) words(what string, v any, most int, kinds string) {
	o, ok := v.(object)
	kind, _ := o["type"].(string)
	if !ok || !strings.Contains(kinds, kind) || kind == "" {
		j.wrong("%s must be %s", what, kinds)
		return
	}
	j.text(what, o["text"], 1, most)
	for key := range o {
		switch {
		case key == "type" || key == "text":
		case key == "emoji" && kind == "plain_text":
		case key == "verbatim" && kind == "mrkdwn":
		default:
			j.wrong("%s: %s knows no %q", what, kind, key)
		}
	}
}

func (j *judgement) block(b object) {
	switch b["type"] {
	case "header":
		j.only(b, "text")
		j.words("header", b["text"], 150, "plain_text")
	case "section":
		j.only(b, "text", "fields", "accessory", "expand")
		_, text := b["text"]
		_, fields := b["fields"]
		if !text && !fields {
			j.wrong("a section without text and fields")
		}
		if text {
			j.words("section", b["text"], 3000, "plain_text mrkdwn")
		}
		if fields {
			raw, _ := b["fields"].([]any)
			if len(raw) < 1 || len(raw) > 10 {
				j.wrong("%d fields, must be 1 to 10", len(raw))
			}
			for _, f := range raw {
				j.words("field", f, 2000, "plain_text mrkdwn")
			}
		}
		if e, ok := b["accessory"].(object); ok {
			j.element(e, map[string]bool{})
		}
	case "context":
		j.only(b, "elements")
		for _, e := range j.list(b, "elements", 1, 10) {
			j.words("context", e, 3000, "plain_text mrkdwn")
		}
	case "divider":
		j.only(b)
	case "actions":
		j.only(b, "elements")
		ids := map[string]bool{}
		for _, e := range j.list(b, "elements", 1, 25) {
			j.element(e, ids)
		}
	case "rich_text":
		j.only(b, "elements")
		for _, e := range j.list(b, "elements", 1, 1000) {
			j.rich(e)
		}
	default:
		j.wrong("a block of type %q", b["type"])
	}
}

func (j *judgement) element(e object, ids map[string]bool) {
	id := j.text("action_id", e["action_id"], 1, 255)
	if ids[id] {
		j.wrong("the action_id %q twice in a block", id)
	}
	ids[id] = true
	switch e["type"] {
	case "button":
		j.only(e, "action_id", "text", "url", "value", "style", "confirm", "accessibility_label")
		j.words("button", e["text"], 75, "plain_text")
		if v, ok := e["value"]; ok {
			j.text("value", v, 0, 2000)
		}
		if v, ok := e["url"]; ok {
			if u := j.text("url", v, 1, 3000); !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
				j.wrong("a button that leads to %q", u)
			}
		}
		if style, ok := e["style"]; ok && style != "primary" && style != "danger" {
			j.wrong("a button's style %q", style)
		}
	case "static_select":
		j.only(e, "action_id", "placeholder", "options", "initial_option", "confirm", "focus_on_load")
		j.words("placeholder", e["placeholder"], 150, "plain_text")
		for _, o := range j.list(e, "options", 1, 100) {
			j.words("option", o["text"], 75, "plain_text")
			j.text("option's value", o["value"], 1, 150)
		}
	default:
		j.wrong("an element of type %q", e["type"])
	}
}

func (j *judgement) rich(e object) {
	switch e["type"] {
	case "rich_text_section", "rich_text_quote", "rich_text_preformatted":
	case "rich_text_list":
		for _, inner := range j.list(e, "elements", 1, 1000) {
			j.rich(inner)
		}
		return
	default:
		j.wrong("rich text of type %q", e["type"])
	}
	for _, w := range j.list(e, "elements", 1, 1000) {
		switch w["type"] {
		case "text":
			j.text("rich text", w["text"], 1, 4000)
		case "link":
			j.text("rich text's url", w["url"], 1, 3000)
		case "user":
			j.text("user_id", w["user_id"], 1, 30)
		case "usergroup":
			j.text("usergroup_id", w["usergroup_id"], 1, 30)
		case "date":
			if _, ok := w["timestamp"].(float64); !ok {
				j.wrong("a date without a timestamp")
			}
			j.text("date's format", w["format"], 1, 100)
		case "broadcast", "channel", "emoji":
		default:
			j.wrong("a word of type %q", w["type"])
		}
	}
}
