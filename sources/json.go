package sources

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errJSON          = errors.New("not JSON")
	errLoneSurrogate = errors.New("half of a surrogate pair, which is no character")
)

// ParseJSON reads one JSON text (RFC 8259) exactly. Integers in plain spelling
// become ints, or decimals beyond 64 bits; all other numbers become decimals,
// with as many digits as were written. Texts keep their bytes, valid UTF-8 or
// not.
//
// The error tells at which byte reading ended and wraps ErrDuplicateName where
// an object holds one name twice and ErrTooDeep where arrays and objects are
// nested beyond MaxDepth. Half of a surrogate pair, a number beyond
// 10^±1,000,000 and anything after the text are errors too.
func ParseJSON(data []byte) (Value, error) {
	p := jsonParser{data: data}
	v, err := p.value(0)
	if err == nil {
		p.space()
		if p.at < len(p.data) {
			err = p.unexpected()
		}
	}
	if err != nil {
		return Value{}, fmt.Errorf("read JSON at byte %d: %w", p.at, err)
	}
	return v, nil
}

// jsonParser descends recursively; depth bounds the recursion.
type jsonParser struct {
	data []byte
	at   int
}

func (p *jsonParser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonParser) unexpected() error {
	if p.at >= len(p.data) {
		return fmt.Errorf("%w: ends too early", errJSON)
	}
	r, _ := utf8.DecodeRune(p.data[p.at:])
	return fmt.Errorf("%w: unexpected %q", errJSON, r)
}

// peek returns the next byte after white space, or 0 at the end.
func (p *jsonParser) peek() byte {
	p.space()
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *jsonParser) value(depth int) (Value, error) {
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if depth == MaxDepth {
			return Value{}, ErrTooDeep
		}
		p.at++
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case c == '"':
		s, err := p.text()
		return Text(s), err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return Bool(true), p.word("true")
	case c == 'f':
		return Bool(false), p.word("false")
	case c == 'n':
		return Null(), p.word("null")
	}
	return Value{}, p.unexpected()
}

func (p *jsonParser) word(w string) error {
	for i := range len(w) {
		if p.at >= len(p.data) || p.data[p.at] != w[i] {
			return p.unexpected()
		}
		p.at++
	}
	return nil
}

// more reads what follows a member: a comma (true) or the closing byte (false).
func (p *jsonParser) more(closing byte) (bool, error) {
	switch p.peek() {
	case ',':
		p.at++
		return true, nil
	case closing:
		p.at++
		return false, nil
	}
	return false, p.unexpected()
}

func (p *jsonParser) array(depth int) (Value, error) {
	items := []Value{}
	if p.peek() == ']' {
		p.at++
		return ListOf(items), nil
	}
	for more := true; more; {
		item, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		items = append(items, item)
		if more, err = p.more(']'); err != nil {
			return Value{}, err
		}
	}
	return ListOf(items), nil
}

func (p *jsonParser) object(depth int) (Value, error) {
	fields := []Field{}
	if p.peek() == '}' {
		p.at++
		return DocumentOf(fields)
	}
	for more := true; more; {
		if p.peek() != '"' {
			return Value{}, p.unexpected()
		}
		name, err := p.text()
		if err != nil {
			return Value{}, err
		}
		if p.peek() != ':' {
			return Value{}, p.unexpected()
		}
		p.at++
		v, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		fields = append(fields, Field{Name: name, Value: v})
		if more, err = p.more('}'); err != nil {
			return Value{}, err
		}
	}
	return DocumentOf(fields)
}

// number reads by JSON's own grammar, which is narrower than ParseDecimal's.
func (p *jsonParser) number() (Value, error) {
	start, plain := p.at, true
	if p.data[p.at] == '-' {
		p.at++
	}
	if p.at < len(p.data) && p.data[p.at] == '0' {
		p.at++
	} else if !p.digits() {
		return Value{}, p.unexpected()
	}
	if p.at < len(p.data) && p.data[p.at] == '.' {
		p.at++
		plain = false
		if !p.digits() {
			return Value{}, p.unexpected()
		}
	}
	if p.at < len(p.data) && (p.data[p.at] == 'e' || p.data[p.at] == 'E') {
		p.at++
		plain = false
		if p.at < len(p.data) && (p.data[p.at] == '+' || p.data[p.at] == '-') {
			p.at++
		}
		if !p.digits() {
			return Value{}, p.unexpected()
		}
	}
	written := string(p.data[start:p.at])
	if plain {
		if i, err := strconv.ParseInt(written, 10, 64); err == nil {
			return Int(i), nil
		}
	}
	return ParseDecimal(written)
}

func (p *jsonParser) digits() bool {
	start := p.at
	for p.at < len(p.data) && p.data[p.at] >= '0' && p.data[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

// text reads a string from its opening to its closing quote.
func (p *jsonParser) text() (string, error) {
	p.at++
	start := p.at
	var unescaped []byte
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			raw := p.data[start:p.at]
			p.at++
			if unescaped == nil {
				return string(raw), nil
			}
			return string(append(unescaped, raw...)), nil
		case c == '\\':
			unescaped = append(unescaped, p.data[start:p.at]...)
			var err error
			if unescaped, err = p.escape(unescaped); err != nil {
				return "", err
			}
			start = p.at
		case c < ' ':
			return "", p.unexpected()
		default:
			p.at++
		}
	}
	return "", p.unexpected()
}

// escape reads one escape sequence, which may be a surrogate pair, onto b.
func (p *jsonParser) escape(b []byte) ([]byte, error) {
	p.at++
	if p.at >= len(p.data) {
		return nil, p.unexpected()
	}
	c := p.data[p.at]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, err := p.hex4()
		if err != nil || !utf16.IsSurrogate(r) {
			return utf8.AppendRune(b, r), err
		}
		if p.at+1 < len(p.data) && p.data[p.at] == '\\' && p.data[p.at+1] == 'u' {
			p.at++
			low, err := p.hex4()
			if err != nil {
				return nil, err
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(b, pair), nil
			}
		}
		return nil, errLoneSurrogate
	default:
		return nil, p.unexpected()
	}
	p.at++
	return append(b, c), nil
}

// hex4 reads the letter u, where p stands, and four hexadecimal digits.
func (p *jsonParser) hex4() (rune, error) {
	p.at++
	if p.at+4 > len(p.data) {
		p.at = len(p.data)
		return 0, p.unexpected()
	}
	u, err := strconv.ParseUint(string(p.data[p.at:p.at+4]), 16, 16)
	if err != nil {
		return 0, p.unexpected()
	}
	p.at += 4
	return rune(u), nil
}
