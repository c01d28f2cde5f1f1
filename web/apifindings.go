package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"plumbline/access"
	"plumbline/drift"
	"plumbline/ledger"
)

func (a *api) findings(h huma.API) {
	serve(a, h, get("list-findings", "/findings", access.View, "Findings, those that changed last first"), a.listFindings)
	serve(a, h, get("get-finding", "/findings/{id}", access.View, "A finding with its timeline"), a.getFinding)
	serve(a, h, post("acknowledge-finding", "/findings/{id}/ack", access.Act, "acknowledge", "Say that somebody takes it on"), a.acknowledge)
	serve(a, h, post("mute-finding", "/findings/{id}/mute", access.Act, "mute", "Not to be told of it until a time"), a.mute)
	serve(a, h, post("unmute-finding", "/findings/{id}/unmute", access.Act, "unmute", "Lift a mute"), a.unmute)
	a.manyFindings(h)
	serve(a, h, post("recheck-finding", "/findings/{id}/recheck", access.Act, "re-check", "Read its record again now, on both sides"), a.recheck)
	serve(a, h, post("reveal-finding", "/findings/{id}/reveal", access.Reveal, "reveal", "Read its record now, without masks, for a reason that is written down"), a.reveal)
	serve(a, h, post("accept-baseline", "/checks/{name}/baseline", access.Act, "accept baseline", "Accept what drifts in a check today as known"), a.baseline)
}

type findingsInput struct {
	Check   string `query:"check"`
	Replica string `query:"replica"`
	State   string `query:"state" enum:"open,confirmed,regressed,acknowledged,muted,fixing,resolved,all" doc:"open is all but resolved; all is every one, as without it."`
	Kind    string `query:"kind" enum:"mismatch,missing,extra,duplicate,unreadable"`
	Pattern string `query:"pattern" doc:"The words of a pattern, whole."`
	Field   string `query:"field" doc:"A field that differs, as its title is shown."`
	Query   string `query:"q" doc:"Part of a finding's id or of its key."`
	Paging
}

func (in *findingsInput) filter() ledger.FindingFilter {
	state := in.State
	if state == "all" {
		state = ""
	}
	return ledger.FindingFilter{Check: in.Check, Replica: in.Replica, State: state, Kind: in.Kind, Pattern: in.Pattern,
		Field: in.Field, Query: in.Query, After: in.After, Limit: in.Limit}
}

func (a *api) listFindings(ctx context.Context, in *findingsInput) (*answer[ListBody[FindingBody]], error) {
	list, next, err := a.Ledger.Findings(ctx, in.filter())
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := ListBody[FindingBody]{Items: []FindingBody{}, Next: next}
	declared := a.Declared()
	for _, f := range list {
		body.Items = append(body.Items, a.findingBody(ctx, declared, f))
	}
	return answered(body), nil
}

