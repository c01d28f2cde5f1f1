package slack

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/drift"
)

const (
	// atOnce is how many requests are done side by side.
	atOnce = 4
	// lookEvery is how often the inbox is looked into where nothing wakes us: for
	// what another process took and left.
	lookEvery = time.Second
	// heldFor is how long a claimed request is nobody else's, and doneWithin how
	// long it may take.
	heldFor    = time.Minute
	doneWithin = 45 * time.Second
	// endWithin is how long what is under way may take once we are to stop.
	endWithin = 5 * time.Second
	// mostTries is how often a request is tried that fails by a fault of ours.
	mostTries = 5
	// oldest is how old a request may be that is still done: nobody waits any
	// longer for a run or a mute that they asked for before an outage.
	oldest = 10 * time.Minute
)

// Work does what was asked for, until ctx ends, and then ends what is under way.
func (in *Inbound) Work(ctx context.Context) {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		hurry := time.AfterFunc(endWithin, cancel)
		context.AfterFunc(working, func() { hurry.Stop() })
	})()
	if _, _, err := in.whoami(ctx); err != nil && ctx.Err() == nil {
		in.o.Log.Warn("requests of Slack wait", "error", err)
	}
	var underWay sync.WaitGroup
	defer underWay.Wait()
	room := make(chan struct{}, atOnce)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case room <- struct{}{}:
		}
		r, err := in.o.Inbox.ClaimRequest(ctx, heldFor)
		if err != nil && ctx.Err() == nil {
			in.o.Log.Warn("look for requests of Slack", "error", err)
		}
		if r != nil {
			underWay.Go(func() {
				defer func() { <-room }()
				in.attend(working, r)
			})
			continue
		}
		<-room
		select {
		case <-ctx.Done():
			return
		case <-in.wake:
		case <-tick.C:
		}
	}
}

// attend does one request and puts it aside.
func (in *Inbound) attend(ctx context.Context, r *alerts.Request) {
	doing, cancel := context.WithTimeout(ctx, doneWithin)
	defer cancel()
	var again time.Duration
	err := in.safely(func() (err error) {
		again, err = in.do(doing, r)
		return err
	})
	if err != nil {
		in.o.Log.Warn("do what was asked in Slack", "kind", r.Kind, "try", r.Term, "again", again > 0, "error", err)
	}
	if again > 0 {
		err = in.o.Inbox.PostponeRequest(ctx, r, again)
	} else {
		err = in.o.Inbox.FinishRequest(ctx, r)
	}
	if err != nil { // it is claimed again when nobody holds it any more, and does no harm then
		in.o.Log.Warn("put a request of Slack aside", "kind", r.Kind, "error", err)
	}
}

// errBrokeDown is a fault of ours that nobody foresaw.
var errBrokeDown = errors.New("it broke down")

// safely makes an error of a panic, so that no request ends the process, which
// would come to it again once it is back. What it says may quote anything, and is
// kept from the log; where it was is not.
func (in *Inbound) safely(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			in.o.Log.Error("a request of Slack broke down", "at", string(debug.Stack()))
			err = errBrokeDown
		}
	}()
	return do()
}

// do is the whole way of a request: whose is it, who asks, what comes of it, and
// who is told. again is after how long it is to be tried again; 0 is never.
func (in *Inbound) do(ctx context.Context, r *alerts.Request) (again time.Duration, err error) {
	a, err := decodeAsked(r.Body)
	if err != nil {
		return 0, err
	}
	ours, err := in.ours(ctx, a)
	if err != nil {
		return in.backOff(r), err
	}
	if !ours {
		return 0, errors.New("it is of another workspace")
	}
	if r.Kind == kindFollow {
		return in.follow(ctx, a)
	}
	if a.Order.Verb == doNothing {
		return 0, nil
	}
	if in.o.Now().Sub(r.CameAt) > oldest {
		return 0, in.tell(ctx, a, said("This was not done, since Plumbline came to it only now: try again."), false)
	}
	answer, err := in.carryOut(ctx, r, a)
	if err != nil && r.Term < mostTries {
		return in.backOff(r), err
	}
	if err != nil {
		answer = words("This could not be done: something is wrong with Plumbline, and its log says what.")
	}
	if len(answer.lines) == 0 {
		return 0, err
	}
	return 0, errors.Join(err, in.tell(ctx, a, said(answer.lines...), a.Order.Share && answer.shared))
}

