package web

import (
	"fmt"
	"strings"
	"time"

	"plumbline/alerts"
)

// muteForm is how a check is muted and unmuted from a page.
type muteForm struct {
	URL, UnmuteURL string // "" where it cannot be done
	Until          []option
	// Note says by whom the check is muted, until when and why; nil while it is not.
	Note *notice
}

// untilItGrows is the choice of a mute that ends by growth alone.
const untilItGrows = "grows"

// muteFormOf is the form of the pages at path, below which mute and unmute are
// posted, for somebody who may act or may not.
func muteFormOf(path string, m *alerts.Mute, counted int64, may bool, now time.Time) muteForm {
	f := muteForm{}
	on := m != nil && m.On(counted, now)
	if on {
		f.Note = &notice{"info", "mute", muteWords(m, now)}
	}
	switch {
	case !may:
	case on:
		f.UnmuteURL = path + "/unmute"
	default:
		f.URL = path + "/mute"
		f.Until = options("4h", "1h", "1 hour", "4h", "4 hours", "24h", "1 day", "168h", "1 week", untilItGrows, "until it grows")
	}
	return f
}

// muteWords say who muted a check, until when and why.
func muteWords(m *alerts.Mute, now time.Time) string {
	words := "Muted"
	if m.Actor != "" {
		words += " by " + m.Actor
	}
	switch {
	case !m.Until.IsZero():
		words += ", until " + m.Until.UTC().Format("2006-01-02 15:04") + " (" + at(m.Until, now, "").Ago + ")"
		if m.Above > 0 {
			words += " or more than " + several(m.Above, "record differs", "records differ")
		}
	case m.Above > 0:
		words += ", until more than " + several(m.Above, "record differs", "records differ")
	}
	words += ". Nothing new is told of this check meanwhile; what was told is kept up to date."
	if m.Reason != "" {
		words += " Reason: " + m.Reason
	}
	return words
}

// muteEnd reads what a form chose: a time, or growth.
func muteEnd(choice string, now time.Time) (until time.Time, grows bool, err error) {
	if choice == untilItGrows {
		return time.Time{}, true, nil
	}
	d, err := time.ParseDuration(choice)
	if err != nil || d <= 0 || d > longestMute {
		return time.Time{}, false, fmt.Errorf("mute until %q: choose for how long", choice)
	}
	return now.Add(d), false, nil
}

// joined is what of the parts is not empty, with sep between.
func joined(sep string, parts ...string) string {
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, sep)
}
