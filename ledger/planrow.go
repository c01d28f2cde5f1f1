package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"plumbline/reconciler"
	"plumbline/sources"
)

const planColumns = `id, number, check_name, replica, route, undoes, undone_by, state, hash, check_hash, choice, auto, drafted_by, drafted_name,
	drafted_at, needs, asked_at, approved_at, expires_at, begun_by, begun_name, begun_at, ended_at, reason, stop_on_error, counts, kinds,
	left_out, checklist, term, worker, revision, seal`

// planColumnCount is how many columns planColumns names.
const planColumnCount = 33

// planRow is a plan as it is kept. The texts are columns as they are, which its
// seal covers.
type planRow struct {
	reconciler.Plan
	asked                   int64
	kinds, leftOut, checked string
	term                    int64
	worker                  string
	seal                    []byte
}

func scanPlan(rows *sql.Rows) (*planRow, error) {
	p := &planRow{}
	var drafted, approved, expires, begun, ended int64
	var counts string
	err := rows.Scan(&p.ID, &p.Number, &p.Check, &p.Replica, &p.By, &p.Undoes, &p.UndoneBy, &p.State, &p.Hash, &p.CheckHash, &p.Choice, &p.Auto,
		&p.DraftedBy.Account, &p.DraftedBy.Name, &drafted, &p.Needs, &p.asked, &approved, &expires, &p.BegunBy.Account, &p.BegunBy.Name, &begun, &ended,
		&p.Reason, &p.StopOnError, &counts, &p.kinds, &p.leftOut, &p.checked, &p.term, &p.worker, &p.Revision, &p.seal)
	if err != nil {
		return nil, err
	}
	p.DraftedAt, p.ApprovedAt, p.ExpiresAt, p.BegunAt, p.EndedAt = timeOf(drafted), timeOf(approved), timeOf(expires), timeOf(begun), timeOf(ended)
	p.Counts, p.Kinds = map[reconciler.ItemState]int64{}, map[sources.ChangeKind]int64{}
	for _, d := range []struct {
		kept string
		into any
	}{{counts, &p.Counts}, {p.kinds, &p.Kinds}, {p.leftOut, &p.Left}, {p.checked, &p.Checklist}} {
		if err := undocument(d.kept, d.into); err != nil {
			return nil, fmt.Errorf("read plan %s: %w", p.ID, err)
		}
	}
	return p, nil
}

// planBy reads a plan as it is; *NotFoundError.
func planBy(ctx context.Context, from querier, id string) (*planRow, error) {
	list, err := collect(ctx, from, scanPlan, `SELECT `+planColumns+` FROM plans WHERE id = $1`, text(id))
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", id, err)
	}
	if len(list) == 0 {
		return nil, &NotFoundError{What: "plan", Name: id}
	}
	return list[0], nil
}

// lockPlan makes this transaction the only one that changes a plan or its items
// until it ends, and reads it. Plans are locked after edges, in the order of
// their numbers, and before incidents. *NotFoundError.
func (tx *Tx) lockPlan(ctx context.Context, id string) (*planRow, error) {
	if _, err := tx.exec(ctx, `UPDATE plans SET revision = revision WHERE id = $1`, text(id)); err != nil {
		return nil, fmt.Errorf("lock plan %s: %w", id, err)
	}
	return planBy(ctx, tx.sql, id)
}

// lockWithEdge locks a plan's edge, whose findings are to change with it, and then
// the plan. *NotFoundError.
func (tx *Tx) lockWithEdge(ctx context.Context, id string) (*planRow, error) {
	known, err := planBy(ctx, tx.sql, id)
	if err != nil {
		return nil, err
	}
	if _, err := tx.lockEdge(ctx, known.Check, known.Replica); err != nil {
		return nil, err
	}
	return tx.lockPlan(ctx, id)
}

