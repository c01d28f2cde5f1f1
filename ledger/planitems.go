package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"plumbline/reconciler"
)

const itemColumns = `plan, n, finding, kind, hash, content, key_text, fields, statement, state, note, now_fields, until_at, held_until, worker, term,
	ended_at, fixing`

// itemColumnCount is how many columns itemColumns names.
const itemColumnCount = 18

// itemRow is an item as it is kept.
type itemRow struct {
	reconciler.Item
	content []byte // encrypted
	fields  string // the column as it is, which the plan's seal covers
	held    int64
	worker  string
	fixing  bool
}

func scanItem(rows *sql.Rows) (*itemRow, error) {
	i := &itemRow{}
	var now string
	var until, ended int64
	err := rows.Scan(&i.Plan, &i.N, &i.Finding, &i.Kind, &i.Hash, &i.content, &i.KeyText, &i.fields, &i.Statement, &i.State, &i.Note, &now, &until, &i.held,
		&i.worker, &i.Term, &ended, &i.fixing)
	if err != nil {
		return nil, err
	}
	i.Until, i.EndedAt = timeOf(until), timeOf(ended)
	if err := undocument(i.fields, &i.Fields); err != nil {
		return nil, err
	}
	return i, undocument(now, &i.Now)
}

// ItemFilter chooses items of a plan.
type ItemFilter struct {
	State reconciler.ItemState // "" is any
	After int                  // the last item of the page before
	Limit int                  // 0 is all
	// Content has keys, images and requests read too, which are kept encrypted.
	// Those of a plan that ended long ago were pruned, and are nil.
	Content bool
}

// PlanItems lists items of a plan in its order.
func (l *Ledger) PlanItems(ctx context.Context, plan string, f ItemFilter) ([]reconciler.Item, error) {
	s := &statement{}
	where := "plan = " + s.arg(text(plan)) + " AND n > " + s.arg(f.After)
	if f.State != "" {
		where += " AND state = " + s.arg(string(f.State))
	}
	limit := ""
	if f.Limit > 0 {
		limit = " LIMIT " + s.arg(f.Limit)
	}
	columns := itemColumns
	if !f.Content {
		columns = strings.Replace(columns, " content,", " NULL,", 1)
	}
	items, err := collect(ctx, l.read, func(rows *sql.Rows) (reconciler.Item, error) {
		i, err := scanItem(rows)
		if err != nil {
			return reconciler.Item{}, err
		}
		if f.Content {
			err = l.keys.take(i)
		}
		return i.Item, err
	}, `SELECT `+columns+` FROM plan_items WHERE `+where+` ORDER BY n`+limit, s.args...)
	if err != nil {
		return nil, fmt.Errorf("read the items of %s: %w", plan, err)
	}
	return items, nil
}

// take decrypts an item's content, where it has any still.
func (k *keyring) take(i *itemRow) error {
	if len(i.content) == 0 {
		return nil
	}
	content, err := k.open(i.content)
	if err == nil {
		err = takeContent(&i.Item, content)
	}
	if err != nil {
		return fmt.Errorf("read item %d of %s: %w", i.N, i.Plan, err)
	}
	return nil
}

// insertItems keeps the items of a new plan, and adds them to its seal.
func (tx *Tx) insertItems(ctx context.Context, items []reconciler.Item, seal sealOf) error {
	rows := make([]itemRow, len(items))
	for n := range items {
		row := &rows[n]
		row.Item = items[n]
		row.KeyText, row.Statement = text(row.KeyText), text(row.Statement)
		content, err := contentOf(&row.Item)
		if err != nil {
			return err
		}
		if row.fields, err = document(row.Fields); err != nil {
			return err
		}
		row.content = tx.keys.seal(content)
		seal.item(row, content)
	}
	return chunks(rows, itemColumnCount, func(some []itemRow) error {
		args := make([]any, 0, len(some)*itemColumnCount)
		for n := range some {
			i := &some[n]
			now, err := nowFields(&i.Item)
			if err != nil {
				return err
			}
			args = append(args, i.Plan, i.N, i.Finding, string(i.Kind), i.Hash, i.content, i.KeyText, i.fields, i.Statement, string(i.State), text(i.Note),
				now, 0, 0, "", 0, millis(i.EndedAt), false)
		}
		_, err := tx.exec(ctx, `INSERT INTO plan_items (`+itemColumns+`) VALUES `+placeholders(1, len(some), itemColumnCount), args...)
		return err
	})
}

// nowFields is what an item's record holds now, as it is kept; "" for nothing.
func nowFields(i *reconciler.Item) (string, error) {
	if i.Now == nil {
		return "", nil
	}
	return document(i.Now)
}
