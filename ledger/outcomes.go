package ledger

import (
	"context"
	"time"

	"plumbline/checks"
)

// outcomes gathers, for each finding that verdicts are about, what all of them
// say: a record may differ and be held twice at once, and then there is one
// finding and two verdicts.
type outcomes struct {
	r     *recorder
	by    map[ident]*outcome
	order []ident
}

// outcome is what verdicts say of one finding.
type outcome struct {
	confirmed *checks.Difference
	duplicate *checks.Difference
	cleared   map[bool]string // why, by whether only duplicates were in doubt
	unknown   map[bool]bool
	readAt    time.Time // when the read that cleared it began
	run       string
	waiting   []*Run // those that count it
}

func newOutcomes(r *recorder) *outcomes { return &outcomes{r: r, by: map[ident]*outcome{}} }

func (n *outcomes) at(i ident) *outcome {
	o := n.by[i]
	if o == nil {
		o = &outcome{cleared: map[bool]string{}, unknown: map[bool]bool{}}
		n.by[i] = o
		n.order = append(n.order, i)
	}
	return o
}

// of takes a verdict up and returns the outcome it became part of.
func (n *outcomes) of(v *checks.Verdict) *outcome {
	own := n.r.identOf(v.Suspect.Key, v.Suspect.ID)
	switch v.Outcome {
	case checks.Confirmed:
		found := n.r.identOf(v.Difference.Key, v.Difference.ID)
		if found != own {
			// The key is there after all, by a copy that differs.
			n.at(own).cleared[v.Suspect.Duplicate] = checks.ClearedEqual
		}
		o := n.at(found)
		if v.Difference.Kind == checks.Duplicate {
			o.duplicate = v.Difference
		} else {
			o.confirmed = v.Difference
		}
		return o
	case checks.Cleared:
		o := n.at(own)
		o.cleared[v.Suspect.Duplicate], o.readAt = v.Cleared, v.ReadAt
		return o
	default:
		o := n.at(own)
		o.unknown[v.Suspect.Duplicate] = true
		return o
	}
}

// apply moves the findings.
func (n *outcomes) apply(ctx context.Context) error {
	b := n.r.book
	for _, i := range n.order {
		o, e := n.by[i], b.entries[i]
		found := o.confirmed
		if o.duplicate != nil {
			found = o.duplicate // the graver: of records held twice, which of them differs nobody can say
		}
		if found == nil {
			if err := n.clear(e, o); err != nil {
				return err
			}
			continue
		}
		open := e.after != nil && e.after.State.Open()
		if open && found.Kind != checks.Duplicate && e.after.Kind == checks.Duplicate && o.cleared[true] == "" {
			// That it is held twice was not looked at, and stands.
			if err := b.seeAgain(e, n.r.at, o.run); err != nil {
				return err
			}
			continue
		}
		omitted, err := b.see(e, n.r.facts.Finding(found), found.FirstSeen, n.r.at, o.run)
		if err != nil {
			return err
		}
		if omitted {
			for _, run := range o.waiting {
				run.Omitted++
			}
		}
	}
	return nil
}

// clear resolves a finding where what it is about was read and is no more. A
// look at how often a record is held says nothing of its values, nor the reverse.
func (n *outcomes) clear(e *entry, o *outcome) error {
	if e == nil || e.after == nil {
		return nil
	}
	about := e.after.Kind == checks.Duplicate
	why, cleared := o.cleared[about]
	if !cleared || o.unknown[about] {
		if o.unknown[about] {
			e.askedAt, e.dirty = n.r.at, true
		}
		return nil
	}
	if seen := e.after.LastSeen; seen.After(o.readAt) && !seen.After(n.r.at) && !o.readAt.IsZero() {
		return nil // it was met, and differed, after this read began
	}
	return n.r.book.clear(e, why, n.r.at, o.run)
}
