package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"plumbline/reconciler"
)

func scanFreeze(rows *sql.Rows) (f reconciler.Freeze, err error) {
	var at int64
	err = rows.Scan(&f.Check, &f.By, &f.Reason, &at)
	f.At = timeOf(at)
	return f, err
}

// frozen is what freezes a check's fixes: its own freeze, or that of all; nil for none.
func frozen(ctx context.Context, from querier, check string) (*reconciler.Freeze, error) {
	list, err := collect(ctx, from, scanFreeze, `SELECT check_name, actor, reason, at FROM freezes WHERE check_name = $1 OR check_name = '' ORDER BY check_name DESC`, check)
	if err != nil {
		return nil, fmt.Errorf("look whether fixes are frozen: %w", err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return &list[0], nil
}

// thawed is reconciler.ErrFrozen where fixes of a check are frozen.
func (tx *Tx) thawed(ctx context.Context, check string) error {
	f, err := frozen(ctx, tx.sql, check)
	if err == nil && f != nil {
		err = reconciler.ErrFrozen
	}
	return err
}

// freezeWords say what is frozen, by whom and why.
func freezeWords(f *reconciler.Freeze) string {
	words := "fixes are frozen"
	if f.Check != "" {
		words = "fixes of " + f.Check + " are frozen"
	}
	words += ", by " + f.By
	if f.Reason != "" {
		words += ": " + f.Reason
	}
	return words
}

// freezeObject is what the audit log calls a check, or all of them.
func freezeObject(check string) string {
	if check == "" {
		return "all checks"
	}
	return "check " + check
}

// FreezeFixes has nothing be fixed of a check, or of any where Check is "", until
// somebody unfreezes it. What is being written at this moment is still written. A
// freeze that holds already stays as it is.
// *NotFoundError where there is no such check.
func (l *Ledger) FreezeFixes(ctx context.Context, f reconciler.Freeze) error {
	if f.At.IsZero() {
		f.At = l.now()
	}
	f.Check, f.By, f.Reason = text(f.Check), text(f.By), text(f.Reason)
	err := l.InTx(ctx, func(tx *Tx) error {
		if err := tx.knownCheck(ctx, f.Check); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `INSERT INTO freezes (check_name, actor, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT (check_name) DO NOTHING`,
			f.Check, f.By, f.Reason, millis(f.At))
		if err != nil || n == 0 {
			return err
		}
		if err := tx.fixesStand(ctx, f.Check); err != nil {
			return err
		}
		return tx.attestOr(ctx, "freeze fixes", freezeObject(f.Check), f.Reason)
	})
	if err != nil {
		return fmt.Errorf("freeze fixes: %w", err)
	}
	return nil
}

// UnfreezeFixes takes a freeze back, that of all where check is "": a check's own
// stays then. Where there is none nothing changes. *NotFoundError.
func (l *Ledger) UnfreezeFixes(ctx context.Context, check string) error {
	return l.lift(ctx, "unfreeze fixes", `DELETE FROM freezes WHERE check_name = $1`, text(check))
}

// Freezes lists what is frozen, that of all first.
func (l *Ledger) Freezes(ctx context.Context) ([]reconciler.Freeze, error) {
	list, err := collect(ctx, l.read, scanFreeze, `SELECT check_name, actor, reason, at FROM freezes ORDER BY check_name`)
	if err != nil {
		return nil, fmt.Errorf("list what is frozen: %w", err)
	}
	return list, nil
}

// PauseFixes has Plumbline fix nothing of a check by itself, until somebody
// resumes it. A pause that holds already stays as it is.
func (l *Ledger) PauseFixes(ctx context.Context, p reconciler.Pause) error {
	if p.At.IsZero() {
		p.At = l.now()
	}
	p.Check, p.Reason = text(p.Check), text(p.Reason)
	err := l.InTx(ctx, func(tx *Tx) error {
		if err := tx.knownCheck(ctx, p.Check); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `INSERT INTO fix_pauses (check_name, reason, at) VALUES ($1, $2, $3) ON CONFLICT (check_name) DO NOTHING`,
			p.Check, p.Reason, millis(p.At))
		if err != nil || n == 0 {
			return err
		}
		if err := tx.fixesStand(ctx, p.Check); err != nil {
			return err
		}
		return tx.attestOwn(ctx, "pause fixes", freezeObject(p.Check), p.Reason)
	})
	if err != nil {
		return fmt.Errorf("pause fixes of %s: %w", p.Check, err)
	}
	return nil
}

// ResumeFixes lets Plumbline fix by itself again what is of a check. Where that is
// not paused nothing changes. *NotFoundError.
func (l *Ledger) ResumeFixes(ctx context.Context, check string) error {
	return l.lift(ctx, "resume fixes", `DELETE FROM fix_pauses WHERE check_name = $1`, text(check))
}

// Pauses lists the checks whose fixes are paused.
func (l *Ledger) Pauses(ctx context.Context) ([]reconciler.Pause, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (p reconciler.Pause, err error) {
		var at int64
		err = rows.Scan(&p.Check, &p.Reason, &at)
		p.At = timeOf(at)
		return p, err
	}, `SELECT check_name, reason, at FROM fix_pauses ORDER BY check_name`)
	if err != nil {
		return nil, fmt.Errorf("list whose fixes are paused: %w", err)
	}
	return list, nil
}

// lift takes back what keeps fixes from being made.
func (l *Ledger) lift(ctx context.Context, action, statement, check string) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, statement, check)
		if err != nil {
			return err
		}
		if n == 0 {
			return tx.knownCheck(ctx, check)
		}
		if err := tx.fixesStand(ctx, check); err != nil {
			return err
		}
		return tx.attestOr(ctx, action, freezeObject(check), "")
	})
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

// knownCheck is a *NotFoundError where no check of that name is known; "" is all.
func (tx *Tx) knownCheck(ctx context.Context, check string) error {
	if check == "" {
		return nil
	}
	var edges int64
	err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM edges WHERE check_name = $1`, check).Scan(&edges)
	if err == nil && edges == 0 {
		return &NotFoundError{What: "check", Name: check}
	}
	return err
}

// fixesStand marks the checks of which it changed how fixes stand: one, or all.
func (tx *Tx) fixesStand(ctx context.Context, check string) error {
	tx.tell(Change{Topic: "fix", Check: check})
	if check != "" {
		tx.mark(check)
		return nil
	}
	all, err := collect(ctx, tx.sql, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) },
		`SELECT DISTINCT check_name FROM edges WHERE declared`)
	for _, name := range all {
		tx.mark(name)
	}
	return err
}
