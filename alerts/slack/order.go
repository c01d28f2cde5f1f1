package slack

import (
	"strconv"
	"strings"
	"time"

	"plumbline/sources"
)

// order is a command or a click in a form of its own.
type order struct {
	Verb verb `json:"verb"`
	// What is a check, an incident or a finding.
	What string `json:"what,omitempty"`
	// Revision is what the person saw, 0 where they saw none.
	Revision int64         `json:"revision,omitempty"`
	For      time.Duration `json:"for,omitempty"` // how long to mute
	Grows    bool          `json:"grows,omitempty"`
	Note     string        `json:"note,omitempty"`
	Key      string        `json:"key,omitempty"`
	Sample   int           `json:"sample,omitempty"` // so many keys are compared
	Full     bool          `json:"full,omitempty"`   // everything is
	Share    bool          `json:"share,omitempty"`  // answer to the whole channel
	// Wrong says what is wrong with a command, to whoever wrote it.
	Wrong string `json:"wrong,omitempty"`
}

type verb string

// The verbs. A click's are among those of commands, but for what it does to an
// incident's check.
const (
	doNothing   verb = ""
	doStatus    verb = "status"
	doCheck     verb = "check"
	doRun       verb = "run"
	doShow      verb = "show"
	doAck       verb = "ack"
	doMute      verb = "mute"
	doUnmute    verb = "unmute"
	doPlans     verb = "plans"
	doFix       verb = "fix"
	doFreeze    verb = "freeze"
	doUnfreeze  verb = "unfreeze"
	doSources   verb = "sources"
	doLink      verb = "link"
	doHelp      verb = "help"
	doRecheck   verb = "recheck"
	doMuteOf    verb = "mute of incident"
	doUnmuteOf  verb = "unmute of incident"
	untilGrows       = "until-grows"
	shareFlag        = "--share"
	allChecks        = "all"
	longestMute      = 90 * 24 * time.Hour
)

// commands are what can be written after /plumbline, with their forms.
func commands() map[verb]string {
	return map[verb]string{
		doStatus:   "status",
		doCheck:    "check NAME",
		doRun:      "run NAME [sample 500 | full | key KEY]",
		doShow:     "show F-812 | I-204",
		doAck:      "ack I-204 [note]",
		doMute:     "mute NAME 2h [reason] | mute NAME until-grows [reason]",
		doUnmute:   "unmute NAME",
		doPlans:    "plans",
		doFix:      "fix NAME",
		doFreeze:   "freeze NAME [reason] | freeze all [reason]",
		doUnfreeze: "unfreeze NAME | unfreeze all",
		doSources:  "sources",
		doLink:     "link",
		doHelp:     "help",
	}
}

// verbs are the commands in the order in which help tells of them.
func verbs() []verb {
	return []verb{doStatus, doCheck, doRun, doShow, doAck, doMute, doUnmute, doPlans, doFix, doFreeze, doUnfreeze, doSources, doLink, doHelp}
}

// parseOrder reads what stands after /plumbline. What cannot be read is an order
// with Wrong.
func parseOrder(text string) order {
	words := strings.Fields(text)
	o := order{Verb: doStatus}
	for i, word := range words {
		if word == shareFlag || word == "—share" { // some keyboards make a dash of two
			o.Share = true
			words = append(words[:i], words[i+1:]...)
			break
		}
	}
	if len(words) == 0 {
		return o
	}
	o.Verb, words = verb(strings.ToLower(words[0])), words[1:]
	form, known := commands()[o.Verb]
	if !known {
		return order{Verb: doHelp, Share: false, Wrong: unknownCommand(string(o.Verb))}
	}
	wrong := order{Verb: doHelp, Wrong: "That is written so: `/plumbline " + form + "`"}
	least, most := arity(o.Verb)
	if len(words) < least || most >= 0 && len(words) > most {
		return wrong
	}
	if least > 0 {
		o.What, words = words[0], words[1:]
	}
	switch o.Verb {
	case doShow:
		o.What = named(o.What)
	case doFreeze:
		o.Note = strings.Join(words, " ")
	case doAck:
		o.What = named(o.What)
		o.Note = strings.Join(words, " ")
	case doRun:
		if !o.parseRun(words) {
			return wrong
		}
	case doMute:
		var ok bool
		if o.For, o.Grows, ok = parseUntil(words[0]); !ok {
			return wrong
		}
		o.Note = strings.Join(words[1:], " ")
	}
	return o
}

// mostSampled is how many keys a command may ask for.
const mostSampled = 1_000_000

// parseRun reads what a run is asked for: nothing, sample 500, full or key KEY.
func (o *order) parseRun(words []string) bool {
	if len(words) == 0 {
		return true
	}
	switch rest := words[1:]; words[0] {
	case "key":
		o.Key = strings.Join(rest, " ")
		return o.Key != ""
	case "full":
		o.Full = true
		return len(rest) == 0
	case "sample":
		if len(rest) != 1 {
			return false
		}
		n, err := strconv.Atoi(rest[0])
		o.Sample = n
		return err == nil && n >= 1 && n <= mostSampled
	}
	return false
}

// arity is how many words follow a command; -1 is any number.
func arity(v verb) (least, most int) {
	switch v {
	case doCheck, doShow, doUnmute, doFix, doUnfreeze:
		return 1, 1
	case doRun, doAck, doFreeze:
		return 1, -1
	case doMute:
		return 2, -1
	}
	return 0, 0
}

// parseUntil reads how long a mute lasts: 2h, 1d, until-grows.
func parseUntil(word string) (d time.Duration, grows, ok bool) {
	if word == untilGrows || word == "grow" {
		return 0, true, true
	}
	if days, found := strings.CutSuffix(word, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
		return d, false, err == nil && d > 0 && d <= longestMute
	}
	d, err := time.ParseDuration(word)
	return d, false, err == nil && d >= time.Minute && d <= longestMute
}

func unknownCommand(word string) string {
	known := make([]string, 0, len(verbs()))
	for _, v := range verbs() {
		known = append(known, string(v))
	}
	said := "There is no such command."
	if nearest := sources.Nearest(word, known); nearest != "" {
		said += " Did you mean `/plumbline " + nearest + "`?"
	}
	return said
}

// isIncident says whether a text names an incident: I-204.
func isIncident(text string) bool {
	digits, found := strings.CutPrefix(text, "I-")
	_, err := strconv.ParseUint(digits, 10, 63)
	return found && err == nil
}

// named is the name of an incident or a finding, however it was typed.
func named(text string) string {
	kind, rest, _ := strings.Cut(text, "-")
	return strings.ToUpper(kind) + "-" + strings.ToLower(rest)
}

// orderOfAction is what a click means: the action's id and its value, which is
// the incident with the revision that the person saw, and a choice in a menu.
func orderOfAction(action, value string) (order, error) {
	v, known := map[string]verb{ActionAck: doAck, ActionRecheck: doRecheck, ActionMute: doMuteOf, ActionUnmute: doUnmuteOf}[action]
	if !known {
		return order{}, nil // a link, or a button of a message of old
	}
	parts := strings.Split(value, ":")
	if len(parts) < 2 || len(parts) > 3 || !isIncident(parts[0]) {
		return order{}, errMalformed
	}
	revision, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || revision < 0 {
		return order{}, errMalformed
	}
	o := order{Verb: v, What: parts[0], Revision: revision}
	if v == doMuteOf {
		var ok bool
		if len(parts) != 3 {
			return order{}, errMalformed
		}
		if o.For, o.Grows, ok = parseUntil(parts[2]); !ok {
			return order{}, errMalformed
		}
	}
	return o, nil
}
