package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
)

func (a *api) runs(h huma.API) {
	serve(a, h, get("list-runs", "/runs", access.View, "Runs, the newest first"), a.listRuns)
	serve(a, h, get("get-run", "/runs/{id}", access.View, "A run with its segments"), a.getRun)
	start := post("start-run", "/checks/{name}/runs", access.Act, "run", "Begin a run of each edge of a check")
	start.DefaultStatus = http.StatusAccepted
	serve(a, h, start, a.startRun)
	serve(a, h, post("cancel-run", "/runs/{id}/cancel", access.Act, "cancel", "Ask a run to stop at its next page"), a.cancelRun)
	serve(a, h, post("resume-run", "/runs/{id}/resume", access.Act, "resume", "Go on with what a finished run did not read"), a.resumeRun)
}

type runsInput struct {
	Check   string `query:"check"`
	Replica string `query:"replica"`
	State   string `query:"state" enum:"queued,running,settling,finished,active"`
	Result  string `query:"result" enum:"clean,drift,incomplete,error,cancelled"`
	Paging
}

func (a *api) listRuns(ctx context.Context, in *runsInput) (*answer[ListBody[RunBody]], error) {
	runs, next, err := a.Ledger.Runs(ctx, ledger.RunFilter{Check: in.Check, Replica: in.Replica, State: in.State, Result: in.Result,
		After: in.After, Limit: in.Limit})
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := ListBody[RunBody]{Items: []RunBody{}, Next: next}
	declared := a.Declared()
	for _, run := range runs {
		body.Items = append(body.Items, a.runBody(ctx, declared, run))
	}
	return answered(body), nil
}

