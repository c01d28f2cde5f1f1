package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumbline/reconciler"
	"plumbline/sources"
)

// KeepPlan keeps a plan that was drafted, and numbers it: its ID and Number, and
// its items' Plan and N, are set. Its items are pending, or stale from the
// beginning. *reconciler.Refusal where it undoes a plan that
// cannot be undone, or where Plumbline itself drafted it and another plan that is
// live is about one of its findings.
func (l *Ledger) KeepPlan(ctx context.Context, p *reconciler.Plan, items []reconciler.Item) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		row, kept, err := l.keepPlan(ctx, tx, p, items)
		if err != nil {
			return err
		}
		*p = row.Plan
		copy(items, kept)
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep a plan of %s/%s: %w", p.Check, p.Replica, err)
	}
	return nil
}

func (l *Ledger) keepPlan(ctx context.Context, tx *Tx, drafted *reconciler.Plan, items []reconciler.Item) (*planRow, []reconciler.Item, error) {
	row := &planRow{Plan: *drafted}
	p := &row.Plan
	if p.State != reconciler.Draft && p.State != reconciler.Waiting || len(items) == 0 {
		return nil, nil, fmt.Errorf("a plan of %d items that is %s is none that was drafted", len(items), p.State)
	}
	if known, err := tx.lockEdge(ctx, p.Check, p.Replica); err != nil || !known {
		return nil, nil, cmp.Or(err, error(&NotFoundError{What: "edge", Name: p.Check + "/" + p.Replica}))
	}
	if p.Auto {
		if err := tx.notCovered(ctx, items); err != nil {
			return nil, nil, err
		}
	}
	items = slices.Clone(items)
	var err error
	if p.Number, err = tx.next(ctx, "plans"); err != nil {
		return nil, nil, err
	}
	p.ID = "P-" + strconv.FormatInt(p.Number, 10)
	if p.DraftedAt.IsZero() {
		p.DraftedAt = tx.now()
	}
	p.DraftedAt = timeOf(millis(p.DraftedAt))
	p.ExpiresAt = p.DraftedAt.Add(reconciler.DraftFor)
	p.Choice, p.DraftedBy.Name = text(p.Choice), text(p.DraftedBy.Name)
	p.Counts, p.Kinds = map[reconciler.ItemState]int64{}, map[sources.ChangeKind]int64{}
	p.Revision, p.Approvals = 1, nil
	if p.State == reconciler.Waiting {
		row.asked = millis(p.DraftedAt)
	}
	hashes := make([]string, len(items))
	for n := range items {
		i := &items[n]
		if i.Plan, i.N = p.ID, n+1; i.State == reconciler.ItemStale { // what cannot be undone is told as such
			i.EndedAt = p.DraftedAt
		} else {
			i.State = reconciler.Pending
		}
		p.Counts[i.State]++
		p.Kinds[i.Kind]++
		if hashes[n] = row.itemHash(i); hashes[n] != i.Hash {
			return nil, nil, fmt.Errorf("item %d has another hash than its content", i.N)
		}
	}
	if reconciler.PlanHash(hashes) != p.Hash {
		return nil, nil, errors.New("the plan has another hash than its items")
	}
	for _, d := range []struct {
		of   any
		into *string
	}{{p.Kinds, &row.kinds}, {p.Left, &row.leftOut}, {p.Checklist, &row.checked}} {
		if *d.into, err = document(d.of); err != nil {
			return nil, nil, err
		}
	}
	seal := l.planSeal(row)
	if err := tx.insertItems(ctx, items, seal); err != nil {
		return nil, nil, err
	}
	row.seal = seal.mac.Sum(nil)
	if err := tx.insertPlan(ctx, row); err != nil {
		return nil, nil, err
	}
	action := "draft fix"
	if p.Undoes != "" {
		action = "undo fix"
		if err := tx.toUndo(ctx, p); err != nil {
			return nil, nil, err
		}
	}
	return row, items, tx.attestFix(ctx, action, p, kindWords(p)+" in "+p.Check+"/"+p.Replica)
}

// notCovered says whether no plan that is live is about any of the findings.
func (tx *Tx) notCovered(ctx context.Context, items []reconciler.Item) error {
	return chunks(items, 1, func(some []reconciler.Item) error {
		args := make([]any, len(some))
		for n := range some {
			args[n] = some[n].Finding
		}
		found, err := collect(ctx, tx.sql, func(rows *sql.Rows) (r reconciler.Refusal, err error) {
			var finding string
			err = rows.Scan(&r.Plan, &finding)
			r.Why = "it is about " + finding + " already"
			return r, err
		}, `SELECT p.id, i.finding FROM plan_items i JOIN plans p ON p.id = i.plan WHERE p.state IN `+liveStates+` AND i.finding IN `+
			placeholders(1, 1, len(some))+` ORDER BY p.number LIMIT 1`, args...)
		if err == nil && len(found) > 0 {
			return &found[0]
		}
		return err
	})
}

