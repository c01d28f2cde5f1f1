package demo

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"plumbline/checks"
	"plumbline/sources"
)

// why says in words how a difference came about, as far as its values show it.
// version is the owner's field that counts a record's changes; versioned says
// that the check compares it with the copy's.
func why(d checks.Difference, version string, versioned bool) string {
	switch d.Kind {
	case checks.Missing:
		return "never arrived"
	case checks.Extra:
		if d.Reason != "" {
			return "the owner deleted it"
		}
		return "the owner has none"
	case checks.Mismatch:
		return whyMismatch(d.Fields, version, versioned)
	case checks.Duplicate:
		return "held more than once"
	}
	return string(d.Kind)
}

func whyMismatch(fields []checks.FieldDifference, version string, versioned bool) string {
	var patterns []string
	for _, f := range fields {
		if versioned && f.Owner == version {
			return byVersions(f)
		}
		if p := pattern(f.OwnerValue, f.ReplicaValue); p != "" && f.Mask == checks.MaskNone && !slices.Contains(patterns, p) {
			patterns = append(patterns, p)
		}
	}
	switch {
	case len(patterns) > 0:
		return strings.Join(patterns, ", ")
	case versioned:
		return "same version, other content"
	}
	return "another value"
}

// byVersions says how many changes lie between the two versions.
func byVersions(f checks.FieldDifference) string {
	owner, ok1 := f.OwnerValue.Integer()
	replica, ok2 := f.ReplicaValue.Integer()
	switch {
	case !ok1 || !ok2 || owner == replica:
		return "another version"
	case replica == owner-1:
		return "older by one version"
	case replica < owner:
		return fmt.Sprintf("older by %d versions", owner-replica)
	case replica == owner+1:
		return "newer by one version"
	}
	return fmt.Sprintf("newer by %d versions", replica-owner)
}

// pattern says how the replica's value follows from the owner's; "" where it does not.
func pattern(owner, replica sources.Value) string {
	if o, ok := instant(owner); ok {
		if r, ok := instant(replica); ok {
			return shifted(r.Sub(o))
		}
	}
	if o, ok := rational(owner); ok {
		if r, ok := rational(replica); ok {
			return counted(o, r)
		}
	}
	return cut(owner, replica)
}

func instant(v sources.Value) (time.Time, bool) {
	if v.Kind() == sources.KindText {
		v, _ = sources.ParseTime(v.AsText(), time.UTC)
	}
	return v.AsTime(), v.Kind() == sources.KindTime && v.Infinite() == 0
}

// shifted names what a wrong time zone makes: whole quarters of an hour, up to 14 h.
func shifted(d time.Duration) string {
	if d == 0 || d%(15*time.Minute) != 0 || d.Abs() > 14*time.Hour {
		return ""
	}
	words := fmt.Sprintf("%d h", int(d.Abs().Hours()))
	if minutes := int(d.Abs().Minutes()) % 60; minutes > 0 {
		words += fmt.Sprintf(" %d min", minutes)
	}
	return "replica = owner " + signed(d > 0) + " " + words
}

func signed(plus bool) string {
	if plus {
		return "+"
	}
	return "−"
}

// rational reads a number, or a text that is one.
func rational(v sources.Value) (*big.Rat, bool) {
	if v.Kind() == sources.KindText {
		d, err := sources.ParseDecimal(v.AsText())
		if err != nil {
			return nil, false
		}
		v = d
	}
	text := v.String()
	if !v.Kind().Number() || len(text) > 60 || strings.ContainsAny(text, "eE") {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// counted says that the replica was rounded, or how far it lies from the owner.
func counted(owner, replica *big.Rat) string {
	off := new(big.Rat).Sub(replica, owner)
	distance := new(big.Rat).Abs(off)
	switch {
	case off.Sign() == 0:
		return ""
	case replica.IsInt() && !owner.IsInt() && distance.Cmp(big.NewRat(1, 2)) <= 0:
		return "rounded to a whole number"
	case replica.IsInt() && !owner.IsInt() && distance.Cmp(big.NewRat(1, 1)) < 0 && replica.Cmp(owner) < 0:
		return "cut to a whole number"
	}
	digits := 0
	for digits < 6 && !new(big.Rat).Mul(distance, big.NewRat(pow10(digits), 1)).IsInt() {
		digits++
	}
	return "replica = owner " + signed(off.Sign() > 0) + " " + distance.FloatString(digits)
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// cut says that the replica holds the first characters of the owner's text.
func cut(owner, replica sources.Value) string {
	o, r := []rune(owner.AsText()), []rune(replica.AsText())
	if owner.Kind() != sources.KindText || replica.Kind() != sources.KindText || len(r) == 0 || len(r) >= len(o) ||
		!utf8.ValidString(owner.AsText()) || !strings.EqualFold(string(o[:len(r)]), string(r)) {
		return ""
	}
	return fmt.Sprintf("cut at %d characters", len(r))
}