func (a *api) getFinding(ctx context.Context, in *ByID) (*answer[FindingDetailBody], error) {
	f, err := a.Ledger.Finding(ctx, in.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return a.findingDetail(ctx, f)
}

// findingDetail answers with a finding and its timeline.
func (a *api) findingDetail(ctx context.Context, f *drift.Finding) (*answer[FindingDetailBody], error) {
	timeline, err := a.Ledger.Timeline(ctx, f.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := FindingDetailBody{FindingBody: a.findingBody(ctx, a.Declared(), f), Timeline: []TransitionBody{}}
	for _, t := range timeline {
		body.Timeline = append(body.Timeline, TransitionBody{Event: string(t.Event), From: string(t.From), To: string(t.To),
			At: Instant(t.At), Actor: t.Actor, Run: t.Run, Note: t.Note})
	}
	return answered(body), nil
}

// Noted is what every act on a finding may carry.
type Noted struct {
	Note     string `json:"note,omitempty" maxLength:"2000"`
	Revision int64  `json:"revision,omitempty" minimum:"0" doc:"The revision you saw: if the finding has moved on, nothing is done. 0 is any."`
}

type ackInput struct {
	ByID
	OnceKey
	Body *Noted
}

func (a *api) acknowledge(ctx context.Context, in *ackInput) (*answer[FindingDetailBody], error) {
	return a.act(ctx, in.ID, drift.Observation{Event: drift.Acknowledge}, in.Body)
}

func (a *api) unmute(ctx context.Context, in *ackInput) (*answer[FindingDetailBody], error) {
	return a.act(ctx, in.ID, drift.Observation{Event: drift.Unmute}, in.Body)
}

// MuteEnd is when a mute ends.
type MuteEnd struct {
	Until      time.Time `json:"until,omitempty" doc:"Until when, at most ten years from now. Give this or for_seconds, not both."`
	ForSeconds int64     `json:"for_seconds,omitempty" minimum:"1" maximum:"315360000"`
}

// longestMute is how far ahead a mute may end: further is a slip.
const longestMute = 3650 * 24 * time.Hour

// at is when the mute ends; what it returns as an error is a Problem.
func (m *MuteEnd) at(now time.Time) (time.Time, error) {
	const next = "give either until, a time to come, or for_seconds"
	until := m.Until
	switch {
	case !m.Until.IsZero() && m.ForSeconds > 0:
		return until, newProblem(http.StatusUnprocessableEntity, "a mute has one end: until and for_seconds are both given", next)
	case m.ForSeconds > 0:
		until = now.Add(time.Duration(m.ForSeconds) * time.Second)
	}
	switch {
	case !until.After(now):
		return until, newProblem(http.StatusUnprocessableEntity, "a mute needs an end that lies ahead", next)
	case until.Sub(now) > longestMute:
		return until, newProblem(http.StatusUnprocessableEntity, "a mute ends within ten years", "give an earlier until")
	}
	return until, nil
}

type muteInput struct {
	ByID
	OnceKey
	Body struct {
		Noted
		MuteEnd
	}
}

func (a *api) mute(ctx context.Context, in *muteInput) (*answer[FindingDetailBody], error) {
	until, err := in.Body.at(a.Now())
	if err != nil {
		return nil, err
	}
	return a.act(ctx, in.ID, drift.Observation{Event: drift.Mute, Until: until}, &in.Body.Noted)
}

func (a *api) act(ctx context.Context, id string, o drift.Observation, n *Noted) (*answer[FindingDetailBody], error) {
	o.At, o.Actor = a.Now(), access.ActorOf(ctx).Name
	revision := int64(0)
	if n != nil {
		o.Note, revision = n.Note, n.Revision
	}
	changed, err := a.Ledger.Act(ctx, []string{id}, o, revision)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return a.findingDetail(ctx, changed[0])
}

type recheckInput struct {
	ByID
	OnceKey
}

func (a *api) recheck(ctx context.Context, in *recheckInput) (*answer[FindingDetailBody], error) {
	f, err := a.Ledger.Finding(ctx, in.ID)
	switch {
	case err != nil:
		return nil, a.problemOf(err)
	case !f.Whole():
		return nil, newProblem(http.StatusConflict, in.ID+" has no whole key, so its record cannot be looked up",
			"begin a run of its check: it is resolved once a complete run no longer meets the record")
	case a.Auditor == nil:
		return nil, nobodyWorks()
	}
	if f, err = a.Auditor.Recheck(ctx, in.ID, access.ActorOf(ctx).Name); err != nil {
		return nil, a.unread(ctx, unreadFor(ctx, err))
	}
	return a.findingDetail(ctx, f)
}

type baselineInput struct {
	ByName
	OnceKey
	Body *struct {
		Note string `json:"note,omitempty" maxLength:"2000"`
	}
}

func (a *api) baseline(ctx context.Context, in *baselineInput) (*answer[ChangedBody], error) {
	declared := a.Declared()
	if declared.Check(in.Name) == nil {
		return nil, noCheck(in.Name, declared)
	}
	note := ""
	if in.Body != nil {
		note = in.Body.Note
	}
	n, err := a.Ledger.AcceptBaseline(ctx, in.Name, access.ActorOf(ctx).Name, note)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return answered(ChangedBody{Changed: n}), nil
}
