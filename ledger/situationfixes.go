package ledger

import (
	"database/sql"
	"slices"
	"time"

	"plumbline/alerts"
)

// fixSituation is what is told of a check's fixes.
type fixSituation struct {
	plans []alerts.Plan // the newest first
	// frozen is the check's own freeze, frozenAll that of everything.
	frozen, frozenAll, paused *alerts.Stop
}

// mostToldPlans is how many of a check's plans are looked at: its newest.
const mostToldPlans = 8

// toldPlans are the plans that are told of, as SQL has them: those of which
// something may still be made, and of each edge and state the newest that was
// begun and ended since $1.
const toldPlans = `(state IN ` + liveStates + `
	OR number IN (SELECT MAX(number) FROM plans WHERE begun_at > 0 AND ended_at >= $1 GROUP BY check_name, replica, state))`

// plans reads the plans that are told of.
func (r *situationReader) plans(now time.Time) error {
	return r.rows(func(rows *sql.Rows) error {
		var check, counts, kinds string
		var ended int64
		var p alerts.Plan
		err := rows.Scan(&check, &p.ID, &p.Replica, &p.State, &p.Undoes, &p.UndoneBy, &p.Auto, &p.By, &p.Needs, &p.BegunBy, &ended, &counts, &kinds)
		if err != nil {
			return err
		}
		p.EndedAt = timeOf(ended)
		if err := undocument(counts, &p.Counts); err != nil {
			return err
		}
		if err := undocument(kinds, &p.Kinds); err != nil {
			return err
		}
		if s := r.of(check); len(s.fixes.plans) < mostToldPlans {
			s.fixes.plans = append(s.fixes.plans, p)
		}
		return nil
	}, `SELECT check_name, id, replica, state, undoes, undone_by, auto, drafted_name, needs, begun_name, ended_at, counts, kinds FROM plans`,
		toldPlans, ` ORDER BY number DESC`, millis(now.Add(-alerts.Regress)))
}

// approvals reads who approved those plans so far.
func (r *situationReader) approvals(now time.Time) error {
	return r.rows(func(rows *sql.Rows) error {
		var check, plan, name string
		err := rows.Scan(&check, &plan, &name)
		s := r.of(check)
		if at := slices.IndexFunc(s.fixes.plans, func(p alerts.Plan) bool { return p.ID == plan }); at >= 0 {
			s.fixes.plans[at].ApprovedBy = append(s.fixes.plans[at].ApprovedBy, name)
		}
		return err
	}, `SELECT p.check_name, a.plan, a.name FROM plan_approvals a JOIN plans p ON p.id = a.plan AND p.hash = a.hash`,
		toldPlans, ` ORDER BY p.number, a.at, a.name`, millis(now.Add(-alerts.Regress)))
}

// freezes reads what is frozen, once the checks are known that it may be about.
func (r *situationReader) freezes() error {
	_, err := collect(r.ctx, r.from, func(rows *sql.Rows) (none struct{}, err error) {
		var check string
		var at int64
		stop := &alerts.Stop{}
		if err := rows.Scan(&check, &stop.By, &stop.Reason, &at); err != nil {
			return none, err
		}
		stop.At = timeOf(at)
		if s := r.all[check]; s != nil {
			s.fixes.frozen = stop
		} else if check == "" {
			for _, s := range r.all {
				s.fixes.frozenAll = stop
			}
		}
		return none, nil
	}, `SELECT check_name, actor, reason, at FROM freezes`)
	return err
}

func (r *situationReader) pauses() error {
	return r.rows(func(rows *sql.Rows) error {
		var check string
		var at int64
		stop := &alerts.Stop{}
		err := rows.Scan(&check, &stop.Reason, &at)
		stop.At = timeOf(at)
		r.of(check).fixes.paused = stop
		return err
	}, `SELECT check_name, reason, at FROM fix_pauses`, `at > 0`, ``)
}

// tell says in facts how fixes stand. That everything is frozen is told of checks
// only that have something to be fixed.
func (s *fixSituation) tell(f *alerts.Facts, before *alerts.Incident, m *mark) {
	f.KeepPlans(s.plans, before)
	f.Frozen, f.Paused = s.frozen, s.paused
	if f.Frozen == nil && f.Live() != nil {
		f.Frozen = s.frozenAll
	}
	if before != nil && before.State != alerts.Resolved {
		f.Asked, f.FixedBy = before.Facts.Asked, slices.Clone(before.Facts.FixedBy)
	}
	for _, plan := range m.fixedBy {
		if !slices.Contains(f.FixedBy, plan) {
			f.FixedBy = append(f.FixedBy, plan)
		}
	}
}
