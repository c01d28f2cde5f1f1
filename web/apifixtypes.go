package web

import (
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/sources"
)

// FixBody is a plan of fixes: what is to be put right of one edge, how far it is,
// and the hash that is approved. It holds counts, names and times; its items hold
// the records.
type FixBody struct {
	Plan        string            `json:"plan"`
	Number      int64             `json:"number"`
	Check       string            `json:"check"`
	Replica     string            `json:"replica"`
	By          string            `json:"by" enum:"write,request" doc:"How it is put right: written to the replica's store, or asked of the service."`
	Undoes      string            `json:"undoes" doc:"The plan that this one takes back; empty for a plan of fixes."`
	UndoneBy    string            `json:"undone_by" doc:"The plan that took this one back, or is to."`
	State       string            `json:"state" enum:"draft,waiting for approval,approved,applying,applied,partly applied,stale,failed,expired,undone"`
	Hash        string            `json:"hash" doc:"What is approved and applied: SHA-256 over the hashes of its items, in order."`
	Choice      string            `json:"choice" doc:"What was asked for, in words."`
	Auto        bool              `json:"auto" doc:"Drafted by Plumbline itself, as the check's configuration has it."`
	DraftedBy   string            `json:"drafted_by"`
	DraftedAt   Instant           `json:"drafted_at"`
	Needs       int               `json:"needs" doc:"How many people, other than who drafted it, must approve it; 0 lets whoever may approve apply it at once."`
	Approvals   []FixApprovalBody `json:"approvals" nullable:"false"`
	ApprovedAt  Instant           `json:"approved_at"`
	ExpiresAt   Instant           `json:"expires_at" doc:"When it expires as it stands now; null once it is begun or over."`
	BegunBy     string            `json:"begun_by"`
	BegunAt     Instant           `json:"begun_at"`
	EndedAt     Instant           `json:"ended_at"`
	Reason      string            `json:"reason" doc:"Why it ended as it did, where that wants saying."`
	StopOnError bool              `json:"stop_on_error" doc:"The first item that fails ends the applying; the rest stays pending, and applying it again goes on with it."`
	Items       int64             `json:"items" doc:"How many records it is about."`
	Counts      FixCountsBody     `json:"counts"`
	Kinds       FixKindsBody      `json:"kinds"`
	LeftOut     []FixLeftOutBody  `json:"left_out" nullable:"false" doc:"Findings that it is not about, by reason."`
	Checklist   []FixSafetyBody   `json:"checklist" nullable:"false" doc:"What was looked at before, and what was found."`
	Revision    int64             `json:"revision"`
}

// FixListBody is one page of the list of plans, the newest first.
type FixListBody = ListBody[FixBody]

// FixCountsBody is how many of a plan's items there are in each state.
type FixCountsBody struct {
	Pending  int64 `json:"pending"`
	Doubtful int64 `json:"doubtful" doc:"It was to be written, and whether it was is not known yet."`
	Sent     int64 `json:"sent" doc:"The service took the request; its effect was not seen yet."`
	Applied  int64 `json:"applied"`
	Verified int64 `json:"verified" doc:"Applied or sent, and both sides were read since and agree."`
	Stale    int64 `json:"stale" doc:"The record is not what it was when the plan was drafted: not touched."`
	Failed   int64 `json:"failed"`
}

// FixKindsBody is how many of a plan's items do what.
type FixKindsBody struct {
	Updates int64 `json:"updates"`
	Inserts int64 `json:"inserts"`
	Deletes int64 `json:"deletes"`
}

// FixApprovalBody is one person's word for a plan's hash.
type FixApprovalBody struct {
	By   string  `json:"by"`
	Hash string  `json:"hash"`
	At   Instant `json:"at"`
}

// FixLeftOutBody counts findings that a plan is not about.
type FixLeftOutBody struct {
	Reason  string `json:"reason"`
	Count   int64  `json:"count"`
	Example string `json:"example" doc:"A finding of them."`
}

