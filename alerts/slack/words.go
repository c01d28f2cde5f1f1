package slack

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"plumbline/alerts"
	"plumbline/drift"
)

// visible returns s as one line in which nothing hides, at most n UTF-16 units
// long. Slack does not parse it where it is put: in plain_text and rich_text.
func visible(s string, n int) string {
	if len(s) > 8*n {
		s = s[:8*n] // a unit takes at most four bytes, and what is visible is no shorter
	}
	return clip(drift.Visible(s), n)
}

// clip cuts s to at most n UTF-16 units, which is at least as strict as Slack's
// counting, and says so with "…".
func clip(s string, n int) string {
	if units(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used += utf16.RuneLen(r); used > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}

func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// escaped returns s for mrkdwn: shown as it is, with nothing in it that Slack
// takes for a mention, a link or a date.
func escaped(s string) string {
	s = strings.ReplaceAll(s, "&", "&amp;")
	s = strings.ReplaceAll(s, "<", "&lt;")
	return strings.ReplaceAll(s, ">", "&gt;")
}

func unescaped(s string) string {
	s = strings.ReplaceAll(s, "&gt;", ">")
	s = strings.ReplaceAll(s, "&lt;", "<")
	return strings.ReplaceAll(s, "&amp;", "&")
}

// code returns a name for mrkdwn as code, in which * and _ are only themselves.
func code(s string, n int) string {
	return "`" + escaped(strings.ReplaceAll(visible(s, n), "`", "ˋ")) + "`"
}

// quiet returns s for the text of a notification. That text knows no verbatim:
// what looks like an address is taken apart, or Slack would make a link of it.
func quiet(s string, n int) string {
	s = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*:)(\S)`).ReplaceAllString(visible(s, n), "$1 $2")
	return escaped(regexp.MustCompile(`(?i)(www)\.`).ReplaceAllString(s, "$1 ."))
}

// web returns an address from the configuration as Slack takes it in a link, or
// "" for what is none.
func web(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	var b strings.Builder
	for _, c := range []byte(u.String()) {
		if c <= ' ' || c > '~' || strings.IndexByte("<>|\"`", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	if b.Len() > 1000 {
		return ""
	}
	return b.String()
}

func link(address, label string) string { return "<" + escaped(address) + "|" + label + ">" }

// mention returns who is named, as mrkdwn, or "" for what is no id of Slack's.
func mention(id string) string {
	switch {
	case !regexp.MustCompile(`^[USW][A-Z0-9]{2,20}$`).MatchString(id):
		return ""
	case id[0] == 'S':
		return "<!subteam^" + id + ">"
	}
	return "<@" + id + ">"
}

// The reader sees a time in his own zone; the words are for where that is not known.
const (
	dateFormat = "{date_short_pretty} {time}"
	timeWords  = "2 Jan 15:04 UTC"
)

func when(t time.Time) string {
	return fmt.Sprintf("<!date^%d^%s|%s>", t.Unix(), dateFormat, t.UTC().Format(timeWords))
}

// number returns n with its thousands apart.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func counted(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + one + "s"
}

// share returns a share as percent. It is never rounded to all or to nothing.
func share(x float64) string {
	switch percent := 100 * x; {
	case x >= 1:
		return "100 %"
	case !(x > 0):
		return "0 %"
	case percent < 0.01:
		return "under 0.01 %"
	case percent < 1:
		return trimmed(percent, 100) + " %"
	default:
		return trimmed(percent, 10) + " %"
	}
}

// trimmed cuts a number to a fraction, without trailing zeros.
func trimmed(x, fraction float64) string {
	return strconv.FormatFloat(float64(int64(x*fraction+1e-9))/fraction, 'f', -1, 64)
}

// span returns how long something took.
func span(d time.Duration) string { return alerts.Lasted(d) }

// listed joins at most n of the names and says how many more there are.
func listed(names []string, n int, write func(string) string) string {
	more := len(names) - n
	if more > 0 {
		names = names[:n]
	}
	written := make([]string, len(names))
	for i, name := range names {
		written[i] = write(name)
	}
	text := strings.Join(written, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
