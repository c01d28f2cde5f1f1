package configs

import (
	"fmt"
	"strings"

	"plumbline/sources"
)

// written is a single value as it stands in the file or, expanded, as it is meant.
type written struct {
	text string
	// quoted: in quotes or as a block of text, and so always text.
	quoted bool
	// expanded: parts came from ${…}, and so it is never shown.
	expanded bool
}

// form is what an unquoted value is by YAML 1.2.
type form uint8

const (
	formText form = iota
	formNull
	formBool
	formInteger
	formDecimal
	formUnclear // readers of YAML disagree
)

func plainForm(s string) form {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return formNull
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return formBool
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" {
		return formText
	}
	lower := strings.ToLower(digits)
	switch {
	case lower == ".inf", lower == ".nan":
		return formUnclear
	case len(lower) > 2 && lower[0] == '0' && strings.ContainsRune("xob", rune(lower[1])) && only(lower[2:], "0123456789abcdef_"):
		return formUnclear
	case only(digits, "0123456789"):
		if len(digits) > 1 && digits[0] == '0' {
			return formUnclear
		}
		return formInteger
	case only(digits, "0123456789_") && digits[0] != '_':
		return formUnclear
	}
	mantissa, exponent, scientific := strings.Cut(lower, "e")
	if scientific {
		exponent = strings.TrimPrefix(strings.TrimPrefix(exponent, "+"), "-")
		if exponent == "" || !only(exponent, "0123456789") {
			return formText
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || !only(whole+fraction, "0123456789") {
		return formText
	}
	if len(whole) > 1 && whole[0] == '0' {
		return formUnclear
	}
	return formDecimal
}

func only(s, characters string) bool { return strings.Trim(s, characters) == "" }

// describe names what is written, for a message that something else is wanted.
func (w written) describe() string {
	switch {
	case w.quoted:
		return "text"
	}
	switch plainForm(w.text) {
	case formNull:
		return "nothing"
	case formBool:
		return "true or false"
	case formInteger, formDecimal, formUnclear:
		return "a number"
	}
	return "text"
}

// value reads a literal: unquoted numbers, true, false and null are what they
// say, everything else is text.
func (w written) value() (sources.Value, error) {
	if w.quoted || w.expanded && w.text == "" {
		return sources.Text(w.text), nil
	}
	switch plainForm(w.text) {
	case formNull:
		return sources.Null(), nil
	case formBool:
		return sources.Bool(strings.EqualFold(w.text, "true")), nil
	case formInteger:
		digits := strings.TrimPrefix(w.text, "+")
		if i, ok := sources.ParseInt(digits); ok {
			return sources.Int(i), nil
		}
		return sources.ParseDecimal(digits)
	case formDecimal:
		return sources.ParseDecimal(w.text)
	case formUnclear:
		return sources.Value{}, fmt.Errorf("readers of YAML disagree about what it is: write a plain number, or quote it to make it text")
	}
	return sources.Text(w.text), nil
}

// shown is how a message quotes what is written: as in the file, and never what
// ${…} stands for.
func (w written) shown() string {
	if s := shorten(w.text); s != hidden {
		return fmt.Sprintf("%q", s)
	}
	return hidden
}

const hidden = "***"

// shorten makes s fit for a message: at most 60 characters, saying so with "…",
// and nothing of an address, which may hold a password.
func shorten(s string) string {
	if strings.Contains(s, "://") {
		return hidden
	}
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}
