package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"plumbline/access"
	"plumbline/alerts"
)

// action is what the audit log calls an act; "" for what only reads.
func (v verb) action() string {
	switch v {
	case doAck:
		return "acknowledge incident"
	case doMute, doMuteOf:
		return "mute check"
	case doUnmute, doUnmuteOf:
		return "unmute check"
	case doRun:
		return "run"
	case doRecheck:
		return "re-check"
	case doFreeze:
		return "freeze fixes"
	case doUnfreeze:
		return "unfreeze fixes"
	}
	return ""
}

// object is what an order is about, as the audit log calls it.
func (o *order) object() string {
	switch {
	case o.What == "":
		return ""
	case o.frozen() == "" && (o.Verb == doFreeze || o.Verb == doUnfreeze):
		return "all checks"
	case o.Verb == doShow && !isIncident(o.What):
		return "finding " + o.What
	case o.Verb == doShow, o.Verb == doAck, o.Verb == doRecheck, o.Verb == doMuteOf, o.Verb == doUnmuteOf:
		return "incident " + o.What
	}
	return "check " + o.What
}

// obey does an order for the actor behind ctx.
func (in *Inbound) obey(ctx context.Context, r *alerts.Request, a *asked) (reply, error) {
	o := a.Order
	switch o.Verb {
	case doStatus:
		return in.status(ctx)
	case doCheck:
		return in.check(ctx, o.What)
	case doShow:
		return in.show(ctx, o.What)
	case doSources:
		return in.sources(ctx)
	case doPlans:
		return in.plans(ctx)
	case doFix:
		return in.fix(ctx, o.What)
	case doFreeze, doUnfreeze:
		return in.freeze(ctx, o)
	case doAck:
		return in.acknowledge(ctx, r, o)
	case doMute:
		return in.mute(ctx, r, o.What, o)
	case doUnmute:
		return in.unmute(ctx, r, o.What)
	case doRun:
		var runs []Run
		var err error
		if o.Full || o.Sample > 0 {
			runs, err = in.o.Desk.RunSample(ctx, o.What, o.Sample)
		} else {
			runs, err = in.o.Desk.Run(ctx, o.What, o.Key)
		}
		return in.started(ctx, r, a, runs, err)
	case doRecheck:
		runs, err := in.o.Desk.Recheck(ctx, o.What)
		return in.started(ctx, r, a, runs, err)
	case doMuteOf, doUnmuteOf:
		i, err := in.o.Book.Incident(ctx, o.What)
		switch {
		case err != nil:
			return reply{}, err
		case i.State == alerts.Resolved && o.Verb == doMuteOf:
			return reply{}, &Refusal{moved(i, in.o.Now())}
		case o.Verb == doMuteOf:
			return in.mute(ctx, r, i.Check, o)
		}
		return in.unmute(ctx, r, i.Check)
	}
	return help(""), nil
}

// clicked says whether an order came by a button: the message it was on shows
// what came of it, and only a refusal is told.
func clicked(r *alerts.Request) bool { return r.Kind == kindAction }

// acknowledge takes an incident on. Where it is somebody's already, whoever asked
// is told whose.
func (in *Inbound) acknowledge(ctx context.Context, r *alerts.Request, o order) (reply, error) {
	i, err := in.o.Desk.Acknowledge(ctx, o.What, o.Revision, o.Note)
	switch {
	case errors.Is(err, ErrStale):
		if i, err = in.o.Book.Incident(ctx, o.What); err == nil {
			err = &Refusal{moved(i, in.o.Now())}
		}
	case err != nil || access.AttemptOf(ctx).Recorded():
	case r.Term == 1: // it was so before
		err = &Refusal{moved(i, in.o.Now())}
	default:
		access.AttemptOf(ctx).Record() // by whoever had this request before us, and then was gone
	}
	if err != nil || clicked(r) {
		return reply{}, err
	}
	return words(fmt.Sprintf("%s of %s is yours.", escaped(i.ID), code(i.Check, 100))), nil
}

// moved says what became of an incident that somebody saw as it was before.
func moved(i *alerts.Incident, now time.Time) string {
	switch i.State {
	case alerts.Acknowledged:
		return fmt.Sprintf("%s is already acknowledged by %s, %s ago.", i.ID, i.AcknowledgedBy, span(now.Sub(i.AcknowledgedAt)))
	case alerts.Resolved:
		return fmt.Sprintf("%s is already resolved, %s ago.", i.ID, span(now.Sub(i.ResolvedAt)))
	}
	return fmt.Sprintf("%s changed meanwhile: look at it and try again.", i.ID)
}

// mute keeps a check quiet from when it was asked for, so that a second try comes
// to the same.
func (in *Inbound) mute(ctx context.Context, r *alerts.Request, check string, o order) (reply, error) {
	var until time.Time
	if o.For > 0 {
		until = r.CameAt.Add(o.For)
	}
	m, err := in.o.Desk.Mute(ctx, check, until, o.Grows, o.Note)
	if err != nil || clicked(r) {
		return reply{}, err
	}
	return words(code(m.Check, 100) + " is muted " + muteWords(m) + "."), nil
}

func (in *Inbound) unmute(ctx context.Context, r *alerts.Request, check string) (reply, error) {
	if err := in.o.Desk.Unmute(ctx, check); err != nil || clicked(r) {
		return reply{}, err
	}
	return words(code(check, 100) + " is heard again."), nil
}

// started says which runs were begun, and sees to it that their end is told.
func (in *Inbound) started(ctx context.Context, r *alerts.Request, a *asked, runs []Run, err error) (reply, error) {
	if err != nil || clicked(r) {
		return reply{}, err
	}
	if err := in.followRuns(ctx, r, a, runs); err != nil {
		in.o.Log.Warn("the end of a run will not be told", "error", err) // the run itself was begun
	}
	var lines []string
	for _, run := range runs {
		line := fmt.Sprintf("Started run #%d of %s", run.Number, code(run.Check, 100))
		if len(runs) > 1 {
			line += " on " + code(run.Replica, 100)
		}
		lines = append(lines, line+".")
	}
	return reply{lines: lines, shared: true}, nil
}

// linkLife is how long the link is good by which somebody links an account.
const linkLife = 10 * time.Minute

// link offers to link an account. Only whoever wrote the command sees it.
func (in *Inbound) link(ctx context.Context, a *asked, unlinked bool) (reply, error) {
	code, err := in.o.Door.LinkCode(ctx, a.Teams[0], a.User, linkLife)
	if err != nil {
		return settled(reply{}, err)
	}
	address := web(strings.TrimSuffix(in.o.PublicURL, "/") + "/link/slack?code=" + code)
	if address == "" {
		return words("Plumbline does not know its own address: set `server.public_url`."), nil
	}
	first := "You are linked to an account already; this links another instead."
	if unlinked {
		first = "Sign in to Plumbline there, and say that this is you."
	}
	return words(link(address, "Link your account"), first+fmt.Sprintf(" The link is good for %s, once. Do not pass it on.", span(linkLife))), nil
}

// help says how to write commands, and first what was wrong with one.
func help(wrong string) reply {
	var lines []string
	if wrong != "" {
		lines = append(lines, escaped(wrong))
	}
	for _, v := range verbs() {
		forms := []string{commands()[v]}
		if v != doShow && v != doRun { // of which one word is the other's alternative
			forms = strings.Split(commands()[v], " | ")
		}
		for _, form := range forms {
			lines = append(lines, "`/plumbline "+escaped(form)+"`")
		}
	}
	return words(append(lines, "Answers are for you alone; `--share` shows them to the channel.")...)
}
