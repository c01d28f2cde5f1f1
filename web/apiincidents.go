package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/ledger"
)

func (a *api) incidents(h huma.API) {
	serve(a, h, get("list-incidents", "/incidents", access.View, "What people are told about, the newest first"), a.listIncidents)
	serve(a, h, get("get-incident", "/incidents/{id}", access.View, "An incident with what happened and where it was told"), a.getIncident)
	serve(a, h, post("acknowledge-incident", "/incidents/{id}/ack", access.Act, "acknowledge", "Say that somebody takes it on"), a.acknowledgeIncident)
	serve(a, h, post("mute-incident", "/incidents/{id}/mute", access.Act, "mute", "Mute the incident's check"), a.muteIncident)
	serve(a, h, post("unmute-incident", "/incidents/{id}/unmute", access.Act, "unmute", "Lift the mute of the incident's check"), a.unmuteIncident)
	again := post("recheck-incident", "/incidents/{id}/recheck", access.Act, "re-check", "Begin a run of its check, which reads what is open first")
	again.DefaultStatus = http.StatusAccepted
	serve(a, h, again, a.recheckIncident)
	serve(a, h, post("mute-check", "/checks/{name}/mute", access.Act, "mute", "Nothing new is to be told of a check until a time, or until more differs"), a.muteCheck)
	serve(a, h, post("unmute-check", "/checks/{name}/unmute", access.Act, "unmute", "Lift the mute of a check"), a.unmuteCheck)
}

type incidentsInput struct {
	Check string `query:"check"`
	State string `query:"state" enum:"open,acknowledged,resolved,all" doc:"open is all but resolved; all is every one, as without it."`
	Kind  string `query:"kind" enum:"drift,cannot check,schema"`
	Paging
}

func (a *api) listIncidents(ctx context.Context, in *incidentsInput) (*answer[ListBody[IncidentBody]], error) {
	f := ledger.IncidentFilter{Check: in.Check, State: in.State, Kind: in.Kind, After: in.After, Limit: in.Limit}
	if f.State == "all" {
		f.State = ""
	}
	list, next, err := a.Ledger.Incidents(ctx, f)
	if err != nil {
		return nil, a.problemOf(err)
	}
	mutes, err := a.Ledger.Mutes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := ListBody[IncidentBody]{Items: []IncidentBody{}, Next: next}
	declared := a.Declared()
	for _, i := range list {
		body.Items = append(body.Items, incidentBody(declared, i, mutes[i.Check], a.Now()))
	}
	return answered(body), nil
}

