package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash"
	"strconv"
	"time"

	"plumbline/reconciler"
)

// sealOf seals parts, each with its length, so that no two lists are sealed alike.
type sealOf struct{ mac hash.Hash }

func (l *Ledger) newSeal(of string) sealOf {
	s := sealOf{hmac.New(sha256.New, l.auditKey)}
	s.text(of)
	return s
}

func (s sealOf) text(parts ...string) {
	for _, p := range parts {
		s.mac.Write(binary.AppendUvarint(nil, uint64(len(p))))
		s.mac.Write([]byte(p))
	}
}

func (s sealOf) number(parts ...int64) {
	for _, n := range parts {
		s.text(strconv.FormatInt(n, 10))
	}
}

// planSeal begins the seal of all of a plan that never changes; those of its
// items follow, in order.
func (l *Ledger) planSeal(p *planRow) sealOf {
	s := l.newSeal("plumbline plan 1")
	s.text(p.ID, p.Check, p.Replica, string(p.By), p.Undoes, p.Hash, p.CheckHash, p.Choice, p.DraftedBy.Account, p.DraftedBy.Name, p.kinds, p.leftOut, p.checked,
		strconv.FormatBool(p.Auto), strconv.FormatBool(p.StopOnError))
	s.number(p.Number, millis(p.DraftedAt), int64(p.Needs))
	return s
}

// item adds all of an item that never changes.
func (s sealOf) item(i *itemRow, content []byte) {
	s.number(int64(i.N))
	s.text(i.Finding, string(i.Kind), i.Hash, string(content), i.KeyText, i.fields, i.Statement)
}

// approvalSeal is the seal of an approval.
func (l *Ledger) approvalSeal(plan string, a *reconciler.Approval) []byte {
	s := l.newSeal("plumbline approval 1")
	s.text(plan, a.By.Account, a.By.Name, a.Hash)
	s.number(millis(a.At))
	return s.mac.Sum(nil)
}

// given are the approvals that count: of this plan and its hash, and written by us.
func (l *Ledger) given(p *planRow, all []approvalRow) (list []reconciler.Approval) {
	for i := range all {
		a := &all[i]
		if a.plan == p.ID && a.Hash == p.Hash && hmac.Equal(a.seal, l.approvalSeal(p.ID, &a.Approval)) {
			list = append(list, a.Approval)
		}
	}
	return list
}

// enough says whether approvals that count are as many as a plan needs, of
// different people, or the configuration's own for a plan of Plumbline's; and
// since when.
func enough(p *reconciler.Plan, given []reconciler.Approval) (at time.Time, ok bool) {
	people := map[reconciler.Person]bool{}
	for _, a := range given {
		if a.By == ByConfiguration() {
			if p.Auto {
				return a.At, true
			}
			continue
		}
		who := a.By
		if who.Account != "" {
			who.Name = "" // whatever they were called at the time
		}
		if people[who] = true; at.Before(a.At) {
			at = a.At
		}
	}
	return at, len(people) >= max(p.Needs, 1)
}

// errTampered is a plan that is not what was drafted.
func errTampered(plan string) *reconciler.Refusal {
	return &reconciler.Refusal{Plan: plan, Why: "it is not what was drafted: its rows in the ledger were changed by other hands, or the key that seals them was",
		Next: "Find out who writes to the ledger, and draft the plan again."}
}

// verify reads all items of a plan and says whether they, and the plan, are what
// was drafted: every item's hash is that of its content, the plan's that of its
// items, and the seal holds. hashes are in order. *reconciler.Refusal.
func (l *Ledger) verify(ctx context.Context, tx *Tx, p *planRow) (hashes []string, err error) {
	seal := l.planSeal(p)
	n, broken := 0, false
	_, err = collect(ctx, tx.sql, func(rows *sql.Rows) (none struct{}, err error) {
		i, err := scanItem(rows)
		if err != nil {
			return none, err
		}
		content, err := tx.keys.open(i.content)
		if err != nil || takeContent(&i.Item, content) != nil {
			broken = true
			return none, nil
		}
		n++
		broken = broken || i.N != n || i.Hash != p.itemHash(&i.Item)
		hashes = append(hashes, i.Hash)
		seal.item(i, content)
		return none, nil
	}, `SELECT `+itemColumns+` FROM plan_items WHERE plan = $1 ORDER BY n`, p.ID)
	if err != nil {
		return nil, fmt.Errorf("read the items of %s: %w", p.ID, err)
	}
	if broken || n == 0 || reconciler.PlanHash(hashes) != p.Hash || !hmac.Equal(seal.mac.Sum(nil), p.seal) {
		return nil, errTampered(p.ID)
	}
	return hashes, nil
}

func (p *planRow) itemHash(i *reconciler.Item) string {
	return reconciler.ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, i)
}