// FixSafetyBody is one line of a plan's checklist.
type FixSafetyBody struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Words string `json:"words"`
}

// FixItemBody is one record of a plan.
type FixItemBody struct {
	N         int            `json:"n" doc:"Its place in the plan, from 1."`
	Finding   string         `json:"finding"`
	KeyText   string         `json:"key_text" doc:"Key and id as one visible text."`
	Kind      string         `json:"kind" enum:"update,insert,delete"`
	State     string         `json:"state" enum:"pending,doubtful,sent,applied,verified,stale,failed"`
	Note      string         `json:"note" doc:"Why it came to this."`
	Fields    []FixFieldBody `json:"fields" nullable:"false" doc:"What changes."`
	NowFields []FixFieldBody `json:"now_fields" nullable:"false" doc:"Of a record that somebody else changed since: what its fields hold now."`
	Statement string         `json:"statement" doc:"How it is changed: the statement, or the request."`
	Hash      string         `json:"hash"`
	EndedAt   Instant        `json:"ended_at"`
}

// FixItemListBody is one page of a plan's items, in order.
type FixItemListBody = ListBody[FixItemBody]

// FixFieldBody is one field of an item: what it holds and what it is to hold.
type FixFieldBody struct {
	Name string      `json:"name"`
	Now  drift.Value `json:"now"`
	Then drift.Value `json:"then"`
	Rule string      `json:"rule" doc:"How it is compared."`
}

// FixFileBody is a plan with all its items, as it is kept in a file and reviewed.
type FixFileBody struct {
	FixBody
	PlanItems []FixItemBody `json:"plan_items" nullable:"false"`
}

// FixDraftBody is a plan that was drafted, or of a dry run, which keeps nothing:
// such a plan has no id, and its first items are here.
type FixDraftBody struct {
	FixBody
	DryRun    bool          `json:"dry_run"`
	PlanItems []FixItemBody `json:"plan_items" nullable:"false" doc:"Of a dry run, its items; else they are under the plan."`
}

// FixRequestBody asks for a plan. Without findings, pattern and key it is about
// all open findings of the replica.
type FixRequestBody struct {
	Check       string   `json:"check,omitempty" maxLength:"200" doc:"May be left out where findings say it."`
	Replica     string   `json:"replica,omitempty" maxLength:"200" doc:"May be left out where the check has one, or findings say it."`
	Findings    []string `json:"findings,omitempty" maxItems:"500" nullable:"false" doc:"The ids of findings."`
	Pattern     string   `json:"pattern,omitempty" maxLength:"20000" doc:"The words of a pattern, whole."`
	Key         string   `json:"key,omitempty" maxLength:"20000" doc:"One record's key, its parts as the owner writes them, divided by commas."`
	DryRun      bool     `json:"dry_run,omitempty" doc:"Nothing is kept: the answer says what the plan would be."`
	StopOnError *bool    `json:"stop_on_error,omitempty" doc:"True where it is left out."`
}

// FixHashBody names the hash that whoever asks has seen.
type FixHashBody struct {
	Hash string `json:"hash" minLength:"64" maxLength:"64" doc:"The plan's hash as you reviewed it: with another, nothing is done."`
}

// FixReasonBody is why something is done.
type FixReasonBody struct {
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}

// FixRehearsalBody says what applying a plan now would come to. Nothing was changed.
type FixRehearsalBody struct {
	FixBody
	PlanItems []FixItemBody `json:"plan_items" nullable:"false" doc:"Its items, each with the state it would have."`
	Would     FixCountsBody `json:"would" doc:"How many would be applied (pending), stale or failed."`
}

// FreezeRequestBody freezes fixes, or lets them go on.
type FreezeRequestBody struct {
	Check  string `json:"check,omitempty" maxLength:"200" doc:"Of one check; of all where it is left out."`
	Reason string `json:"reason,omitempty" maxLength:"1000"`
	Freeze bool   `json:"freeze" doc:"True freezes, false lets them go on."`
}

