package configs

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A query, where or deleted_when is put between brackets of the statements that
// an adapter writes. A text that closes such a bracket itself, or swallows it,
// would become another condition than the one that is read: "a = 1) OR (1=1" is
// true for every record. So it is checked here, as the store's own reader would
// cut it into words, that a text stays within its brackets.

// checkSQL says what is wrong with a text in SQL of a kind; "" where nothing is.
func checkSQL(kind, text string) string {
	s := &sqlText{text: text, postgres: kind == "postgres", mysql: kind == "mysql"}
	if why := s.check(); why != "" {
		return why
	}
	if len(s.open) > 0 {
		return fmt.Sprintf("the bracket that opens at %s is never closed: add ), or put it in quotes if it is meant as text", s.place(s.open[len(s.open)-1]))
	}
	return ""
}

// sqlText is a text being read.
type sqlText struct {
	text     string
	postgres bool
	mysql    bool // or MariaDB; SQLite where it is neither
	at       int
	open     []int // where the brackets open that are not closed yet
}

// check reads to the end, or to what is wrong.
func (s *sqlText) check() string {
	for s.at < len(s.text) {
		start, rest := s.at, s.text[s.at:]
		switch c := rest[0]; {
		case c == 0:
			return fmt.Sprintf("holds a zero byte at %s: remove it", s.place(start))
		case c == '(':
			s.open = append(s.open, start)
			s.at++
		case c == ')' && len(s.open) == 0:
			return fmt.Sprintf("the ) at %s closes a bracket that it never opened: remove it, or open the bracket", s.place(start))
		case c == ')':
			s.open = s.open[:len(s.open)-1]
			s.at++
		case c == ';' && strings.Trim(rest, "; \t\r\n") == "":
			return "ends with a semicolon: remove it"
		case c == ';':
			return fmt.Sprintf("the semicolon at %s begins another statement: remove it, or put it in quotes if it is meant as text", s.place(start))
		case s.mysql && unclearComment(rest) != "":
			return fmt.Sprintf("%s at %s", unclearComment(rest), s.place(start))
		case strings.HasPrefix(rest, "--"), s.mysql && c == '#':
			s.lineComment()
		case strings.HasPrefix(rest, "/*"):
			if why := s.nestedComment(rest); why != "" {
				return why
			}
			if !s.blockComment() {
				return fmt.Sprintf("the comment that begins at %s is never closed: add */", s.place(start))
			}
		case s.parameter(rest):
			return fmt.Sprintf("holds a parameter at %s, for which nothing gives a value: write the value itself", s.place(start))
		default:
			if s.escapesQuote() {
				return fmt.Sprintf("escapes a quote with a backslash in what opens at %s, which MySQL reads in two ways: write the quote twice", s.place(start))
			}
			if !s.word() {
				return fmt.Sprintf("the quote that opens at %s is never closed: add %s", s.place(start), s.closing(start))
			}
		}
	}
	return ""
}

// lineComment passes a comment, which the line's end closes: the adapters put
// their bracket on a line of its own.
func (s *sqlText) lineComment() {
	ends := "\n"
	if s.postgres {
		ends = "\r\n"
	}
	if length := strings.IndexAny(s.text[s.at:], ends); length >= 0 {
		s.at += length
		return
	}
	s.at = len(s.text)
}

