package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"plumbline/alerts"
)

const selectMute = `SELECT check_name, until_at, above, actor, reason, muted_at FROM mutes`

func scanMute(rows *sql.Rows) (*alerts.Mute, error) {
	m := &alerts.Mute{}
	var until, at int64
	err := rows.Scan(&m.Check, &until, &m.Above, &m.Actor, &m.Reason, &at)
	m.Until, m.At = timeOf(until), timeOf(at)
	return m, err
}

// muteOf is the mute of a check; nil for none.
func muteOf(ctx context.Context, from querier, check string) (*alerts.Mute, error) {
	list, err := collect(ctx, from, scanMute, selectMute+` WHERE check_name = $1`, check)
	if err != nil {
		return nil, fmt.Errorf("read the mute of %s: %w", check, err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return list[0], nil
}

// Mutes are the mutes that hold, by check.
func (l *Ledger) Mutes(ctx context.Context) (map[string]*alerts.Mute, error) {
	list, err := collect(ctx, l.read, scanMute, selectMute+` WHERE until_at = 0 OR until_at > $1`, millis(l.now()))
	if err != nil {
		return nil, fmt.Errorf("list mutes: %w", err)
	}
	mutes := make(map[string]*alerts.Mute, len(list))
	for _, m := range list {
		mutes[m.Check] = m
	}
	return mutes, nil
}

// MuteCheck keeps a check quiet, in place of a mute that holds already. At, where
// it is zero, is now. *NotFoundError.
func (l *Ledger) MuteCheck(ctx context.Context, m alerts.Mute) error {
	if m.At.IsZero() {
		m.At = l.now()
	}
	m.Check, m.Actor, m.Reason = text(m.Check), text(m.Actor), text(m.Reason)
	err := l.InTx(ctx, func(tx *Tx) error {
		var edges int64
		if err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM edges WHERE check_name = $1 AND declared`, m.Check).Scan(&edges); err != nil {
			return err
		}
		if edges == 0 {
			return &NotFoundError{What: "check", Name: m.Check}
		}
		if err := tx.holdIncidents(ctx, m.Check); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `INSERT INTO mutes (check_name, until_at, above, actor, reason, muted_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (check_name) DO UPDATE SET until_at = excluded.until_at, above = excluded.above, actor = excluded.actor,
				reason = excluded.reason, muted_at = excluded.muted_at`, m.Check, millis(m.Until), m.Above, m.Actor, m.Reason, millis(m.At))
		if err != nil {
			return err
		}
		words := muteWords(&m)
		if err := tx.attest(ctx, "mute check", "check "+m.Check, words); err != nil {
			return err
		}
		return l.quiet(ctx, tx, m.Check, alerts.WasMuted, m.Actor, words)
	})
	if err != nil {
		return fmt.Errorf("mute %s: %w", m.Check, err)
	}
	return nil
}

// Counted is how many findings of a check a mute until it grows begins with:
// those that are not accepted as known, kept or not.
func (l *Ledger) Counted(ctx context.Context, check string) (int64, error) {
	all, err := situations(ctx, l.read, check, l.now())
	if err != nil || all[check] == nil {
		return 0, err
	}
	facts := all[check].facts(alerts.Drift, &alerts.Policy{Check: check}, &mark{}, l.now())
	return facts.Extent(), nil
}

// muteWords say until when, and why.
func muteWords(m *alerts.Mute) string {
	words := ""
	switch {
	case !m.Until.IsZero() && m.Above > 0:
		words = fmt.Sprintf("until %s, or until more than %d findings are counted", m.Until.UTC().Format("2006-01-02 15:04 UTC"), m.Above)
	case !m.Until.IsZero():
		words = "until " + m.Until.UTC().Format("2006-01-02 15:04 UTC")
	case m.Above > 0:
		words = fmt.Sprintf("until more than %d findings are counted", m.Above)
	default:
		words = "until it is unmuted"
	}
	if m.Reason != "" {
		words += ": " + m.Reason
	}
	return words
}

// UnmuteCheck lifts a mute; where there is none nothing changes. *NotFoundError
// where there is no such check.
func (l *Ledger) UnmuteCheck(ctx context.Context, check, actor string) error {
	check = text(check)
	err := l.InTx(ctx, func(tx *Tx) error {
		if err := tx.holdIncidents(ctx, check); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `DELETE FROM mutes WHERE check_name = $1`, check)
		if err != nil {
			return err
		}
		if n == 0 {
			var edges int64
			err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM edges WHERE check_name = $1`, check).Scan(&edges)
			if err == nil && edges == 0 {
				return &NotFoundError{What: "check", Name: check}
			}
			return err
		}
		if err := tx.attest(ctx, "unmute check", "check "+check, ""); err != nil {
			return err
		}
		return l.quiet(ctx, tx, check, alerts.WasUnmuted, text(actor), "")
	})
	if err != nil {
		return fmt.Errorf("unmute %s: %w", check, err)
	}
	return nil
}

// quiet notes with a check's open incidents that it was muted, or unmuted.
func (l *Ledger) quiet(ctx context.Context, tx *Tx, check string, event alerts.Event, actor, note string) error {
	tx.tell(Change{Topic: "incident", Check: check})
	open, err := collect(ctx, tx.sql, scanIncident, selectIncident+` WHERE check_name = $1 AND state <> 'resolved' ORDER BY number`, check)
	if err != nil {
		return fmt.Errorf("read the incidents of %s: %w", check, err)
	}
	for _, i := range open {
		after, news := i.Quiet(event, actor, note, timeOf(millis(l.now())))
		if err := l.keepActed(ctx, tx, i, after, news); err != nil {
			return err
		}
	}
	return nil
}
