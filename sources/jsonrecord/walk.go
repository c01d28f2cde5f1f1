package jsonrecord

import (
	"bytes"
	"errors"

	"plumbline/sources"
)

// errNotJSON is what a walk over bytes that Check has not passed may end with.
var errNotJSON = errors.New("not JSON")

// Members calls each with every member of a JSON object, in the order in which
// they stand and as often as they do. raw must have passed Check.
func Members(raw []byte, each func(name string, value []byte) error) error {
	w := walker{data: raw}
	if w.space() != '{' {
		return errNotJSON
	}
	for w.at++; w.space() != '}'; {
		from := w.at
		if w.skip(); w.at == from {
			return errNotJSON
		}
		name := textOf(raw[from:w.at])
		if w.space() != ':' {
			return errNotJSON
		}
		w.at++
		value := w.value()
		if len(value) == 0 {
			return errNotJSON
		}
		if err := each(name, value); err != nil {
			return err
		}
		if w.space() == ',' {
			w.at++
		}
	}
	return nil
}

// Elements calls each with every element of a JSON array, in order. raw must have
// passed Check.
func Elements(raw []byte, each func(value []byte) error) error {
	w := walker{data: raw}
	if w.space() != '[' {
		return errNotJSON
	}
	for w.at++; w.space() != ']'; {
		value := w.value()
		if len(value) == 0 {
			return errNotJSON
		}
		if err := each(value); err != nil {
			return err
		}
		if w.space() == ',' {
			w.at++
		}
	}
	return nil
}

// textOf reads a text with its quotation marks. One that is no text to us (half a
// surrogate pair) is taken as it is written: it is the name of nothing we ask for.
func textOf(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 && len(raw) >= 2 {
		return string(raw[1 : len(raw)-1])
	}
	v, err := sources.ParseJSON(raw)
	if err != nil {
		return string(raw)
	}
	return v.AsText()
}

// walker goes over JSON whose grammar is known to be right.
type walker struct {
	data []byte
	at   int
}

// space passes white space and returns what follows, 0 at the end.
func (w *walker) space() byte {
	for ; w.at < len(w.data); w.at++ {
		switch c := w.data[w.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// value passes a value and returns its bytes.
func (w *walker) value() []byte {
	w.space()
	from := w.at
	w.skip()
	return w.data[from:w.at]
}

// skip passes the value that begins here.
func (w *walker) skip() {
	depth := 0
	for w.at < len(w.data) {
		switch w.data[w.at] {
		case '"':
			w.text()
		case '{', '[':
			depth++
			w.at++
		case '}', ']':
			if depth == 0 {
				return // the end of what holds the value
			}
			depth--
			w.at++
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return
			}
			w.at++
			continue
		default:
			w.scalar()
		}
		if depth == 0 {
			return
		}
	}
}

func (w *walker) text() {
	for w.at++; w.at < len(w.data); w.at++ {
		switch w.data[w.at] {
		case '\\':
			w.at++
		case '"':
			w.at++
			return
		}
	}
}

// scalar passes a number or a word.
func (w *walker) scalar() {
	for w.at++; w.at < len(w.data); w.at++ {
		switch w.data[w.at] {
		case ',', ':', '}', ']', ' ', '\t', '\n', '\r':
			return
		}
	}
}
