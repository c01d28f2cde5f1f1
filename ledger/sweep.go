package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plumbline/alerts"
	"plumbline/drift"
)

// SweepAlerts does what time alone brings about: mutes that are over end, open
// incidents that nobody took on are told again, growth is told once a burst has
// gone on for long enough, checks go stale, and targets that are new are told of
// what is open. It also hands acknowledgements on to the findings. Any number of
// processes may sweep; what another one did already is left as it is.
func (l *Ledger) SweepAlerts(ctx context.Context, now time.Time) error {
	if l.options.Policies == nil {
		return nil
	}
	now = timeOf(millis(now))
	if err := l.setOutletsRight(ctx, now); err != nil {
		return fmt.Errorf("set what is due right by the clock: %w", err)
	}
	if err := l.sweepChecks(ctx, now); err != nil {
		return fmt.Errorf("sweep incidents: %w", err)
	}
	if err := l.spread(ctx); err != nil {
		return fmt.Errorf("hand acknowledgements on: %w", err)
	}
	return nil
}

// setOutletsRight begins waits anew that were noted by a clock which has been set
// back since: each target is left alone as long as it asked, and not for the
// difference besides. Below a few minutes it is left alone: processes' clocks may
// differ by that much.
func (l *Ledger) setOutletsRight(ctx context.Context, now time.Time) error {
	ahead := millis(now.Add(refusedPause)) // the longest that a delivery waits of itself
	var wrong int64
	err := l.read.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM outlets WHERE noted_at > $1)
		+ (SELECT COUNT(*) FROM deliveries WHERE due_at > 0 AND due_at > $1)`, ahead).Scan(&wrong)
	if err != nil || wrong == 0 {
		return err
	}
	return l.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE outlets SET held_until = 0, noted_at = $1,
			next_at = CASE WHEN next_at > noted_at THEN $1 + next_at - noted_at ELSE 0 END WHERE noted_at > $2`, millis(now), ahead); err != nil {
			return err
		}
		// What a target asked for beyond that is kept with the outlet.
		_, err := tx.exec(ctx, `UPDATE deliveries SET due_at = $1 WHERE due_at > 0 AND due_at > $2`, millis(now), ahead)
		return err
	})
}

func (l *Ledger) sweepChecks(ctx context.Context, now time.Time) error {
	all, err := situations(ctx, l.read, "", now)
	if err != nil {
		return err
	}
	told, err := l.toldTargets(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, check := range slices.Sorted(maps.Keys(all)) {
		steps := l.steps(all[check], &mark{}, now)
		afresh := steps.untold(told)
		if steps.idle() && !afresh {
			continue
		}
		err := l.InTx(ctx, func(tx *Tx) error {
			if err := tx.holdIncidents(ctx, check); err != nil {
				return err
			}
			return l.alert(ctx, tx, check, &mark{}, afresh)
		})
		if err != nil { // which keeps nobody from hearing of the others
			failed = append(failed, fmt.Errorf("of %s: %w", check, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// untold says whether an open incident has a target that was told nothing and is
// to be told nothing: one that is new, or that a process took for one of no policy.
func (s *steps) untold(told map[string][]alerts.Target) bool {
	if s == nil || s.muted {
		return false
	}
	for _, st := range s.list {
		if st.after == nil || st.after.State == alerts.Resolved {
			continue
		}
		for _, t := range s.policy.Targets {
			if !slices.ContainsFunc(told[st.after.ID], func(u alerts.Target) bool { return sameTarget(t, u) }) {
				return true
			}
		}
	}
	return false
}

// toldTargets are the targets of open incidents that were told something, or are to be.
func (l *Ledger) toldTargets(ctx context.Context) (map[string][]alerts.Target, error) {
	told := map[string][]alerts.Target{}
	_, err := collect(ctx, l.read, func(rows *sql.Rows) (none struct{}, err error) {
		var subject string
		var t alerts.Target
		err = rows.Scan(&subject, &t.Integration, &t.Address)
		told[subject] = append(told[subject], t)
		return none, err
	}, `SELECT d.subject, d.integration, d.address FROM deliveries d JOIN incidents i ON i.id = d.subject
		WHERE i.state <> 'resolved' AND (d.revision > 0 OR d.ts <> '' OR d.due_at > 0 OR d.doubtful > 0)`)
	if err != nil {
		return nil, fmt.Errorf("read who was told: %w", err)
	}
	return told, nil
}

// spread acknowledges the findings of incidents that somebody took on.
func (l *Ledger) spread(ctx context.Context) error {
	type taken struct{ id, check, spread string }
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (t taken, err error) {
		return t, rows.Scan(&t.id, &t.check, &t.spread)
	}, `SELECT id, check_name, spread FROM incidents WHERE spread <> '' ORDER BY number`)
	if err != nil {
		return err
	}
	for _, t := range list {
		actor := strings.TrimPrefix(t.spread, "ack ")
		for _, state := range []drift.State{drift.Confirmed, drift.Regressed} {
			_, err := l.ActAll(ctx, FindingFilter{Check: t.check, State: string(state)},
				drift.Observation{Event: drift.Acknowledge, At: l.now(), Actor: actor, Note: "with " + t.id})
			if err != nil {
				return err
			}
		}
		err := l.InTx(ctx, func(tx *Tx) error {
			_, err := tx.exec(ctx, `UPDATE incidents SET spread = '' WHERE id = $1 AND spread = $2`, t.id, t.spread)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