func (a *api) getIncident(ctx context.Context, in *ByID) (*answer[IncidentDetailBody], error) {
	i, err := a.Ledger.Incident(ctx, in.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return a.incidentDetail(ctx, i)
}

// incidentDetail answers with an incident, what happened to it and where it was told.
func (a *api) incidentDetail(ctx context.Context, i *alerts.Incident) (*answer[IncidentDetailBody], error) {
	milestones, err := a.Ledger.Milestones(ctx, i.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	deliveries, err := a.Ledger.DeliveryStates(ctx, i.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	mutes, err := a.Ledger.Mutes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := IncidentDetailBody{IncidentBody: incidentBody(a.Declared(), i, mutes[i.Check], a.Now()), Milestones: []MilestoneBody{}, Deliveries: []DeliveryBody{}}
	for _, m := range milestones {
		body.Milestones = append(body.Milestones, MilestoneBody{string(m.Event), Instant(m.At), m.Actor, m.Counted, m.Note})
	}
	for _, d := range deliveries {
		body.Deliveries = append(body.Deliveries, DeliveryBody{d.Target.Integration, d.Target.Address, d.Revision, Instant(d.SentAt), Instant(d.DueAt), d.Tries, a.Lens.Scrub(d.Error)})
	}
	return answered(body), nil
}

type ackIncidentInput struct {
	ByID
	OnceKey
	Body *Noted
}

func (a *api) acknowledgeIncident(ctx context.Context, in *ackIncidentInput) (*answer[IncidentDetailBody], error) {
	n := Noted{}
	if in.Body != nil {
		n = *in.Body
	}
	i, err := a.Desk.Acknowledge(ctx, in.ID, n.Revision, n.Note)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return a.incidentDetail(ctx, i)
}

// MuteCheckEnd is when the mute of a check ends, and why there is one.
type MuteCheckEnd struct {
	Until      time.Time `json:"until,omitempty" doc:"Until when, at most 90 days from now. Give this or for_seconds, not both."`
	ForSeconds int64     `json:"for_seconds,omitempty" minimum:"1" maximum:"7776000"`
	UntilGrows bool      `json:"until_grows,omitempty" doc:"Until more differs than now; with a time, whichever comes first."`
	Reason     string    `json:"reason,omitempty" maxLength:"1000"`
}

// at is when the mute ends; what it returns as an error is a Problem.
func (m *MuteCheckEnd) at(now time.Time) (time.Time, error) {
	if m.Until.IsZero() && m.ForSeconds == 0 && m.UntilGrows {
		return time.Time{}, nil
	}
	return (&MuteEnd{Until: m.Until, ForSeconds: m.ForSeconds}).at(now)
}

type muteIncidentInput struct {
	ByID
	OnceKey
	Body MuteCheckEnd
}

func (a *api) muteIncident(ctx context.Context, in *muteIncidentInput) (*answer[IncidentDetailBody], error) {
	until, err := in.Body.at(a.Now())
	if err != nil {
		return nil, err
	}
	return a.onCheckOf(ctx, in.ID, func(check string) error {
		_, err := a.Desk.Mute(ctx, check, until, in.Body.UntilGrows, in.Body.Reason)
		return err
	})
}

type incidentAct struct {
	ByID
	OnceKey
}

func (a *api) unmuteIncident(ctx context.Context, in *incidentAct) (*answer[IncidentDetailBody], error) {
	return a.onCheckOf(ctx, in.ID, func(check string) error { return a.Desk.Unmute(ctx, check) })
}

// onCheckOf does something to an incident's check and answers with the incident
// as it is then.
func (a *api) onCheckOf(ctx context.Context, id string, do func(check string) error) (*answer[IncidentDetailBody], error) {
	i, err := a.Ledger.Incident(ctx, id)
	if err != nil {
		return nil, a.problemOf(err)
	}
	if err := do(i.Check); err != nil {
		return nil, a.problemOf(err)
	}
	if i, err = a.Ledger.Incident(ctx, id); err != nil {
		return nil, a.problemOf(err)
	}
	return a.incidentDetail(ctx, i)
}

func (a *api) recheckIncident(ctx context.Context, in *incidentAct) (*startOutput, error) {
	if a.Auditor == nil {
		return nil, nobodyWorks()
	}
	i, err := a.Ledger.Incident(ctx, in.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	runs, err := a.Desk.Recheck(ctx, in.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return a.started(ctx, i.Check, runs), nil
}

type muteCheckInput struct {
	ByName
	OnceKey
	Body MuteCheckEnd
}

func (a *api) muteCheck(ctx context.Context, in *muteCheckInput) (*answer[MuteBody], error) {
	declared := a.Declared()
	if declared.Check(in.Name) == nil {
		return nil, noCheck(in.Name, declared)
	}
	until, err := in.Body.at(a.Now())
	if err != nil {
		return nil, err
	}
	m, err := a.Desk.Mute(ctx, in.Name, until, in.Body.UntilGrows, in.Body.Reason)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return answered(*muteBody(m)), nil
}

type unmuteCheckInput struct {
	ByName
	OnceKey
}

func (a *api) unmuteCheck(ctx context.Context, in *unmuteCheckInput) (*answer[ChangedBody], error) {
	declared := a.Declared()
	if declared.Check(in.Name) == nil {
		return nil, noCheck(in.Name, declared)
	}
	mutes, err := a.Ledger.Mutes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	if err := a.Desk.Unmute(ctx, in.Name); err != nil {
		return nil, a.problemOf(err)
	}
	body := ChangedBody{}
	if mutes[in.Name] != nil {
		body.Changed = 1
	}
	return answered(body), nil
}

// isIncident says whether an id is an incident's.
func isIncident(id string) bool { return strings.HasPrefix(id, "I-") }
