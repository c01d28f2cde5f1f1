package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// WriteJSON writes v as one indented JSON object. Values are exact; what a
// terminal would act on or hide is written as \u escapes, which mean the same.
func WriteJSON(w io.Writer, v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "  "); err != nil {
		return err
	}
	_, err = w.Write(append(harmless(indented.Bytes()), '\n'))
	return err
}

// WriteNDJSON writes one line per finding of an edge and then one for its run.
func WriteNDJSON(w io.Writer, run *Run) error {
	type line struct {
		SchemaVersion int    `json:"schema_version"`
		Record        string `json:"record"`
	}
	for i := range run.Findings {
		err := writeLine(w, struct {
			line
			Run   string `json:"run"`
			Check string `json:"check"`
			*Finding
		}{line{1, "finding"}, run.ID, run.Check, &run.Findings[i]})
		if err != nil {
			return err
		}
	}
	type noFindings struct {
		*Run
		Findings *int `json:"findings,omitempty"` // they have lines of their own
	}
	return writeLine(w, struct {
		line
		noFindings
	}{line{1, "run"}, noFindings{Run: run}})
}

func writeLine(w io.Writer, v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(harmless(b), '\n'))
	return err
}

// harmless escapes, in JSON, the characters beyond ASCII that are not printed,
// and delete. They stand in strings alone, so the text keeps its meaning.
func harmless(b []byte) []byte {
	if !bytes.ContainsFunc(b, hidden) {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case !hidden(r):
			out = append(out, b[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[size:]
	}
	return out
}

func hidden(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
