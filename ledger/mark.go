package ledger

import (
	"context"
	"fmt"
	"slices"

	"plumbline/drift"
)

// mark says that a transaction changed something of a check that is told, and
// what of it only the transaction knows. What becomes of its plans of fixes, of
// freezes and of pauses follows from their rows: whoever changes those marks the
// check, and that is all.
type mark struct {
	healed, fixed, known int64    // findings that were resolved by themselves and by a fix, and taken as known
	by                   string   // who acknowledged findings; "" is nobody
	fixedBy              []string // the plans by which findings were resolved
}

// mark marks a check.
func (tx *Tx) mark(check string) *mark {
	m := tx.marks[check]
	if m == nil {
		if tx.marks == nil {
			tx.marks = map[string]*mark{}
		}
		m = &mark{}
		tx.marks[check] = m
	}
	return m
}

// note takes a finding's step into the mark.
func (m *mark) note(before, after *drift.Finding, o drift.Observation) {
	if o.Event == drift.Acknowledge || o.Event == drift.Accept {
		m.by = o.Actor
	}
	if before == nil || before.Accepted || !before.State.Open() {
		return
	}
	switch {
	case after.State == drift.Resolved && before.State == drift.Fixing:
		m.fixed++
	case after.State == drift.Resolved:
		m.healed++
	case after.Accepted:
		m.known++
	}
}

// any says whether anything is noted.
func (m *mark) any() bool {
	return m.healed != 0 || m.fixed != 0 || m.known != 0 || m.by != "" || len(m.fixedBy) > 0
}

func (m *mark) add(n mark) {
	m.healed += n.healed
	m.fixed += n.fixed
	m.known += n.known
	if n.by != "" {
		m.by = n.by
	}
	for _, plan := range n.fixedBy {
		m.fixedByPlan(plan)
	}
}

// fixedByPlan notes a plan by which findings were resolved.
func (m *mark) fixedByPlan(plan string) {
	if !slices.Contains(m.fixedBy, plan) {
		m.fixedBy = append(m.fixedBy, plan)
	}
}

// markChanged marks the book's check where what is counted of it changed, and
// keeps how many of its open findings are accepted.
func (b *book) markChanged(ctx context.Context) error {
	if b.accepted != 0 {
		if _, err := b.tx.exec(ctx, `UPDATE edges SET accepted = accepted + $1 WHERE check_name = $2 AND replica = $3`, b.accepted, b.check, b.replica); err != nil {
			return fmt.Errorf("count accepted findings of %s/%s: %w", b.check, b.replica, err)
		}
	}
	changed := b.accepted != 0 || b.marked.any()
	for _, n := range b.tallies {
		changed = changed || n != 0
	}
	for _, f := range b.fields {
		changed = changed || f.open != 0
	}
	if changed {
		b.tx.mark(b.check).add(b.marked)
	}
	b.accepted, b.marked = 0, mark{}
	return nil
}
