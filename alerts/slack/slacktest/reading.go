package slacktest

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Pings returns whom a message would call, as Slack reads it: users, groups,
// channels and everybody, wherever in it they stand.
func Pings(m Message) []string { return readAll(m).pings }

// Links returns where a message would lead: addresses in marks, in buttons, and
// what Slack would make an address of.
func Links(m Message) []string { return readAll(m).links }

type reading struct{ pings, links []string }

func readAll(m Message) *reading {
	r := &reading{}
	r.mrkdwn(m.Text, false)
	var blocks []any
	if json.Unmarshal(m.Blocks, &blocks) == nil {
		r.walk(blocks)
	}
	return r
}

// walk reads all of a message, known or not: whatever has a type is what it says.
func (r *reading) walk(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			r.walk(e)
		}
	case object:
		text, _ := v["text"].(string)
		switch v["type"] {
		case "mrkdwn":
			verbatim, _ := v["verbatim"].(bool)
			r.mrkdwn(text, verbatim)
		case "user", "usergroup", "broadcast", "channel":
			for key, id := range v {
				if name, ok := id.(string); ok && key != "type" {
					r.pings = append(r.pings, name)
				}
			}
		}
		for key, inner := range v {
			if address, ok := inner.(string); ok && (key == "url" || key == "image_url") {
				r.links = append(r.links, address)
			}
			r.walk(inner)
		}
	}
}

// mrkdwn reads text as Slack does: what stands between < and > is a command, and
// without verbatim what looks like an address is one.
func (r *reading) mrkdwn(s string, verbatim bool) {
	for _, match := range regexp.MustCompile(`<([^<>]*)>`).FindAllStringSubmatch(s, -1) {
		inside, _, _ := strings.Cut(match[1], "|")
		switch {
		case strings.HasPrefix(inside, "!date^"):
			if parts := strings.Split(inside, "^"); len(parts) > 3 {
				r.links = append(r.links, parts[3])
			}
		case strings.HasPrefix(inside, "@"), strings.HasPrefix(inside, "#"):
			r.pings = append(r.pings, inside[1:])
		case strings.HasPrefix(inside, "!subteam^"):
			r.pings = append(r.pings, strings.TrimPrefix(inside, "!subteam^"))
		case strings.HasPrefix(inside, "!"):
			r.pings = append(r.pings, inside)
		default:
			r.links = append(r.links, plain(inside))
		}
	}
	if verbatim {
		return
	}
	rest := regexp.MustCompile(`<[^<>]*>`).ReplaceAllString(s, " ")
	for _, found := range regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://|mailto:|www\.)[^\s]+`).FindAllString(rest, -1) {
		r.links = append(r.links, plain(found))
	}
}

func plain(s string) string {
	s = strings.ReplaceAll(s, "&lt;", "<")
	s = strings.ReplaceAll(s, "&gt;", ">")
	return strings.ReplaceAll(s, "&amp;", "&")
}