// blockComment passes a comment, in which PostgreSQL counts further ones.
func (s *sqlText) blockComment() (closed bool) {
	depth := 0
	for s.at < len(s.text) {
		switch rest := s.text[s.at:]; {
		case strings.HasPrefix(rest, "/*") && (s.postgres || depth == 0):
			depth++
			s.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			s.at += 2
		default:
			s.at++
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

// parameter says whether a placeholder begins here. PostgreSQL has operators
// with ?, : and @; its $1 would be one of the adapter's own.
func (s *sqlText) parameter(rest string) bool {
	switch {
	case s.postgres:
		return len(rest) > 1 && rest[0] == '$' && digit(rest[1])
	case s.mysql:
		return rest[0] == '?'
	}
	return strings.IndexByte("?:@$#", rest[0]) >= 0
}

// word passes a name, a literal or a single sign; false where its quote is never
// closed.
func (s *sqlText) word() (closed bool) {
	switch c := s.text[s.at]; {
	case c == '\'' || c == '"' || c == '`' && !s.postgres:
		return s.quoted(c, false)
	case c == '[' && !s.postgres && !s.mysql:
		return s.past("]")
	case c == '$' && !s.mysql:
		if tag := dollarTag(s.text[s.at:]); tag != "" {
			s.at += len(tag)
			return s.past(tag)
		}
	case letter(c):
		start := s.at
		for s.at < len(s.text) && (letter(s.text[s.at]) || digit(s.text[s.at]) || s.text[s.at] == '$') {
			s.at++
		}
		if s.postgres && s.at < len(s.text) && s.text[s.at] == '\'' && strings.EqualFold(s.text[start:s.at], "e") {
			return s.quoted('\'', true)
		}
		return true
	}
	s.at++
	return true
}

// unclearComment says what is wrong with a comment of MySQL that begins where rest
// does: servers run what stands in some, and take -- for two signs without a space.
func unclearComment(rest string) string {
	switch {
	case strings.HasPrefix(rest, "/*!"), len(rest) > 3 && strings.EqualFold(rest[:4], "/*M!"):
		return "holds a comment that some servers run and others do not: write out what is meant,"
	case strings.HasPrefix(rest, "/*+"):
		return "holds a hint for the optimizer: remove it, what a statement may cost is set under limits,"
	case strings.HasPrefix(rest, "--") && len(rest) > 2 && strings.IndexByte(" \t\r\n", rest[2]) < 0:
		return "holds -- without a space behind it, which is no comment: put a space behind it, or between the two,"
	}
	return ""
}

// nestedComment refuses a comment of MySQL that holds the beginning of another:
// versions differ in where such a comment ends.
func (s *sqlText) nestedComment(rest string) string {
	body, _, closed := strings.Cut(rest[2:], "*/")
	if at := strings.Index(body, "/*"); s.mysql && closed && at >= 0 {
		return fmt.Sprintf("the comment that begins at %s holds another: remove one", s.place(s.at))
	}
	return ""
}

// escapesQuote says whether a text of MySQL that opens here holds an odd number of
// backslashes before a quote: by its sql_mode a server takes it for the text's end
// or for one of its characters.
func (s *sqlText) escapesQuote() bool {
	quote := s.text[s.at]
	if !s.mysql || quote != '\'' && quote != '"' {
		return false
	}
	backslashes := 0
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '\\':
			backslashes++
			continue
		case c == quote && backslashes%2 == 1:
			return true
		case c == quote && strings.HasPrefix(s.text[i+1:], string(quote)):
			i++
		case c == quote:
			return false
		}
		backslashes = 0
	}
	return false
}

// quoted passes what stands in quotes; a doubled quote is one of the text, and so
// is an escaped one where backslashes escape. PostgreSQL goes on with such a
// literal on a later line.
func (s *sqlText) quoted(quote byte, escapes bool) (closed bool) {
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '\\' && escapes:
			s.at++
		case c != quote:
		case strings.HasPrefix(s.text[s.at+1:], string(quote)):
			s.at++
		default:
			s.at++
			return !escapes || s.continued()
		}
	}
	return false
}

// continued passes further parts of a literal in which backslashes escape.
func (s *sqlText) continued() (closed bool) {
	for s.at < len(s.text) {
		switch {
		case strings.HasPrefix(s.text[s.at:], "--"):
			s.lineComment()
		case strings.IndexByte(" \t\r\n\f\v", s.text[s.at]) >= 0:
			s.at++
		case s.text[s.at] == '\'':
			return s.quoted('\'', true)
		default:
			return true
		}
	}
	return true
}

// past passes everything up to and with an end.
func (s *sqlText) past(end string) (found bool) {
	length := strings.Index(s.text[s.at:], end)
	if length < 0 {
		s.at = len(s.text)
		return false
	}
	s.at += length + len(end)
	return true
}

// closing is what would close the quote that opens at a place.
func (s *sqlText) closing(start int) string {
	switch rest := s.text[start:]; {
	case rest[0] == '[':
		return "]"
	case rest[0] == '$':
		return dollarTag(rest)
	case letter(rest[0]):
		return "'"
	}
	return s.text[start : start+1]
}

// place says where in the text an offset is, as people count.
func (s *sqlText) place(offset int) string {
	before := s.text[:offset]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	character := fmt.Sprintf("character %d", utf8.RuneCountInString(line)+1)
	if !strings.Contains(strings.TrimRight(s.text, "\n"), "\n") {
		return character
	}
	return fmt.Sprintf("line %d, %s", strings.Count(before, "\n")+1, character)
}

// dollarTag is the $tag$ that text begins with, "" where it begins with none.
func dollarTag(text string) string {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '$':
			return text[:i+1]
		case !letter(c) && (!digit(c) || i == 1):
			return ""
		}
	}
	return ""
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
