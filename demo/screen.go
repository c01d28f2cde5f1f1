package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// style is how a piece of text is set where colour is wanted.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// screen writes lines of a width, with colour and a status line at the bottom
// where those are wanted. It is not safe for several goroutines.
type screen struct {
	out         io.Writer
	color       bool
	interactive bool
	width       int
	status      string // what the status line shows now
	err         error  // the first of out
}

// line writes one line, cut at the screen's width.
func (s *screen) line(pieces ...string) {
	s.clear()
	s.print(s.fit(strings.Join(pieces, "")) + "\n")
	s.print(s.status)
}

// setStatus shows a line at the bottom that the next one replaces. Without a
// terminal there is none.
func (s *screen) setStatus(text string) {
	if text = s.fit(s.in(dim, text)); !s.interactive || text == s.status {
		return
	}
	s.clear()
	s.status = text
	s.print(s.status)
}

func (s *screen) clear() {
	if s.status != "" {
		s.print("\r\x1b[K")
	}
}

func (s *screen) print(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.out, text)
	}
}

// in sets text in a style.
func (s *screen) in(how style, text string) string {
	if !s.color || how == plain || text == "" {
		return text
	}
	return "\x1b[" + string(how) + "m" + text + "\x1b[0m"
}

// fit cuts a line at the screen's width, not counting what sets its style.
func (s *screen) fit(text string) string {
	if visible(text) <= s.width {
		return text
	}
	var b strings.Builder
	room, styled := s.width-1, false
	for len(text) > 0 {
		if end := strings.IndexByte(text, 'm'); strings.HasPrefix(text, "\x1b[") && end > 0 {
			b.WriteString(text[:end+1])
			styled = text[:end+1] != "\x1b[0m"
			text = text[end+1:]
			continue
		}
		if room == 0 {
			break
		}
		r, size := utf8.DecodeRuneInString(text)
		b.WriteRune(r)
		text = text[size:]
		room--
	}
	b.WriteString("…")
	if styled {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// visible counts the characters that take room.
func visible(text string) (n int) {
	for len(text) > 0 {
		if end := strings.IndexByte(text, 'm'); strings.HasPrefix(text, "\x1b[") && end > 0 {
			text = text[end+1:]
			continue
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		n++
	}
	return n
}

// left and right pad text to a column's width.
func left(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-visible(text)))
}

func right(text string, width int) string {
	return strings.Repeat(" ", max(0, width-visible(text))) + text
}

// clock writes how long the demo has run: 1:05.
func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	if seconds >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// age writes how long ago something was, in the largest unit that tells enough.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

// count writes a number with its digits in groups of three.
func count(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// plural writes a number of things.
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(n) + " " + thing + "s"
}
