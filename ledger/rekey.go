package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"plumbline/sources"
)

// rekeyed is the setting that says that what is known of a ledger's records is
// found by keyed hashes, and that their keys are encrypted.
const rekeyed = "keyed identities"

// rekeyBatch is how many rows one transaction takes.
const rekeyBatch = 500

// rekey brings a ledger up that an earlier version wrote, in which a finding was
// found by a hash that anybody could compute, and keys lay in clear. It may be
// ended anywhere and done again. Findings keep the ids by which people know them.
func (l *Ledger) rekey(ctx context.Context) error {
	var done string
	err := l.write.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, rekeyed).Scan(&done)
	if err == nil || !nothing(err) {
		return err
	}
	for after := ""; ; {
		rows, err := l.rekeyFindings(ctx, after)
		if err != nil {
			return fmt.Errorf("rekey findings: %w", err)
		}
		if len(rows) == 0 {
			break
		}
		after = rows[len(rows)-1].id
	}
	if err := l.rekeySuspects(ctx); err != nil {
		return fmt.Errorf("rekey suspects: %w", err)
	}
	if _, err := l.write.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ($1, 'yes') ON CONFLICT (name) DO NOTHING`, rekeyed); err != nil {
		return fmt.Errorf("note that the ledger is rekeyed: %w", err)
	}
	return nil
}

// oldRow is a finding or a suspect as it was kept.
type oldRow struct {
	id             string
	ident          []byte
	duplicate      bool
	check, replica string
	key, copyID    []sources.Value
}

func (l *Ledger) rekeyFindings(ctx context.Context, after string) (rows []oldRow, err error) {
	rows, err = collect(ctx, l.read, func(row *sql.Rows) (r oldRow, err error) {
		var key, copyID []byte
		if err := row.Scan(&r.id, &r.check, &r.replica, &key, &copyID); err != nil {
			return r, err
		}
		return r, l.readOld(&r, key, copyID)
	}, `SELECT id, check_name, replica, record_key, copy_id FROM findings WHERE id > $1 ORDER BY id LIMIT $2`, after, rekeyBatch)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows, l.InTx(ctx, func(tx *Tx) error {
		for i := range rows {
			r := &rows[i]
			who := identOf(l.masker, r.check, r.replica, r.key, r.copyID)
			if _, err := tx.exec(ctx, `UPDATE findings SET ident = $1, record_key = $2, copy_id = $3
				WHERE id = $4 AND NOT EXISTS (SELECT 1 FROM findings other WHERE other.ident = $1 AND other.id <> $4)`,
				who[:], l.keys.encodeKey(r.key), l.keys.encodeKey(r.copyID), r.id); err != nil {
				return err
			}
		}
		return nil
	})
}

// rekeySuspects takes all at once: they wait for a few minutes at most, so there
// are few, and a row that was changed cannot be told from one that was not.
func (l *Ledger) rekeySuspects(ctx context.Context) error {
	return l.InTx(ctx, func(tx *Tx) error {
		rows, err := collect(ctx, tx.sql, func(row *sql.Rows) (r oldRow, err error) {
			var key, copyID []byte
			if err := row.Scan(&r.ident, &r.duplicate, &r.check, &r.replica, &key, &copyID); err != nil {
				return r, err
			}
			return r, l.readOld(&r, key, copyID)
		}, `SELECT ident, duplicate, check_name, replica, record_key, copy_id FROM suspects`)
		if err != nil {
			return err
		}
		for _, r := range rows {
			who := identOf(l.masker, r.check, r.replica, r.key, r.copyID)
			if _, err := tx.exec(ctx, `UPDATE suspects SET ident = $1, record_key = $2, copy_id = $3 WHERE ident = $4 AND duplicate = $5`,
				who[:], l.keys.encodeKey(r.key), l.keys.encodeKey(r.copyID), r.ident, r.duplicate); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Ledger) readOld(r *oldRow, key, copyID []byte) (err error) {
	if r.key, err = l.keys.decodeKey(key); err != nil {
		return err
	}
	r.copyID, err = l.keys.decodeKey(copyID)
	return err
}