// backOff is when a request is tried again that failed by a fault of ours.
func (in *Inbound) backOff(r *alerts.Request) time.Duration {
	if r.Term >= mostTries {
		return 0
	}
	return time.Second << r.Term
}

// reply is what somebody is told; no lines are nothing.
type reply struct {
	lines []string
	// shared: the whole channel may be told, where it was asked for.
	shared bool
}

func words(lines ...string) reply { return reply{lines: lines} }

// carryOut finds out who asks and does it, with its entry in the audit log. What
// it returns as an error is a fault of ours; all else is answered.
func (in *Inbound) carryOut(ctx context.Context, r *alerts.Request, a *asked) (reply, error) {
	o := a.Order
	actor, err := in.o.Door.SlackActor(ctx, a.Teams[0], a.User)
	unlinked := errors.Is(err, ErrNotLinked)
	if err != nil && !unlinked {
		return reply{}, err
	}
	if unlinked {
		actor = access.Actor{Name: access.SlackName(a.User), Via: access.BySlack}
	}
	attempt := &access.Attempt{Actor: actor, Action: string(o.Verb), Object: o.object()}
	if act := o.Verb.action(); act != "" {
		attempt.Action = act
	}
	ctx = access.With(ctx, attempt)
	switch {
	case o.Verb == doHelp:
		return help(o.Wrong), nil
	case o.Verb == doLink:
		return in.link(ctx, a, unlinked)
	case unlinked:
		attempt.Detail = "not linked"
		return words("You are not linked to an account of Plumbline, so nothing was done. Write `/plumbline link` first."),
			in.attest(ctx, attempt, access.Denied)
	}
	var answer reply
	err = in.safely(func() (err error) {
		answer, err = in.obey(ctx, r, a)
		return err
	})
	if o.Verb.action() == "" {
		return settled(answer, err)
	}
	if err == nil {
		in.o.Wake()
		if !attempt.Recorded() && attempt.Detail == "" {
			attempt.Detail = "nothing changed"
		}
		return answer, in.attest(ctx, attempt, access.Done)
	}
	refusal, fault := settled(reply{}, err)
	if fault != nil && r.Term < mostTries {
		return reply{}, fault
	}
	outcome := access.Denied
	if fault != nil {
		outcome = access.Failed
	} else if attempt.Detail == "" {
		attempt.Detail = bareWords(refusal.lines[0])
	}
	return refusal, errors.Join(fault, in.attest(ctx, attempt, outcome))
}

// attest writes the entry of an attempt that nobody wrote.
func (in *Inbound) attest(ctx context.Context, a *access.Attempt, outcome access.Outcome) error {
	if a.Recorded() {
		return nil
	}
	return in.o.Door.Attest(ctx, a, outcome)
}

// settled makes an answer of an error that is one.
func settled(answer reply, err error) (reply, error) {
	var denied *access.DeniedError
	var refusal *Refusal
	switch {
	case errors.As(err, &denied):
		return words(escaped(drift.Visible(denied.Error())) + "."), nil
	case errors.As(err, &refusal):
		return words(escaped(drift.Visible(refusal.Why))), nil
	}
	return answer, err
}

// follow tells how runs ended, once they have.
func (in *Inbound) follow(ctx context.Context, a *asked) (again time.Duration, err error) {
	var lines []string
	over := in.o.Now().UnixMilli() > a.Until
	for _, id := range a.Runs {
		run, err := in.o.Book.Run(ctx, id)
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			continue // it was pruned
		case err != nil && over:
			return 0, err
		case err != nil:
			return 2 * time.Second, err
		case !run.Ended && !over:
			return 2 * time.Second, nil
		}
		lines = append(lines, runLine(run))
	}
	if len(lines) == 0 {
		return 0, nil
	}
	return 0, in.tell(ctx, a, said(lines...), a.Order.Share)
}

// followFor is how long a run's end is waited for.
const followFor = 10 * time.Minute

// followRuns keeps in the inbox that somebody wants to hear how runs end.
func (in *Inbound) followRuns(ctx context.Context, r *alerts.Request, a *asked, runs []Run) error {
	followed := *a
	followed.Until = in.o.Now().Add(followFor).UnixMilli()
	for _, run := range runs {
		followed.Runs = append(followed.Runs, run.ID)
	}
	body, err := json.Marshal(followed)
	if err != nil {
		return fmt.Errorf("write down whom to tell of a run: %w", err)
	}
	id := sha256.Sum256(append([]byte("follow "), r.ID...))
	_, err = in.o.Inbox.TakeRequest(ctx, id[:], kindFollow, string(body))
	return err
}
