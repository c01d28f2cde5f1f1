package web

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"plumbline/access"
	"plumbline/drift"
)

func (a *api) manyFindings(h huma.API) {
	serve(a, h, post("acknowledge-findings", "/findings/ack", access.Act, "acknowledge", "Say that somebody takes these findings on: all of them, or none"), a.acknowledgeMany)
	serve(a, h, post("mute-findings", "/findings/mute", access.Act, "mute", "Not to be told of these findings until a time: all of them, or none"), a.muteMany)
	serve(a, h, post("unmute-findings", "/findings/unmute", access.Act, "unmute", "Lift the mutes of these findings: all of them, or none"), a.unmuteMany)
}

// Picked are findings by their ids.
type Picked struct {
	Findings []string `json:"findings" minItems:"1" maxItems:"500" nullable:"false" doc:"Their ids. Where one of them cannot be acted on, none is."`
	Note     string   `json:"note,omitempty" maxLength:"2000"`
}

type pickedInput struct {
	OnceKey
	Body Picked
}

type muteManyInput struct {
	OnceKey
	Body struct {
		Picked
		MuteEnd
	}
}

func (a *api) acknowledgeMany(ctx context.Context, in *pickedInput) (*answer[ListBody[FindingBody]], error) {
	return a.actOn(ctx, &in.Body, drift.Acknowledge, time.Time{})
}

func (a *api) unmuteMany(ctx context.Context, in *pickedInput) (*answer[ListBody[FindingBody]], error) {
	return a.actOn(ctx, &in.Body, drift.Unmute, time.Time{})
}

func (a *api) muteMany(ctx context.Context, in *muteManyInput) (*answer[ListBody[FindingBody]], error) {
	until, err := in.Body.at(a.Now())
	if err != nil {
		return nil, err
	}
	return a.actOn(ctx, &in.Body.Picked, drift.Mute, until)
}

// actOn does it to all that were picked, or to none, and answers with what they
// have become, in the order in which they were named.
func (a *api) actOn(ctx context.Context, picked *Picked, event drift.Event, until time.Time) (*answer[ListBody[FindingBody]], error) {
	o := drift.Observation{Event: event, At: a.Now(), Actor: access.ActorOf(ctx).Name, Note: picked.Note, Until: until}
	changed, err := a.Ledger.Act(ctx, picked.Findings, o, 0)
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := ListBody[FindingBody]{Items: []FindingBody{}}
	declared := a.Declared()
	for _, f := range changed {
		body.Items = append(body.Items, a.findingBody(ctx, declared, f))
	}
	return answered(body), nil
}
