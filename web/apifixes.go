package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/ledger"
	"plumbline/reconciler"
)

func (a *api) fixes(h huma.API) {
	serve(a, h, get("list-fixes", "/fixes", access.View, "Plans of fixes, the newest first"), a.listFixes)
	serve(a, h, get("get-fix", "/fixes/{id}", access.View, "A plan of fixes"), a.getFix)
	serve(a, h, get("list-fix-items", "/fixes/{id}/items", access.View, "The records of a plan, in order"), a.listFixItems)
	draft := post("draft-fix", "/fixes", access.Act, "draft fix", "Draft a plan, or with dry_run only say what it would be")
	draft.DefaultStatus = http.StatusCreated
	serve(a, h, draft, a.draftFix)
	serve(a, h, post("ask-fix-approval", "/fixes/{id}/ask", access.Act, "ask approval", "Ask people to approve a plan"), a.askFix)
	serve(a, h, post("approve-fix", "/fixes/{id}/approve", access.Approve, "approve fix", "Approve a plan as its hash says it is"), a.approveFix)
	serve(a, h, post("withdraw-fix", "/fixes/{id}/withdraw", access.Act, "withdraw fix", "Withdraw or reject a plan that was not begun"), a.withdrawFix)
	apply := post("apply-fix", "/fixes/{id}/apply", access.Act, "apply fix", "Apply an approved plan, or go on with one that was interrupted")
	apply.DefaultStatus = http.StatusAccepted
	serve(a, h, apply, a.applyFix)
	undo := post("undo-fix", "/fixes/{id}/undo", access.Act, "undo fix", "Draft the plan that takes another back")
	undo.DefaultStatus = http.StatusCreated
	serve(a, h, undo, a.undoFix)
	serve(a, h, post("rehearse-fix", "/fixes/{id}/rehearse", access.Act, "rehearse fix", "Read a plan's records again and say what applying it now would come to"), a.rehearseFix)
	serve(a, h, get("get-freeze", "/freeze", access.View, "What keeps fixes from being made"), a.getFreeze)
	serve(a, h, post("freeze", "/freeze", access.Act, "freeze fixes", "Freeze fixes, or, for who may approve, let them go on"), a.freeze)
	serve(a, h, post("resume-fixes", "/checks/{name}/fixes/resume", access.Approve, "resume fixes", "Let Plumbline make fixes of a check by itself again"), a.resumeFixes)
}

type fixesInput struct {
	Check   string `query:"check"`
	Replica string `query:"replica"`
	State   string `query:"state" enum:"live,draft,waiting for approval,approved,applying,applied,partly applied,stale,failed,expired,undone,all" doc:"live is what may still be begun or is being applied; all is every one, as without it."`
	Finding string `query:"finding" doc:"Plans that this finding is or was part of."`
	Paging
}

func (a *api) listFixes(ctx context.Context, in *fixesInput) (*answer[FixListBody], error) {
	f := ledger.PlanFilter{Check: in.Check, Replica: in.Replica, State: in.State, Finding: in.Finding, After: in.After, Limit: in.Limit}
	if f.State == "all" {
		f.State = ""
	}
	list, next, err := a.Ledger.Plans(ctx, f)
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := FixListBody{Items: []FixBody{}, Next: next}
	for _, p := range list {
		body.Items = append(body.Items, a.fixBody(ctx, p))
	}
	return answered(body), nil
}

func (a *api) getFix(ctx context.Context, in *ByID) (*answer[FixBody], error) {
	return a.fix(ctx)(a.Ledger.Plan(ctx, in.ID))
}

// fix answers with a plan as whoever asks may see it.
func (a *api) fix(ctx context.Context) func(*reconciler.Plan, error) (*answer[FixBody], error) {
	return func(p *reconciler.Plan, err error) (*answer[FixBody], error) {
		if err != nil {
			return nil, a.problemOf(err)
		}
		return answered(a.fixBody(ctx, p)), nil
	}
}

