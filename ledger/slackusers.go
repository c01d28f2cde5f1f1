package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumbline/access"
)

// SlackLink says which account a user of Slack acts for.
type SlackLink struct {
	Team, Person         string // as Slack names them, T… and U…
	Account, AccountName string
	LinkedAt             time.Time
}

// LinkSlack lets a user of Slack act for an account, and for no other any more.
// *NotFoundError.
func (l *Ledger) LinkSlack(ctx context.Context, team, person, account string) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		a, err := accountBy(ctx, tx.sql, account)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO slack_users (team, person, account, linked_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (team, person) DO UPDATE SET account = excluded.account, linked_at = excluded.linked_at`,
			text(team), text(person), a.ID, millis(tx.now()))
		if err != nil {
			return err
		}
		return tx.attest(ctx, actionOr(ctx, "link slack"), "account "+a.Name, access.SlackName(person)+" of "+team)
	})
	if err != nil {
		return fmt.Errorf("link a Slack user: %w", err)
	}
	return nil
}

// UnlinkSlack ends that. *NotFoundError.
func (l *Ledger) UnlinkSlack(ctx context.Context, team, person string) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `DELETE FROM slack_users WHERE team = $1 AND person = $2`, text(team), text(person))
		switch {
		case err != nil:
			return err
		case n == 0:
			return &NotFoundError{What: "linked Slack user", Name: person}
		}
		return tx.attest(ctx, actionOr(ctx, "unlink slack"), access.SlackName(person), "of "+team)
	})
	if err != nil {
		return fmt.Errorf("unlink a Slack user: %w", err)
	}
	return nil
}

// SlackLinks lists the Slack users of an account, "" for all.
func (l *Ledger) SlackLinks(ctx context.Context, account string) ([]SlackLink, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (s SlackLink, err error) {
		var linked int64
		err = rows.Scan(&s.Team, &s.Person, &s.Account, &s.AccountName, &linked)
		s.LinkedAt = timeOf(linked)
		return s, err
	}, `SELECT s.team, s.person, s.account, a.name, s.linked_at FROM slack_users s JOIN accounts a ON a.id = s.account
		WHERE s.account = $1 OR $2 = '' ORDER BY a.folded, s.team, s.person`, account, account)
	if err != nil {
		return nil, fmt.Errorf("list linked Slack users: %w", err)
	}
	return list, nil
}

// SlackActor is who a user of Slack acts for, as the account is at this moment.
// ErrNotLinked, also where the account is disabled.
func (l *Ledger) SlackActor(ctx context.Context, team, person string) (access.Actor, error) {
	a := access.Actor{Via: access.BySlack}
	err := l.read.QueryRowContext(ctx, `SELECT a.id, a.name, a.role FROM slack_users s JOIN accounts a ON a.id = s.account
		WHERE s.team = $1 AND s.person = $2 AND NOT a.disabled`, text(team), text(person)).Scan(&a.Account, &a.Name, &a.Role)
	switch {
	case nothing(err):
		return access.Actor{}, ErrNotLinked
	case err != nil:
		return access.Actor{}, fmt.Errorf("look for a Slack user: %w", err)
	}
	return a, nil
}