// FreezeBody says that no fixes are made, of one check or of all.
type FreezeBody struct {
	Check    string  `json:"check" doc:"Empty for the freeze of all."`
	By       string  `json:"by"`
	Reason   string  `json:"reason"`
	FrozenAt Instant `json:"frozen_at"`
}

// PauseBody says that Plumbline makes no fixes of a check by itself.
type PauseBody struct {
	Check    string  `json:"check"`
	Reason   string  `json:"reason"`
	PausedAt Instant `json:"paused_at"`
}

// FreezesBody is what keeps fixes from being made.
type FreezesBody struct {
	Frozen  []FreezeBody `json:"frozen" nullable:"false"`
	Paused  []PauseBody  `json:"paused" nullable:"false" doc:"Checks of which only people make fixes, since something went wrong."`
	Changed bool         `json:"changed" doc:"Whether what was asked for changed anything."`
}

// NewFixBody tells of a plan as it is.
func NewFixBody(p *reconciler.Plan) FixBody {
	body := FixBody{Plan: p.ID, Number: p.Number, Check: p.Check, Replica: p.Replica, By: string(p.By), Undoes: p.Undoes, UndoneBy: p.UndoneBy,
		State: string(p.State), Hash: p.Hash, Choice: p.Choice, Auto: p.Auto, DraftedBy: p.DraftedBy.Name, DraftedAt: Instant(p.DraftedAt),
		Needs: p.Needs, Approvals: []FixApprovalBody{}, ApprovedAt: Instant(p.ApprovedAt), ExpiresAt: Instant(p.ExpiresAt), BegunBy: p.BegunBy.Name,
		BegunAt: Instant(p.BegunAt), EndedAt: Instant(p.EndedAt), Reason: p.Reason, StopOnError: p.StopOnError, Items: p.Items(), Counts: fixCounts(p.Counts),
		Kinds:   FixKindsBody{p.Kinds[sources.Update], p.Kinds[sources.Insert], p.Kinds[sources.Delete]},
		LeftOut: []FixLeftOutBody{}, Checklist: []FixSafetyBody{}, Revision: p.Revision}
	for _, a := range p.Approvals {
		body.Approvals = append(body.Approvals, FixApprovalBody{a.By.Name, a.Hash, Instant(a.At)})
	}
	for _, l := range p.Left {
		body.LeftOut = append(body.LeftOut, FixLeftOutBody{l.Reason, l.N, l.Example})
	}
	for _, s := range p.Checklist {
		body.Checklist = append(body.Checklist, FixSafetyBody{s.Name, s.OK, s.Words})
	}
	return body
}

func fixCounts(n map[reconciler.ItemState]int64) FixCountsBody {
	return FixCountsBody{Pending: n[reconciler.Pending], Doubtful: n[reconciler.Doubtful], Sent: n[reconciler.ItemSent], Applied: n[reconciler.ItemApplied],
		Verified: n[reconciler.ItemVerified], Stale: n[reconciler.ItemStale], Failed: n[reconciler.ItemFailed]}
}

// NewFixItemBodies tells of items as they may be shown.
func NewFixItemBodies(items []reconciler.Item) []FixItemBody {
	list := make([]FixItemBody, 0, len(items))
	for i := range items {
		item := &items[i]
		list = append(list, FixItemBody{N: item.N, Finding: item.Finding, KeyText: item.KeyText, Kind: string(item.Kind), State: string(item.State),
			Note: item.Note, Fields: fixFields(item.Fields), NowFields: fixFields(item.Now), Statement: item.Statement, Hash: item.Hash, EndedAt: Instant(item.EndedAt)})
	}
	return list
}

func fixFields(list []reconciler.Field) []FixFieldBody {
	bodies := make([]FixFieldBody, 0, len(list))
	for _, f := range list {
		bodies = append(bodies, FixFieldBody{f.Name, f.Now, f.Then, f.Rule})
	}
	return bodies
}