func (a *api) fixBody(ctx context.Context, p *reconciler.Plan) FixBody {
	return NewFixBody(scrubbedPlan(shownPlan(ctx, p), a.Lens.Scrub))
}

// fixItems are items as whoever asks may see them.
func (a *api) fixItems(ctx context.Context, items []reconciler.Item) []FixItemBody {
	return NewFixItemBodies(scrubbedItems(shownItems(ctx, items), a.Lens.Scrub))
}

type fixItemsInput struct {
	ByID
	State string `query:"state" enum:"pending,doubtful,sent,applied,verified,stale,failed"`
	Paging
}

func (a *api) listFixItems(ctx context.Context, in *fixItemsInput) (*answer[FixItemListBody], error) {
	if _, err := a.Ledger.Plan(ctx, in.ID); err != nil {
		return nil, a.problemOf(err)
	}
	after := 0
	if in.After != "" {
		n, err := strconv.Atoi(in.After)
		if err != nil || n < 0 {
			return nil, a.problemOf(&ledger.CursorError{Cursor: in.After})
		}
		after = n
	}
	items, next, err := a.Ledger.pageOfItems(ctx, in.ID, ledger.ItemFilter{State: reconciler.ItemState(in.State), After: after, Limit: in.Limit})
	if err != nil {
		return nil, a.problemOf(err)
	}
	return answered(FixItemListBody{Items: a.fixItems(ctx, items), Next: next}), nil
}

type draftFixInput struct {
	OnceKey
	Body FixRequestBody
}

type draftFixOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     FixDraftBody
}

func (a *api) draftFix(ctx context.Context, in *draftFixInput) (*draftFixOutput, error) {
	b := &in.Body
	r := auditor.FixRequest{Check: b.Check, Replica: b.Replica, Findings: b.Findings, Pattern: b.Pattern, Key: b.Key, StopOnError: b.StopOnError}
	if err := mayChoose(ctx, &r); err != nil {
		return nil, a.problemOf(err)
	}
	if declared := a.Declared(); r.Check != "" && declared.Check(r.Check) == nil {
		return nil, noCheck(r.Check, declared)
	}
	if b.DryRun {
		called(ctx, "try fix")
		p, items, err := a.Desk.TryFix(ctx, r)
		if err != nil {
			return nil, a.unread(ctx, unreadFor(ctx, err))
		}
		return &draftFixOutput{Status: http.StatusOK, Body: FixDraftBody{FixBody: a.fixBody(ctx, p), DryRun: true, PlanItems: a.fixItems(ctx, items)}}, nil
	}
	return a.drafted(ctx)(a.Desk.DraftFix(ctx, r))
}

// drafted answers with a plan that is new.
func (a *api) drafted(ctx context.Context) func(*reconciler.Plan, error) (*draftFixOutput, error) {
	return func(p *reconciler.Plan, err error) (*draftFixOutput, error) {
		if err != nil {
			return nil, a.unread(ctx, unreadFor(ctx, err))
		}
		return &draftFixOutput{Status: http.StatusCreated, Location: apiRoot + "/fixes/" + p.ID,
			Body: FixDraftBody{FixBody: a.fixBody(ctx, p), PlanItems: []FixItemBody{}}}, nil
	}
}

type fixHashInput struct {
	ByID
	OnceKey
	Body FixHashBody
}

func (a *api) askFix(ctx context.Context, in *fixHashInput) (*answer[FixBody], error) {
	return a.fix(ctx)(a.Desk.AskApproval(ctx, in.ID, in.Body.Hash))
}

func (a *api) approveFix(ctx context.Context, in *fixHashInput) (*answer[FixBody], error) {
	return a.fix(ctx)(a.Desk.ApproveFix(ctx, in.ID, in.Body.Hash))
}