func (a *api) getRun(ctx context.Context, in *ByID) (*answer[RunDetailBody], error) {
	run, err := a.Ledger.Run(ctx, runName(in.ID))
	if err != nil {
		return nil, a.problemOf(err)
	}
	segments, err := a.Ledger.Segments(ctx, run.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	declared := a.Declared()
	body := RunDetailBody{RunBody: a.runBody(ctx, declared, run), SegmentList: []SegmentBody{}}
	shown := a.lensOf(ctx, declared, run.Check, run.Replica)
	for i := range segments {
		body.SegmentList = append(body.SegmentList, segmentBody(&segments[i], shown))
	}
	return answered(body), nil
}

type startInput struct {
	ByName
	OnceKey
	Body *startBody
}

// startBody is what a run is asked for; without one it compares what its check declares.
type startBody struct {
	Keys      [][]KeyPartBody `json:"keys,omitempty" maxItems:"1000" doc:"Compare these keys alone: each the parts of one key, in order, as the owner writes them."`
	Sample    int             `json:"sample,omitempty" minimum:"1" maximum:"1000000" doc:"Compare so many keys, divided as the check's sample is, and drawn at random where it has none."`
	Full      bool            `json:"full,omitempty" doc:"Compare everything, though the check declares a sample."`
	Since     string          `json:"since,omitempty" doc:"Compare the keys alone that changed within this time, such as 24h, by the recent_by of the check's sample."`
	StopAfter int64           `json:"stop_after,omitempty" minimum:"1" doc:"Stop once so many differences were seen: the counts are exact until then."`
}

// asked is what the body asks for. What it returns as an error is a Problem.
func (b *startBody) asked() (ledger.Asked, error) {
	asked := ledger.Asked{Sample: b.Sample, Full: b.Full, StopAfter: b.StopAfter}
	if b.Since == "" {
		return asked, nil
	}
	var err error
	if asked.Since, err = time.ParseDuration(b.Since); err != nil || asked.Since <= 0 {
		return asked, newProblem(http.StatusUnprocessableEntity, fmt.Sprintf("since: %q is no duration", b.Since), "write one such as 24h or 30m")
	}
	return asked, nil
}

// KeyPartBody is one part of a key.
type KeyPartBody struct {
	Type string `json:"type,omitempty" doc:"int, text, uuid, …: what the text is. Left out, it is read as the kind that the owner declares."`
	Text string `json:"text"`
}

// keys reads the keys of a request as the kinds that the owner declares for them,
// so that none is looked for as what no record has. What it returns as an error
// is a Problem.
func (a *api) keys(ctx context.Context, check *checks.Check, given [][]KeyPartBody) ([]sources.Key, error) {
	if len(given) == 0 {
		return nil, nil
	}
	if err := access.Require(ctx, access.Values); err != nil { // a run of a key tells whether a record has it
		return nil, a.problemOf(err)
	}
	kinds, err := a.Auditor.KeyKinds(ctx, check.Name)
	var missing *ledger.NotFoundError
	var impossible *auditor.NotPossible
	switch {
	case errors.As(err, &missing), errors.As(err, &impossible):
		return nil, a.problemOf(err)
	case err != nil:
		return nil, newProblem(http.StatusBadGateway, a.textFor(ctx, err.Error()), "nothing was begun: look at GET "+apiRoot+"/sources, then ask again")
	}
	keys := make([]sources.Key, len(given))
	for i, parts := range given {
		if keys[i], err = keyOf(check, parts, kinds); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func keyOf(check *checks.Check, parts []KeyPartBody, kinds []sources.Kind) (sources.Key, error) {
	names := check.Owner.Dataset.Key
	if len(parts) != len(names) {
		return nil, newProblem(http.StatusUnprocessableEntity, fmt.Sprintf("a key of %s has %d parts, not %d", check.Name, len(names), len(parts)),
			fmt.Sprintf("give, in this order, %s", strings.Join(names, ", ")))
	}
	key := make(sources.Key, len(parts))
	for i, part := range parts {
		value, err := part.value(kinds[i])
		if err != nil {
			return nil, newProblem(http.StatusUnprocessableEntity, fmt.Sprintf("%s: %v", names[i], err), "write it as the owner does: findings of the check show type and text")
		}
		key[i] = value
	}
	if !key.Whole() {
		return nil, newProblem(http.StatusUnprocessableEntity, "a key may not be empty", fmt.Sprintf("give, in this order, %s", strings.Join(names, ", ")))
	}
	return key, nil
}

// value is the part as the kind that the owner declares, and as its own type, or
// what its text looks like, where it declares none.
func (p *KeyPartBody) value(declared sources.Kind) (sources.Value, error) {
	value := sources.Text(p.Text)
	if p.Type != "" {
		kind, ok := sources.KindByName(p.Type)
		if !ok {
			return value, fmt.Errorf("there is no type %q", p.Type)
		}
		var err error
		if value, err = sources.As(value, kind, nil); err != nil {
			return value, err
		}
	}
	switch n, isInt := sources.ParseInt(p.Text); {
	case declared != sources.KindAbsent && value.Kind() != declared:
		return sources.As(value, declared, nil)
	case declared == sources.KindAbsent && p.Type == "" && isInt:
		return sources.Int(n), nil
	}
	return value, nil
}

type startOutput struct {
	Location string `header:"Location"`
	Body     ListBody[RunBody]
}

func (a *api) startRun(ctx context.Context, in *startInput) (*startOutput, error) {
	declared := a.Declared()
	check := declared.Check(in.Name)
	if check == nil {
		return nil, noCheck(in.Name, declared)
	}
	if a.Auditor == nil {
		return nil, nobodyWorks()
	}
	var keys []sources.Key
	var asked ledger.Asked
	if in.Body != nil {
		var err error
		if keys, err = a.keys(ctx, check.Check, in.Body.Keys); err != nil {
			return nil, err
		}
		if asked, err = in.Body.asked(); err != nil {
			return nil, err
		}
	}
	runs, err := a.Auditor.RunAsked(ctx, in.Name, ledger.ByPerson, access.ActorOf(ctx).Name, keys, asked)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return a.started(ctx, in.Name, runs), nil
}

// started answers for runs of a check that were begun.
func (a *api) started(ctx context.Context, check string, runs []*ledger.Run) *startOutput {
	declared := a.Declared()
	out := &startOutput{Location: apiRoot + "/runs?" + url.Values{"check": {check}, "state": {"active"}}.Encode(), Body: ListBody[RunBody]{Items: []RunBody{}}}
	for _, run := range runs {
		out.Body.Items = append(out.Body.Items, a.runBody(ctx, declared, run))
	}
	if len(runs) == 1 {
		out.Location = apiRoot + "/runs/" + url.PathEscape(runs[0].ID)
	}
	return out
}

type runAct struct {
	ByID
	OnceKey
}

func (a *api) cancelRun(ctx context.Context, in *runAct) (*answer[RunBody], error) {
	id, err := a.runID(ctx, in.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	cancel := a.Ledger.CancelRun // nobody works here: whoever holds the run sees it
	if a.Auditor != nil {
		cancel = a.Auditor.Cancel
	}
	run, err := cancel(ctx, id, access.ActorOf(ctx).Name)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return answered(a.runBody(ctx, a.Declared(), run)), nil
}

func (a *api) resumeRun(ctx context.Context, in *runAct) (*answer[RunBody], error) {
	id, err := a.runID(ctx, in.ID)
	if err != nil {
		return nil, a.problemOf(err)
	}
	if a.Auditor == nil {
		return nil, nobodyWorks()
	}
	run, err := a.Auditor.Resume(ctx, id, access.ActorOf(ctx).Name)
	if err != nil {
		return nil, a.problemOf(err)
	}
	return answered(a.runBody(ctx, a.Declared(), run)), nil
}

// runID is the id of a run that may be named by its number.
func (a *api) runID(ctx context.Context, name string) (string, error) {
	run, err := a.Ledger.Run(ctx, runName(name))
	if err != nil {
		return "", err
	}
	return run.ID, nil
}

// runName is a run's name as the ledger knows it: digits alone are its number.
func runName(text string) string {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return text
	}
	return "#" + text
}

func nobodyWorks() *Problem {
	return newProblem(http.StatusServiceUnavailable, "no process audits with this ledger just now", "start plumbline serve, then ask again")
}

func noCheck(name string, declared *Declared) *Problem {
	var names []string
	for i := range declared.Checks {
		names = append(names, declared.Checks[i].Name)
	}
	next := "list them with GET " + apiRoot + "/checks"
	if near := sources.Nearest(name, names); near != "" {
		next = fmt.Sprintf("did you mean %q?", near)
	}
	return newProblem(http.StatusNotFound, fmt.Sprintf("there is no check %q", name), next)
}
