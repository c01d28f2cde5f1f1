package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"plumbline/alerts"
	"plumbline/drift"
)

// realert draws what a transaction changed into the incidents of the checks that
// it marked, and into what is due to be told of them, so that both commit with
// the change. Edges are locked before it, and checks in the order of their names.
func (l *Ledger) realert(ctx context.Context, tx *Tx) error {
	if l.options.Policies == nil || len(tx.marks) == 0 {
		return nil
	}
	checks := slices.Sorted(maps.Keys(tx.marks))
	for _, check := range checks {
		if err := tx.holdIncidents(ctx, check); err != nil {
			return err
		}
	}
	for _, check := range checks {
		if err := l.alert(ctx, tx, check, tx.marks[check], false); err != nil {
			return fmt.Errorf("draw the incidents of %s: %w", check, err)
		}
	}
	tx.marks = nil
	return nil
}

// holdIncidents makes this transaction the only one that changes the incidents of
// a check, or its mute, until it ends. What they follow from is read afterwards.
func (tx *Tx) holdIncidents(ctx context.Context, check string) error {
	_, err := tx.next(ctx, "incidents of "+check)
	return err
}

// alert brings the incidents of a check up to date. Whoever calls holds them.
// afresh says that what is due is to be drawn anew though nothing changed.
func (l *Ledger) alert(ctx context.Context, tx *Tx, check string, m *mark, afresh bool) error {
	now := timeOf(millis(tx.now()))
	all, err := situations(ctx, tx.sql, check, now)
	if err != nil {
		return err
	}
	s := all[check]
	if s == nil {
		return nil
	}
	steps := l.steps(s, m, now)
	if steps == nil {
		return nil
	}
	if steps.over {
		if _, err := tx.exec(ctx, `DELETE FROM mutes WHERE check_name = $1`, check); err != nil {
			return fmt.Errorf("end a mute: %w", err)
		}
		s.mute = nil
		tx.tell(Change{Topic: "incident", Check: check})
	}
	for _, st := range steps.list {
		if st.after == nil {
			continue
		}
		last, err := tx.keepIncident(ctx, st.before, st.after, st.news)
		if err != nil {
			return err
		}
		if st.changed || afresh {
			if err := tx.deliver(ctx, st.after, last, &steps.policy, s.mute, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// steps are what a check's incidents come to.
type steps struct {
	policy alerts.Policy
	over   bool // its mute has ended
	muted  bool // it has one that holds
	list   []step
}

type step struct {
	before, after *alerts.Incident
	news          []alerts.Milestone
	changed       bool
}

// idle says whether there is nothing to be written.
func (s *steps) idle() bool {
	return s == nil || !s.over && !slices.ContainsFunc(s.list, func(st step) bool { return st.before != st.after })
}

// steps draws what follows from a situation, and writes nothing. nil is a check
// of which this process knows no policy, though it is declared: another one does.
func (l *Ledger) steps(s *situation, m *mark, now time.Time) *steps {
	policy, known := l.options.Policies(s.check)
	if !known && len(s.edges) > 0 {
		return nil
	}
	policy.Check = s.check
	out := &steps{policy: policy}
	facts := s.facts(alerts.Drift, &policy, m, now)
	mute := s.mute
	why := "its time is over"
	if mute != nil && !mute.On(facts.Extent(), now) {
		if mute.Until.IsZero() || now.Before(mute.Until) {
			why = fmt.Sprintf("more than %d findings are counted", mute.Above)
		}
		out.over, mute = true, nil
	}
	out.muted = mute != nil
	for _, kind := range []alerts.Kind{alerts.Drift, alerts.Blind, alerts.Schema} {
		if kind != alerts.Drift {
			facts = s.facts(kind, &policy, m, now)
		}
		st := step{before: s.newest[kind]}
		held := st.before
		if out.over && held != nil {
			held, st.news = held.Quiet(alerts.WasUnmuted, drift.Plumbline, why, now)
		}
		after, news, changed := alerts.Next(held, facts, kind, policy, mute, now)
		st.after, st.news, st.changed = after, append(st.news, news...), changed || held != st.before
		out.list = append(out.list, st)
	}
	return out
}