// insertPlan keeps a new plan, but for its items.
func (tx *Tx) insertPlan(ctx context.Context, p *planRow) error {
	counts, err := document(p.Counts)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO plans (`+planColumns+`) VALUES `+placeholders(1, 1, planColumnCount),
		p.ID, p.Number, p.Check, p.Replica, string(p.By), p.Undoes, p.UndoneBy, string(p.State), p.Hash, p.CheckHash, p.Choice, p.Auto,
		p.DraftedBy.Account, p.DraftedBy.Name, millis(p.DraftedAt), p.Needs, p.asked, millis(p.ApprovedAt), millis(p.ExpiresAt), p.BegunBy.Account,
		p.BegunBy.Name, millis(p.BegunAt), millis(p.EndedAt), p.Reason, p.StopOnError, counts, p.kinds, p.leftOut, p.checked, p.term, p.worker,
		p.Revision, p.seal)
	if err != nil {
		return fmt.Errorf("keep plan %s: %w", p.ID, err)
	}
	tx.planChanged(&p.Plan)
	return nil
}

// savePlan writes what changes of a plan in its life, and tells of it. The
// transaction holds the plan.
func (tx *Tx) savePlan(ctx context.Context, p *planRow) error {
	p.Revision++
	if err := tx.writePlan(ctx, p); err != nil {
		return err
	}
	tx.planChanged(&p.Plan)
	return nil
}

// saveCounts writes how many of a plan's items are in which state, which whoever
// watches hears of, and nobody else is told.
func (tx *Tx) saveCounts(ctx context.Context, p *planRow) error {
	p.Revision++
	if err := tx.writePlan(ctx, p); err != nil {
		return err
	}
	tx.tell(Change{Topic: "fix", Check: p.Check, Replica: p.Replica, ID: p.ID})
	return nil
}

func (tx *Tx) writePlan(ctx context.Context, p *planRow) error {
	maps.DeleteFunc(p.Counts, func(_ reconciler.ItemState, n int64) bool { return n == 0 })
	counts, err := document(p.Counts)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE plans SET undone_by = $1, state = $2, asked_at = $3, approved_at = $4, expires_at = $5, begun_by = $6, begun_name = $7,
		begun_at = $8, ended_at = $9, reason = $10, counts = $11, term = $12, worker = $13, revision = $14 WHERE id = $15`,
		p.UndoneBy, string(p.State), p.asked, millis(p.ApprovedAt), millis(p.ExpiresAt), p.BegunBy.Account, p.BegunBy.Name, millis(p.BegunAt),
		millis(p.EndedAt), text(p.Reason), counts, p.term, p.worker, p.Revision, p.ID)
	if err != nil {
		return fmt.Errorf("keep plan %s: %w", p.ID, err)
	}
	return nil
}

func (tx *Tx) planChanged(p *reconciler.Plan) {
	tx.tell(Change{Topic: "fix", Check: p.Check, Replica: p.Replica, ID: p.ID})
	tx.mark(p.Check)
}

// count counts a plan's items anew.
func (tx *Tx) count(ctx context.Context, p *planRow) error {
	p.Counts = map[reconciler.ItemState]int64{}
	_, err := collect(ctx, tx.sql, func(rows *sql.Rows) (none struct{}, err error) {
		var state reconciler.ItemState
		var n int64
		err = rows.Scan(&state, &n)
		p.Counts[state] = n
		return none, err
	}, `SELECT state, COUNT(*) FROM plan_items WHERE plan = $1 GROUP BY state`, p.ID)
	if err != nil {
		return fmt.Errorf("count the items of %s: %w", p.ID, err)
	}
	return nil
}

// end moves a plan that is over, or that nobody may begin any more, and takes the
// seals off its approvals where nothing is left that they could be used for.
func (tx *Tx) end(ctx context.Context, p *planRow, state reconciler.PlanState, reason string) error {
	p.State, p.Reason, p.EndedAt, p.ExpiresAt = state, reason, timeOf(millis(tx.now())), timeOf(0)
	if !resumable(&p.Plan) {
		if _, err := tx.exec(ctx, `UPDATE plan_approvals SET seal = $1 WHERE plan = $2`, []byte{}, p.ID); err != nil {
			return fmt.Errorf("take the seals off the approvals of %s: %w", p.ID, err)
		}
	}
	return tx.savePlan(ctx, p)
}

// resumable says whether the rest of a plan that has ended may be applied.
func resumable(p *reconciler.Plan) bool {
	_, ok := reconciler.Next(p.State, reconciler.EventBegin)
	return ok && !p.BegunAt.IsZero() && p.Counts[reconciler.Pending] > 0
}

// approvalRow is an approval as it is kept.
type approvalRow struct {
	plan string
	reconciler.Approval
	seal []byte
}

func scanApproval(rows *sql.Rows) (a approvalRow, err error) {
	var at int64
	err = rows.Scan(&a.plan, &a.By.Account, &a.By.Name, &a.Hash, &at, &a.seal)
	a.At = timeOf(at)
	return a, err
}

// approvals reads the approvals of some plans, the earliest first.
func approvals(ctx context.Context, from querier, plans []string) (list []approvalRow, err error) {
	err = chunks(plans, 1, func(some []string) error {
		args := make([]any, len(some))
		for i := range some {
			args[i] = some[i]
		}
		found, err := collect(ctx, from, scanApproval, `SELECT plan, account, name, hash, at, seal FROM plan_approvals WHERE plan IN `+
			placeholders(1, 1, len(some)), args...)
		list = append(list, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	slices.SortFunc(list, func(a, b approvalRow) int { return a.At.Compare(b.At) })
	return list, nil
}
