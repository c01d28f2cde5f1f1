package service

import (
	"context"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/alerts/slack"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// FreezeFixes implements slack.Desk.
func (o *office) FreezeFixes(ctx context.Context, check, reason string) error {
	return answerOf(o.desk.FreezeFixes(ctx, check, reason))
}

// UnfreezeFixes implements slack.Desk.
func (o *office) UnfreezeFixes(ctx context.Context, check string) error {
	return answerOf(o.desk.UnfreezeFixes(ctx, check))
}

// Fixes implements slack.Book.
func (b book) Fixes(ctx context.Context) (plans []slack.PlanState, stops []slack.StopState, err error) {
	if err := access.Require(ctx, access.View); err != nil {
		return nil, nil, err
	}
	for after := ""; ; {
		list, next, err := b.ledger.Plans(ctx, ledger.PlanFilter{State: "live", After: after})
		if err != nil {
			return nil, nil, err
		}
		for _, p := range list {
			plans = append(plans, slack.PlanState{Check: p.Check, Plan: planOf(p), ExpiresAt: p.ExpiresAt})
		}
		if after = next; after == "" {
			break
		}
	}
	freezes, err := b.ledger.Freezes(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range freezes {
		stops = append(stops, slack.StopState{Check: f.Check, Stop: alerts.Stop{By: f.By, Reason: f.Reason, At: f.At}})
	}
	pauses, err := b.ledger.Pauses(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range pauses {
		stops = append(stops, slack.StopState{Check: p.Check, Paused: true, Stop: alerts.Stop{Reason: p.Reason, At: p.At}})
	}
	return plans, stops, nil
}

func planOf(p *reconciler.Plan) alerts.Plan {
	told := alerts.Plan{ID: p.ID, Replica: p.Replica, State: p.State, Undoes: p.Undoes, Auto: p.Auto, By: p.DraftedBy.Name, Needs: p.Needs,
		BegunBy: p.BegunBy.Name, UndoneBy: p.UndoneBy, EndedAt: p.EndedAt, Kinds: p.Kinds, Counts: p.Counts}
	for _, a := range p.Approvals {
		told.ApprovedBy = append(told.ApprovedBy, a.By.Name)
	}
	return told
}
