package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"plumbline/access"
	"plumbline/drift"
)

// Bounds of what an entry keeps of an action's object and detail, in characters.
const (
	longestObject = 200
	longestDetail = 1000
)

// Attest writes the entry of an attempt that nobody recorded, in a transaction of
// its own.
func (l *Ledger) Attest(ctx context.Context, a *access.Attempt, outcome access.Outcome) error {
	err := l.InTx(ctx, func(tx *Tx) error { return tx.enter(ctx, a, access.EntryOf(a, tx.now(), outcome)) })
	if err != nil {
		return fmt.Errorf("write to the audit log: %w", err)
	}
	return nil
}

// attest writes the entry of the attempt that ctx carries, along with what was
// done; where it carries none, Plumbline acts by itself and nothing is written.
// What is "" stays as the attempt has it.
func (tx *Tx) attest(ctx context.Context, action, object, detail string) error {
	a := access.AttemptOf(ctx)
	if a == nil {
		return nil
	}
	e := access.EntryOf(a, tx.now(), access.Done)
	e.Action, e.Object, e.Detail = cmp.Or(action, e.Action), cmp.Or(object, e.Object), cmp.Or(detail, e.Detail)
	return tx.enter(ctx, a, e)
}

// attestOr is attest that writes an entry of Plumbline's own where ctx carries no
// attempt: what fixes do is in the log, whoever does it.
func (tx *Tx) attestOr(ctx context.Context, action, object, detail string) error {
	if access.AttemptOf(ctx) != nil {
		return tx.attest(ctx, action, object, detail)
	}
	return tx.attestOwn(ctx, action, object, detail)
}

// attestOwn writes an entry of what Plumbline did by itself, whoever is behind ctx.
func (tx *Tx) attestOwn(ctx context.Context, action, object, detail string) error {
	a := &access.Attempt{Actor: access.Actor{Name: drift.Plumbline}, Action: action, Object: object, Detail: detail}
	return tx.enter(ctx, a, access.EntryOf(a, tx.now(), access.Done))
}

// enter inserts an entry, which the sealer numbers later.
func (tx *Tx) enter(ctx context.Context, a *access.Attempt, e access.Entry) error {
	_, err := tx.exec(ctx, `INSERT INTO audit (id, number, at, actor, account, role, via, address, action, object, outcome, detail, seal)
		VALUES ($1, NULL, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL)`,
		rand.Text(), millis(e.At), text(e.Actor), e.Account, string(e.Role), string(e.Via), bounded(e.Address, longestObject), text(e.Action),
		bounded(e.Object, longestObject), string(e.Outcome), bounded(e.Detail, longestDetail))
	if err != nil {
		return fmt.Errorf("write to the audit log: %w", err)
	}
	tx.attested = append(tx.attested, a)
	return nil
}

// bounded is as much of a text as is kept.
func bounded(s string, most int) string {
	n := 0
	s = text(s)
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}

// actionOr is the action of the attempt that ctx carries, or a word for it.
func actionOr(ctx context.Context, word string) string {
	if a := access.AttemptOf(ctx); a != nil && a.Action != "" {
		return a.Action
	}
	return word
}

// attestActs writes one entry of the audit log for what was done to findings.
func (tx *Tx) attestActs(ctx context.Context, ids []string, o drift.Observation) error {
	if len(ids) == 0 {
		return nil
	}
	object, detail := "finding "+ids[0], untilWords(o)
	if len(ids) > 1 {
		object, detail = fmt.Sprintf("%d findings", len(ids)), detail+strings.Join(ids, " ")
	}
	return tx.attest(ctx, string(o.Event), object, detail)
}

func untilWords(o drift.Observation) string {
	if o.Event != drift.Mute || o.Until.IsZero() {
		return ""
	}
	return "until " + o.Until.UTC().Format(time.RFC3339) + " "
}

// attestRuns writes one entry of the audit log for the runs that somebody began.
func (tx *Tx) attestRuns(ctx context.Context, runs []*Run) error {
	a := access.AttemptOf(ctx)
	if a == nil || len(runs) == 0 {
		return nil
	}
	words := "begun:"
	for _, r := range runs {
		words += fmt.Sprintf(" #%d %s/%s", r.Number, r.Check, r.Replica)
	}
	if n := len(runs[0].Keys); n > 0 {
		words += fmt.Sprintf(", given keys: %d", n)
	}
	return tx.attest(ctx, actionOr(ctx, "run"), cmp.Or(a.Object, "check "+runs[0].Check), words)
}

// words say which findings a filter chooses, without what may hold a value.
func (f FindingFilter) words() string {
	words := "findings"
	for _, part := range []struct{ name, value string }{{"check", f.Check}, {"replica", f.Replica}, {"state", f.State}, {"kind", f.Kind}, {"field", f.Field}} {
		if part.value != "" {
			words += " of " + part.name + " " + part.value
		}
	}
	if f.Pattern != "" {
		words += " of one pattern"
	}
	if f.Query != "" {
		words += " found by words"
	}
	return words
}