func (a *api) applyFix(ctx context.Context, in *fixHashInput) (*answer[FixBody], error) {
	p, err := a.Desk.ApplyFix(ctx, in.ID, in.Body.Hash)
	if err != nil {
		return nil, a.unread(ctx, err)
	}
	return answered(a.fixBody(ctx, p)), nil
}

type withdrawFixInput struct {
	ByID
	OnceKey
	Body *FixReasonBody
}

func (a *api) withdrawFix(ctx context.Context, in *withdrawFixInput) (*answer[FixBody], error) {
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return a.fix(ctx)(a.Desk.WithdrawFix(ctx, in.ID, reason))
}

type fixActInput struct {
	ByID
	OnceKey
}

func (a *api) undoFix(ctx context.Context, in *fixActInput) (*draftFixOutput, error) {
	return a.drafted(ctx)(a.Desk.UndoFix(ctx, in.ID))
}

func (a *api) rehearseFix(ctx context.Context, in *fixActInput) (*answer[FixRehearsalBody], error) {
	p, err := a.Ledger.Plan(ctx, in.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	items, err := a.Desk.RehearseFix(ctx, in.ID)
	if err != nil {
		return nil, a.unread(ctx, unreadFor(ctx, err))
	}
	return answered(FixRehearsalBody{FixBody: a.fixBody(ctx, p), PlanItems: a.fixItems(ctx, items), Would: fixCounts(countItems(items))}), nil
}

// called names an attempt by what its body asks for, where one route does two things.
func called(ctx context.Context, action string) {
	if attempt := access.AttemptOf(ctx); attempt != nil {
		attempt.Action = action
	}
}

// countItems counts items by their states.
func countItems(items []reconciler.Item) map[reconciler.ItemState]int64 {
	counts := map[reconciler.ItemState]int64{}
	for i := range items {
		counts[items[i].State]++
	}
	return counts
}

func (a *api) getFreeze(ctx context.Context, _ *struct{}) (*answer[FreezesBody], error) {
	body, err := a.freezes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return answered(*body), nil
}

// freezes is what keeps fixes from being made.
func (a *api) freezes(ctx context.Context) (*FreezesBody, error) {
	body := FreezesBody{Frozen: []FreezeBody{}, Paused: []PauseBody{}}
	frozen, err := a.Ledger.Freezes(ctx)
	if err != nil {
		return nil, err
	}
	paused, err := a.Ledger.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range frozen {
		body.Frozen = append(body.Frozen, FreezeBody{f.Check, f.By, f.Reason, Instant(f.At)})
	}
	for _, p := range paused {
		body.Paused = append(body.Paused, PauseBody{p.Check, a.textFor(ctx, p.Reason), Instant(p.At)})
	}
	return &body, nil
}

type freezeInput struct {
	OnceKey
	Body FreezeRequestBody
}

func (a *api) freeze(ctx context.Context, in *freezeInput) (*answer[FreezesBody], error) {
	b := &in.Body
	if declared := a.Declared(); b.Freeze && b.Check != "" && declared.Check(b.Check) == nil {
		return nil, noCheck(b.Check, declared)
	}
	before, err := a.freezes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	if b.Freeze {
		err = a.Desk.FreezeFixes(ctx, b.Check, b.Reason)
	} else {
		called(ctx, "unfreeze fixes")
		err = a.Desk.UnfreezeFixes(ctx, b.Check)
	}
	if err != nil {
		return nil, a.problemOf(err)
	}
	after, err := a.freezes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	after.Changed = len(after.Frozen) != len(before.Frozen)
	return answered(*after), nil
}

type resumeFixesInput struct {
	ByName
	OnceKey
}

func (a *api) resumeFixes(ctx context.Context, in *resumeFixesInput) (*answer[FreezesBody], error) {
	before, err := a.freezes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	if err := a.Desk.ResumeFixes(ctx, in.Name); err != nil {
		return nil, a.problemOf(err)
	}
	after, err := a.freezes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	after.Changed = len(after.Paused) != len(before.Paused)
	return answered(*after), nil
}
