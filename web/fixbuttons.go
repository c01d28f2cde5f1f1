package web

import (
	"plumbline/access"
	"plumbline/reconciler"
)

// fixButtons are what whoever looks may do with a plan; "" for what is not possible.
// The ledger decides again when a button is pressed.
type fixButtons struct {
	AskURL, RehearseURL, WithdrawURL, UndoURL string
	WithdrawName, UndoName                    string
	// ApproveName and ApplyName lead to a question first.
	ApproveName, ApplyName string
	FreezeURL, ResumeURL   string
}

// fixConfirm asks once more, with the count, before a plan is approved or applied.
type fixConfirm struct {
	Heading, Text, Action, Name, Class, Back string
}

// stopped says whether a plan stopped before its end and may be begun again.
func stopped(p *reconciler.Plan) bool {
	return (p.State == reconciler.PartlyApplied || p.State == reconciler.Failed) && p.Counts[reconciler.Pending] > 0
}

// undoable is how many of a plan's records can be taken back.
func undoable(p *reconciler.Plan) int64 {
	if p.By != reconciler.Write || p.Undoes != "" || p.UndoneBy != "" || p.State == reconciler.Applying || p.State == reconciler.Undone {
		return 0
	}
	return p.Counts[reconciler.ItemApplied] + p.Counts[reconciler.ItemVerified]
}

func buttonsOf(p *reconciler.Plan, actor access.Actor) fixButtons {
	b, path, words := fixButtons{}, fixURL(p.ID), kindWords(p)
	act, approve := actor.May(access.Act), actor.May(access.Approve)
	waits := p.State == reconciler.Draft || p.State == reconciler.Waiting
	if act && (waits || p.State == reconciler.Approved) {
		b.RehearseURL, b.WithdrawURL, b.WithdrawName = path+"/rehearse", path+"/withdraw", "Withdraw"
		if waits && approve && !drafted(p, actor) {
			b.WithdrawName = "Reject"
		}
	}
	if act && p.State == reconciler.Applying && p.Counts[reconciler.Pending] > 0 {
		b.WithdrawURL, b.WithdrawName = path+"/withdraw", "Withdraw what is left"
	}
	if act && p.State == reconciler.Draft && p.Needs > 0 && !alone(actor) {
		b.AskURL = path + "/ask"
	}
	if approve && waits && p.Needs > 0 && !alone(actor) && !drafted(p, actor) && !approved(p, actor) {
		b.ApproveName = "Approve " + words
	}
	switch {
	case p.State == reconciler.Approved && act, waits && p.Needs == 0 && approve:
		b.ApplyName = "Apply " + words
	case stopped(p) && act:
		b.ApplyName = "Go on with " + several(p.Counts[reconciler.Pending], "record", "records")
	}
	if n := undoable(p); n > 0 && act {
		b.UndoURL, b.UndoName = path+"/undo", "Undo "+several(n, "record", "records")
	}
	return b
}

// approved says whether whoever asks has approved a plan already.
func approved(p *reconciler.Plan, actor access.Actor) bool {
	for _, a := range p.Approvals {
		if isPerson(a.By, actor) {
			return true
		}
	}
	return false
}

// confirmOf is the question before an act; nil where it is not asked for, or the
// act is not possible by now.
func confirmOf(p *reconciler.Plan, b *fixButtons, act string) *fixConfirm {
	words := kindWords(p)
	switch {
	case act == "approve" && b.ApproveName != "":
		return &fixConfirm{Heading: "Approve " + p.ID + ": " + words + " in " + p.Replica + "?", Action: fixURL(p.ID) + "/approve", Name: "Yes, approve " + words, Class: "main", Back: fixURL(p.ID),
			Text: "Your name stands for exactly what is shown below, as the hash " + shortHash(p.Hash) + " says. Another plan, or another record, needs another approval."}
	case act == "apply" && b.ApplyName != "":
		c := &fixConfirm{Heading: b.ApplyName + " in " + p.Replica + "?", Action: fixURL(p.ID) + "/apply", Name: "Yes, apply " + words, Class: "danger", Back: fixURL(p.ID),
			Text: "Each record is read again and changed only if it is still what the plan says. A write can be taken back afterwards by a plan of its own, as long as nobody changes the record meanwhile."}
		if stopped(p) {
			c.Name = "Yes, go on with " + several(p.Counts[reconciler.Pending], "record", "records")
		}
		if p.By == reconciler.Request {
			c.Text = "The service is asked to change each record that is still what the plan says. A request cannot be taken back from here."
		}
		return c
	}
	return nil
}
