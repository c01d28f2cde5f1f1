package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"

	"plumbline/access"
)

// sealBatch is how many entries one transaction seals.
const sealBatch = 500

const entryColumns = `id, COALESCE(number, 0), at, actor, account, role, via, address, action, object, outcome, detail, seal`

func scanEntryOfLog(rows *sql.Rows) (e access.Entry, err error) {
	var at int64
	err = rows.Scan(&e.ID, &e.Number, &at, &e.Actor, &e.Account, &e.Role, &e.Via, &e.Address, &e.Action, &e.Object, &e.Outcome, &e.Detail, &e.Seal)
	e.At = timeOf(at)
	return e, err
}

// SealAudit numbers the entries that are not sealed yet, in the order in which
// they were made, and seals them onto the chain. Any number of processes may do
// so at once: each entry is sealed by one of them. It returns how many this one
// sealed, and where the chain ends. *WrongAuditKeyError where the log was sealed
// with another key so far.
func (l *Ledger) SealAudit(ctx context.Context) (sealed int, head access.Head, err error) {
	var waits bool // most of the time nothing does, and then nothing is written
	if err := l.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM audit WHERE number IS NULL)`).Scan(&waits); err != nil {
		return 0, head, fmt.Errorf("look for entries of the audit log without a seal: %w", err)
	}
	if !waits {
		head, err = auditHead(ctx, l.read)
		return 0, head, err
	}
	for {
		var n int
		err := l.InTx(ctx, func(tx *Tx) (err error) {
			n, head, err = tx.sealSome(ctx, l.auditKey)
			return err
		})
		if err != nil {
			return sealed, access.Head{}, fmt.Errorf("seal the audit log: %w", err)
		}
		if sealed += n; n < sealBatch {
			return sealed, head, nil
		}
	}
}

func (tx *Tx) sealSome(ctx context.Context, key []byte) (n int, head access.Head, err error) {
	// The head is the lock: of two that seal at once, the second sees the first's.
	if _, err := tx.exec(ctx, `UPDATE settings SET value = value WHERE name = 'audit head'`); err != nil {
		return 0, head, err
	}
	if head, err = auditHead(ctx, tx.sql); err != nil {
		return 0, head, err
	}
	entries, err := collect(ctx, tx.sql, scanEntryOfLog, `SELECT `+entryColumns+` FROM audit WHERE number IS NULL ORDER BY at, id LIMIT $1`, sealBatch)
	if err != nil || len(entries) == 0 {
		return 0, head, err
	}
	if err := tx.sealsWith(ctx, key); err != nil {
		return 0, head, err
	}
	for i := range entries {
		e := &entries[i]
		e.Number = head.Number + 1
		head = access.Head{Number: e.Number, Seal: access.Link(key, head.Seal, e)}
		if _, err := tx.exec(ctx, `UPDATE audit SET number = $1, seal = $2 WHERE id = $3`, head.Number, head.Seal, e.ID); err != nil {
			return 0, head, err
		}
	}
	_, err = tx.exec(ctx, `UPDATE settings SET value = $1 WHERE name = 'audit head'`, head.String())
	return len(entries), head, err
}

// auditKeyMark tells the key of the log from others, and nothing else of it.
func auditKeyMark(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("plumbline audit key"))
	return hex.EncodeToString(mac.Sum(nil))
}

// sealsWith sees to it that one key seals the whole log: nobody could verify one
// that two have sealed. The first that seals is the log's. *WrongAuditKeyError.
func (tx *Tx) sealsWith(ctx context.Context, key []byte) error {
	if _, err := tx.exec(ctx, `INSERT INTO settings (name, value) VALUES ('audit key mark', $1) ON CONFLICT (name) DO NOTHING`, auditKeyMark(key)); err != nil {
		return err
	}
	return auditKeyIs(ctx, tx.sql, key)
}

// auditKeyIs says whether the log was sealed with a key, as far as it was sealed.
func auditKeyIs(ctx context.Context, from querier, key []byte) error {
	var mark string
	err := from.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = 'audit key mark'`).Scan(&mark)
	switch {
	case nothing(err):
		return nil
	case err != nil:
		return fmt.Errorf("read the mark of the audit log's key: %w", err)
	case mark != auditKeyMark(key):
		return &WrongAuditKeyError{}
	}
	return nil
}

