package demo

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// why says in words how a finding came about, as far as its values show it.
// version is the owner's field that counts a record's changes; versioned says
// that the check compares it with the copy's.
func why(f *drift.Finding, version string, versioned bool) string {
	switch f.Kind {
	case checks.Missing:
		return "never arrived"
	case checks.Extra:
		if f.Reason != "" {
			return "the owner deleted it"
		}
		return "the owner has none"
	case checks.Mismatch:
		return whyMismatch(f.Fields, version, versioned)
	case checks.Duplicate:
		return "held more than once"
	}
	return string(f.Kind)
}

func whyMismatch(fields []drift.Field, version string, versioned bool) string {
	var patterns []string
	for i := range fields {
		f := &fields[i]
		if versioned && f.OwnerField == version {
			return byVersions(f)
		}
		if f.Owner.Masked || f.Replica.Masked {
			continue
		}
		if p := pattern(f.Owner, f.Replica); p != "" && !slices.Contains(patterns, p) {
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
func byVersions(f *drift.Field) string {
	owner, err1 := strconv.ParseInt(f.Owner.Text, 10, 64)
	replica, err2 := strconv.ParseInt(f.Replica.Text, 10, 64)
	switch {
	case err1 != nil || err2 != nil || owner == replica:
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
func pattern(owner, replica drift.Value) string {
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

// instant reads a time, or a text that is one.
func instant(v drift.Value) (time.Time, bool) {
	if v.Type != "text" && v.Type != "time" {
		return time.Time{}, false
	}
	read, _ := sources.ParseTime(v.Text, time.UTC)
	return read.AsTime(), read.Kind() == sources.KindTime && read.Infinite() == 0
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
func rational(v drift.Value) (*big.Rat, bool) {
	if len(v.Text) > 60 || strings.ContainsAny(v.Text, "eE/") || !slices.Contains([]string{"text", "int", "decimal", "float"}, v.Type) {
		return nil, false
	}
	if _, err := sources.ParseDecimal(v.Text); err != nil {
		return nil, false
	}
	return new(big.Rat).SetString(v.Text)
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
func cut(owner, replica drift.Value) string {
	o, r := []rune(owner.Text), []rune(replica.Text)
	if owner.Type != "text" || replica.Type != "text" || len(r) == 0 || len(r) >= len(o) ||
		owner.Base64 != "" || !strings.EqualFold(string(o[:len(r)]), string(r)) {
		return ""
	}
	return fmt.Sprintf("cut at %d characters", len(r))
}
