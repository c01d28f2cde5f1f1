package ledger

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"plumbline/alerts"
	"plumbline/checks"
)

// keepCause keeps why a run that has its edge's last word could say nothing of
// all of it.
func (l *Ledger) keepCause(ctx context.Context, tx *Tx, r *Run) error {
	var p alerts.Policy
	if l.options.Policies != nil {
		p, _ = l.options.Policies(r.Check)
	}
	_, err := tx.exec(ctx, `UPDATE edges SET cause = $1 WHERE check_name = $2 AND replica = $3`, causeOf(r, &p), r.Check, r.Replica)
	if err != nil {
		return fmt.Errorf("keep why nothing can be said of %s/%s: %w", r.Check, r.Replica, err)
	}
	return nil
}

// causeOf says in words of ours why a run is an error or incomplete; "" where it
// is neither. What a store or a driver wrote is only looked through for what kind
// of failure it tells of, since it may quote a record; a source is named where
// the policy names it.
func causeOf(r *Run, p *alerts.Policy) string {
	if r.Result != checks.Error && r.Result != checks.Incomplete {
		return ""
	}
	why := r.Error
	for reason := range r.Reasons {
		if strings.HasPrefix(reason, checks.SchemaPrefix) {
			return shortened(reason) // names of fields and types
		}
	}
	if why == "" {
		for _, reason := range r.EdgeRun().ReasonList() {
			why = cmp.Or(why, reason)
		}
	}
	cause := causeIn(why, r, p)
	if left := r.Segments - r.SegmentsDone; left > 0 && r.Segments > 1 {
		cause += fmt.Sprintf("; %d of %d segments were not read", left, r.Segments)
	}
	return cause
}

// causeMost is how long a cause may be that names what changed.
const causeMost = 300

func shortened(words string) string {
	if runes := []rune(words); len(runes) > causeMost {
		return string(runes[:causeMost-1]) + "…"
	}
	return words
}

// causeIn is the kind of failure that a text tells of.
func causeIn(why string, r *Run, p *alerts.Policy) string {
	low := strings.ToLower(why)
	says := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(low, w) {
				return true
			}
		}
		return false
	}
	switch {
	case strings.HasPrefix(why, ReasonChanged):
		return "the check was changed while it ran"
	case strings.HasPrefix(why, "the owner, ") && says("has no records in scope"):
		return "the owner answered with no records, where that is no known fact"
	case strings.HasPrefix(why, "nothing was compared"):
		return "no record was this check's to compare"
	case strings.HasPrefix(why, "unsettled:"):
		return "records of the owner change faster than they settle"
	}
	who := sourceIn(why, r, p)
	switch {
	case who == "":
		return "not all records could be read and compared"
	case says("no answer within", "timeout", "timed out", "deadline exceeded"):
		return who + " did not answer in time"
	case says("connection refused", "no such host", "unreachable", "hung up", "connection reset", "broken pipe", "dial ", "server selection"):
		return who + " cannot be reached"
	case says("permission denied", "not authorized", "authentication", "password", "access denied"):
		return who + " denied access"
	case says(" not found", "does not exist", "no such table", "no such column"):
		return who + " has not the table or field that is read"
	}
	return who + " could not be read"
}

// sourceIn names the source that the Reader's words begin with.
func sourceIn(why string, r *Run, p *alerts.Policy) string {
	rest, ok := strings.CutPrefix(why, "source ")
	name, _, cut := strings.Cut(rest, ":")
	if !ok || !cut {
		return ""
	}
	named := func(title string) bool { return title == name || strings.HasPrefix(title, name+".") }
	if named(p.Owner) {
		return "owner " + name
	}
	if name == r.Replica {
		return "replica " + name
	}
	for _, replica := range p.Replicas {
		if named(replica) {
			return "replica " + name
		}
	}
	return "a source"
}