// auditHead is where the chain ends, as the sealer kept it.
func auditHead(ctx context.Context, from querier) (head access.Head, err error) {
	var kept string
	if err := from.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = 'audit head'`).Scan(&kept); err != nil {
		return head, fmt.Errorf("read the head of the audit log: %w", err)
	}
	if kept == "" {
		return head, nil
	}
	if head, err = access.ParseHead(kept); err != nil {
		return head, fmt.Errorf("read the head of the audit log: %w", err)
	}
	return head, nil
}

// WalkAudit hands the sealed entries on, in the order of the chain.
func (l *Ledger) WalkAudit(ctx context.Context, do func(*access.Entry) error) error {
	for last := int64(0); ; {
		page, err := collect(ctx, l.read, scanEntryOfLog, `SELECT `+entryColumns+` FROM audit WHERE number > $1 ORDER BY number LIMIT $2`, last, sealBatch)
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		for i := range page {
			if err := do(&page[i]); err != nil {
				return err
			}
			last = page[i].Number
		}
		if len(page) < sealBatch {
			return nil
		}
	}
}

// VerifyAudit follows the chain from its first entry. Where it is not as it was
// written the error is an *access.BrokenError: an entry was changed, moved or
// removed, or the log does not reach the head that the sealer kept, or want,
// which may be nil. unsealed is how many entries wait for the sealer. Without the
// log's own key nothing can be said of it: *WrongAuditKeyError.
func (l *Ledger) VerifyAudit(ctx context.Context, want *access.Head) (head access.Head, unsealed int64, err error) {
	if err := l.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit WHERE number IS NULL`).Scan(&unsealed); err != nil {
		return head, 0, fmt.Errorf("read the audit log: %w", err)
	}
	if err := auditKeyIs(ctx, l.read, l.auditKey); err != nil {
		return head, unsealed, err
	}
	kept, err := auditHead(ctx, l.read)
	if err != nil {
		return head, unsealed, err
	}
	v := access.NewVerifier(l.auditKey, want)
	err = l.WalkAudit(ctx, func(e *access.Entry) error {
		if err := v.Next(e); err != nil {
			return err
		}
		if e.Number == kept.Number && !hmac.Equal(e.Seal, kept.Seal) {
			return &access.BrokenError{Number: e.Number, Why: "has another seal than the ledger's own head: the log was written anew"}
		}
		return nil
	})
	var cut error
	head, cut = v.End()
	switch {
	case err != nil:
		return head, unsealed, err
	case cut != nil:
		return head, unsealed, cut
	case head.Number < kept.Number:
		return head, unsealed, &access.BrokenError{Number: head.Number + 1,
			Why: fmt.Sprintf("and all after it to %d are missing: the log was cut off", kept.Number)}
	case head.Number == kept.Number:
		return head, unsealed, nil
	}
	// More was sealed while we read: the head must have moved along.
	if kept, err = auditHead(ctx, l.read); err == nil && kept.Number < head.Number {
		err = &access.BrokenError{Number: kept.Number + 1, Why: "lies behind the ledger's own head: the head was set back"}
	}
	return head, unsealed, err
}

// AuditFilter chooses entries; what is empty is any.
type AuditFilter struct {
	Actor, Action, Object, Outcome string
	After                          string // the cursor that the page before returned
	Limit                          int    // 0 is 50
}

// AuditEntries lists entries, the newest first, sealed or not. next is the cursor
// of the following page, "" at the end.
func (l *Ledger) AuditEntries(ctx context.Context, f AuditFilter) (list []access.Entry, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	s := &statement{}
	var where []string
	for _, c := range []struct{ column, value string }{{"actor", f.Actor}, {"action", f.Action}, {"object", f.Object}, {"outcome", f.Outcome}} {
		if c.value != "" {
			where = append(where, c.column+" = "+s.arg(text(c.value)))
		}
	}
	if f.After != "" {
		after, err := cursor(f.After)
		if err != nil {
			return nil, "", err
		}
		where = append(where, "(at, id) < ("+s.arg(after.at)+", "+s.arg(after.id)+")")
	}
	asked := `SELECT ` + entryColumns + ` FROM audit`
	if len(where) > 0 {
		asked += " WHERE " + strings.Join(where, " AND ")
	}
	list, err = collect(ctx, l.read, scanEntryOfLog, asked+` ORDER BY at DESC, id DESC LIMIT `+s.arg(f.Limit+1), s.args...)
	if err != nil {
		return nil, "", fmt.Errorf("list the audit log: %w", err)
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		last := list[f.Limit-1]
		next = fmt.Sprintf("%d.%s", millis(last.At), last.ID)
	}
	return list, next, nil
}
