package web

import (
	"strings"

	"plumbline/access"
	"plumbline/reconciler"
	"plumbline/sources"
)

func signOfPlan(p *reconciler.Plan) sign {
	switch p.State {
	case reconciler.Draft:
		return sign{Tone: "idle", Icon: "dot", Word: string(p.State), Title: "nothing is changed yet, and nobody was asked"}
	case reconciler.Waiting:
		return sign{Tone: "warn", Icon: "wait", Word: string(p.State), Title: "nothing is changed yet"}
	case reconciler.Approved:
		return sign{Tone: "info", Icon: "ok", Word: string(p.State), Title: "it may be applied; nothing is changed yet"}
	case reconciler.Applying:
		return sign{Tone: "info", Icon: "run", Word: string(p.State)}
	case reconciler.Applied:
		return sign{Tone: "ok", Icon: "ok", Word: string(p.State)}
	case reconciler.PartlyApplied:
		return sign{Tone: "warn", Icon: "warn", Word: string(p.State), Title: "some records were put right, and some were not"}
	case reconciler.Stale:
		return sign{Tone: "warn", Icon: "wait", Word: string(p.State), Title: "what it was about was changed since: nothing was put right"}
	case reconciler.Failed:
		return sign{Tone: "drift", Icon: "warn", Word: string(p.State)}
	case reconciler.Undone:
		return sign{Tone: "idle", Icon: "run", Word: string(p.State), Title: "another plan took back what it had changed"}
	}
	return sign{Tone: "idle", Icon: "stop", Word: string(p.State), Title: "nothing of it will be applied"}
}

func signOfItem(s reconciler.ItemState) sign {
	switch s {
	case reconciler.Pending:
		return sign{Tone: "idle", Icon: "dot", Word: string(s), Title: "nothing was done yet"}
	case reconciler.Doubtful:
		return sign{Tone: "warn", Icon: "unknown", Word: string(s), Title: "it was to be written, and whether it was is not known yet"}
	case reconciler.ItemSent:
		return sign{Tone: "info", Icon: "wait", Word: string(s), Title: "the service took the request; its effect was not seen yet"}
	case reconciler.ItemApplied:
		return sign{Tone: "info", Icon: "ok", Word: string(s), Title: "written; both sides were not read since"}
	case reconciler.ItemVerified:
		return sign{Tone: "ok", Icon: "ok", Word: string(s), Title: "written, and both sides were read since and agree"}
	case reconciler.ItemStale:
		return sign{Tone: "warn", Icon: "wait", Word: string(s), Title: "the record was changed since: it was not touched"}
	}
	return sign{Tone: "drift", Icon: "warn", Word: string(s)}
}

// kindWords say what a plan does: 412 updates, 3 deletes.
func kindWords(p *reconciler.Plan) string {
	var words []string
	for _, k := range []struct {
		kind      sources.ChangeKind
		one, many string
	}{{sources.Update, "update", "updates"}, {sources.Insert, "insert", "inserts"}, {sources.Delete, "delete", "deletes"}} {
		if n := p.Kinds[k.kind]; n > 0 {
			words = append(words, several(n, k.one, k.many))
		}
	}
	if len(words) == 0 {
		return several(p.Items(), "record", "records")
	}
	return strings.Join(words, ", ")
}

func routeWords(by reconciler.Route) string {
	if by == reconciler.Request {
		return "asks the service over HTTP"
	}
	return "writes to the replica's store"
}

// needWords say whose approval a plan needs and has.
func needWords(p *reconciler.Plan) string {
	if p.Needs == 0 {
		return "no second person"
	}
	words := several(int64(p.Needs), "approval", "approvals")
	if have := len(p.Approvals); have > 0 {
		return words + ", has " + exact(int64(have))
	}
	if !p.Auto && p.DraftedBy.Name != "" {
		words += " (not " + p.DraftedBy.Name + ")"
	}
	return words
}

// shortHash is as much of a hash as people compare.
func shortHash(hash string) string {
	if len(hash) < 20 {
		return hash
	}
	return hash[:12] + "…" + hash[len(hash)-4:]
}

func safetyName(name string) string { return strings.ReplaceAll(name, "_", " ") }

// outcomeWords join numbers as a sentence does, leaving out what is none; where all
// is none, the first says so.
func outcomeWords(facts []fact) string {
	var words []string
	for _, f := range facts {
		if f.Text != "0" {
			words = append(words, f.Text+" "+f.Name)
		}
	}
	if len(words) == 0 {
		return facts[0].Text + " " + facts[0].Name
	}
	return strings.Join(words, ", ")
}

// freezeWords say who froze what, and why.
func freezeWords(f *reconciler.Freeze) string {
	words := "All fixes are frozen"
	if f.Check != "" {
		words = "Fixes of " + f.Check + " are frozen"
	}
	if f.By != "" {
		words += " by " + f.By
	}
	words += " since " + f.At.UTC().Format("2006-01-02 15:04") + ". No record is written until somebody who may approve lifts it."
	if f.Reason != "" {
		words += " Reason: " + f.Reason
	}
	return words
}

// alone says whether whoever asks is the local user: then there are no accounts,
// and nobody else.
func alone(actor access.Actor) bool {
	return !actor.Anonymous() && actor.Account == "" && actor.Token == ""
}

// drafted says whether a plan was drafted by whoever asks.
func drafted(p *reconciler.Plan, actor access.Actor) bool {
	return !p.Auto && isPerson(p.DraftedBy, actor)
}

// isPerson says whether somebody is whoever asks, as far as can be told.
func isPerson(p reconciler.Person, actor access.Actor) bool {
	return access.SamePerson(p.Account, p.Name, actor.Account, actor.Name)
}

// nextWords say what is to be done with a plan, as far as whoever asks may do it.
func nextWords(p *reconciler.Plan, actor access.Actor) string {
	switch p.State {
	case reconciler.Draft, reconciler.Waiting:
		return beforeApproval(p, actor)
	case reconciler.Approved:
		return "Approved by as many as it needs. Nothing is changed before somebody applies it; then each record is read again first, and one that was changed since is left alone."
	}
	if stopped(p) {
		return "It stopped before its end: " + several(p.Counts[reconciler.Pending], "record was", "records were") + " not reached. Look at what failed, then go on with the rest, or draft a new plan."
	}
	return ""
}

func beforeApproval(p *reconciler.Plan, actor access.Actor) string {
	switch {
	case p.Needs == 0 && actor.May(access.Approve):
		return "This check's fixes need no second person: look through the records, then apply the plan. Each record is read again first, and one that was changed since is left alone."
	case p.Needs == 0:
		return "This check's fixes need no second person, but one who may approve: an approver or an admin applies it."
	case alone(actor):
		return "Somebody else must approve it, and there are no accounts: make some with plumbline user add, or set fix.approvals to 0 in the check's configuration."
	case drafted(p, actor):
		return "Somebody else must approve it, since you drafted it: another approver or an admin. Nothing is changed before."
	case !actor.May(access.Approve):
		return "An approver or an admin other than who drafted it approves it. Nothing is changed before."
	}
	return "Look through the records: approving it lets these changes be made, as its hash says, and no others. Nothing is changed by the approval itself."
}
