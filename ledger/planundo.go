package ledger

import (
	"context"
	"fmt"
	"slices"

	"plumbline/reconciler"
)

// toUndo notes with a plan that another is to take it back. One that is being
// taken back already, or of which there is nothing to take back, is refused.
func (tx *Tx) toUndo(ctx context.Context, undo *reconciler.Plan) error {
	of, err := tx.lockPlan(ctx, undo.Undoes)
	if err != nil {
		return err
	}
	if _, ok := reconciler.Next(of.State, reconciler.EventUndo); !ok {
		return impossible(&of.Plan, "there is nothing to take back")
	}
	if of.Undoes != "" {
		return &reconciler.Refusal{Plan: of.ID, Why: "it took " + of.Undoes + " back itself", Next: "Draft a new plan to put it right again."}
	}
	if of.UndoneBy != "" {
		other, err := planBy(ctx, tx.sql, of.UndoneBy)
		if err != nil {
			return err
		}
		if other.State.Live() {
			return &reconciler.Refusal{Plan: of.ID, Why: fmt.Sprintf("%s is to take it back, and is %s", other.ID, other.State), Next: "Go on with " + other.ID + ", or withdraw it."}
		}
	}
	of.UndoneBy = undo.ID
	return tx.savePlan(ctx, of)
}

// undoIsOver frees the plan that an undo would have taken back, where the undo
// took nothing back: it is left to the undo before, if one took something.
func (tx *Tx) undoIsOver(ctx context.Context, undo *planRow) error {
	if undo.Undoes == "" {
		return nil
	}
	of, err := tx.lockPlan(ctx, undo.Undoes)
	if err != nil || of.UndoneBy != undo.ID {
		return err
	}
	of.UndoneBy = ""
	err = tx.sql.QueryRowContext(ctx, `SELECT p.id FROM plans p WHERE p.undoes = $1 AND EXISTS (SELECT 1 FROM plan_items u WHERE u.plan = p.id
		AND u.state IN ('applied', 'verified')) ORDER BY p.number DESC LIMIT 1`, of.ID).Scan(&of.UndoneBy)
	if err != nil && !nothing(err) {
		return fmt.Errorf("look what took %s back: %w", of.ID, err)
	}
	return tx.savePlan(ctx, of)
}

// takenBack draws what an undo that has ended means for the plan that it takes
// back: all of that was, or some, or nothing. The findings of what was taken back
// are being fixed no more.
func (l *Ledger) takenBack(ctx context.Context, tx *Tx, undo *planRow) error {
	if undo.Undoes == "" {
		return nil
	}
	const back = `SELECT u.finding FROM plan_items u JOIN plans p ON p.id = u.plan WHERE p.undoes = $1 AND u.state IN ('applied', 'verified')`
	findings, err := itemFindings(ctx, tx.sql, `SELECT finding FROM plan_items WHERE plan = $1 AND state IN ('applied', 'verified') ORDER BY finding`, undo.ID)
	if err != nil {
		return err
	}
	if len(findings) == 0 {
		return tx.undoIsOver(ctx, undo)
	}
	of, err := tx.lockPlan(ctx, undo.Undoes)
	if err != nil {
		return err
	}
	held, err := itemFindings(ctx, tx.sql, `SELECT finding FROM plan_items WHERE plan = $1 AND fixing AND finding IN (`+back+`)`, undo.Undoes)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		if _, err := tx.exec(ctx, `UPDATE plan_items SET fixing = FALSE WHERE plan = $1 AND finding IN (`+back+`)`, undo.Undoes); err != nil {
			return err
		}
		slices.Sort(held)
		if err := l.giveBack(ctx, tx, held, undo.ID+": taken back"); err != nil {
			return err
		}
	}
	var left int64
	err = tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM plan_items WHERE plan = $1 AND state IN ('applied', 'verified', 'sent') AND finding NOT IN (`+back+`)`,
		undo.Undoes).Scan(&left)
	if err != nil {
		return fmt.Errorf("count what is left of %s: %w", of.ID, err)
	}
	to, ok := reconciler.Next(of.State, reconciler.EventUndo)
	if of.UndoneBy = undo.ID; left > 0 || !ok {
		return tx.savePlan(ctx, of)
	}
	return tx.end(ctx, of, to, "taken back by "+undo.ID)
}