const liveStates = `('draft', 'waiting for approval', 'approved', 'applying')`

// kindWords say what a plan does: 3 updates, 1 delete.
func kindWords(p *reconciler.Plan) string {
	var words []string
	for _, k := range []sources.ChangeKind{sources.Update, sources.Insert, sources.Delete} {
		switch n := p.Kinds[k]; {
		case n == 1:
			words = append(words, "1 "+string(k))
		case n > 1:
			words = append(words, fmt.Sprintf("%d %ss", n, k))
		}
	}
	return strings.Join(words, ", ")
}

// Plan finds one by its id; *NotFoundError.
func (l *Ledger) Plan(ctx context.Context, id string) (*reconciler.Plan, error) {
	row, err := planBy(ctx, l.read, id)
	if err != nil {
		return nil, err
	}
	list, err := l.withApprovals(ctx, l.read, []*planRow{row})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// withApprovals are plans with their approvals: of those that are live such as
// count, of others all that were given.
func (l *Ledger) withApprovals(ctx context.Context, from querier, rows []*planRow) ([]*reconciler.Plan, error) {
	ids := make([]string, len(rows))
	for n, row := range rows {
		ids[n] = row.ID
	}
	all, err := approvals(ctx, from, ids)
	if err != nil {
		return nil, err
	}
	of := map[string][]approvalRow{}
	for _, a := range all {
		of[a.plan] = append(of[a.plan], a)
	}
	list := make([]*reconciler.Plan, len(rows))
	for n, row := range rows {
		list[n] = &row.Plan
		if row.State.Live() {
			row.Approvals = l.given(row, of[row.ID])
			continue
		}
		row.Approvals = nil
		for _, a := range of[row.ID] {
			row.Approvals = append(row.Approvals, a.Approval)
		}
	}
	return list, nil
}

// PlanFilter chooses plans; what is empty is any.
type PlanFilter struct {
	Check, Replica string
	State          string // a state, or "live"
	Finding        string // an item is about it
	After          string // the cursor that the page before returned
	Limit          int    // 0 is 50
}

// Plans lists plans, the newest first. next is the cursor of the following page,
// "" at the end; *CursorError.
func (l *Ledger) Plans(ctx context.Context, f PlanFilter) (list []*reconciler.Plan, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	s, where := &statement{}, []string{"number > 0"}
	for _, c := range []struct{ column, value string }{{"check_name", f.Check}, {"replica", f.Replica}} {
		if c.value != "" {
			where = append(where, c.column+" = "+s.arg(text(c.value)))
		}
	}
	switch f.State {
	case "":
	case "live":
		where = append(where, "state IN "+liveStates)
	default:
		where = append(where, "state = "+s.arg(text(f.State)))
	}
	if f.Finding != "" {
		where = append(where, "id IN (SELECT plan FROM plan_items WHERE finding = "+s.arg(text(f.Finding))+")")
	}
	if f.After != "" {
		after, err := strconv.ParseInt(f.After, 10, 64)
		if err != nil {
			return nil, "", &CursorError{Cursor: f.After}
		}
		where = append(where, "number < "+s.arg(after))
	}
	rows, err := collect(ctx, l.read, scanPlan, `SELECT `+planColumns+` FROM plans WHERE `+strings.Join(where, " AND ")+
		` ORDER BY number DESC LIMIT `+s.arg(f.Limit+1), s.args...)
	if err != nil {
		return nil, "", fmt.Errorf("list plans: %w", err)
	}
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		next = strconv.FormatInt(rows[f.Limit-1].Number, 10)
	}
	if list, err = l.withApprovals(ctx, l.read, rows); err != nil {
		return nil, "", fmt.Errorf("list plans: %w", err)
	}
	return list, next, nil
}

// FindingPlans lists the plans that are about a finding, the newest first; limit
// 0 is 50.
func (l *Ledger) FindingPlans(ctx context.Context, finding string, limit int) ([]*reconciler.Plan, error) {
	list, _, err := l.Plans(ctx, PlanFilter{Finding: finding, Limit: limit})
	return list, err
}

// attestFix writes the entry of an act on a plan: of whoever attempted it, and of
// Plumbline where nobody did.
func (tx *Tx) attestFix(ctx context.Context, action string, p *reconciler.Plan, detail string) error {
	return tx.attestOr(ctx, action, "fix "+p.ID, undoWords(p)+detail)
}

// undoWords say what a plan takes back, where it does.
func undoWords(p *reconciler.Plan) string {
	if p.Undoes == "" {
		return ""
	}
	return "takes back " + p.Undoes + ": "
}
