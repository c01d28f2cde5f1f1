package web

import (
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// sign is a state as a page shows it: a colour, an icon and a word, so that no
// colour speaks alone.
type sign struct {
	Tone  string // ok | drift | warn | unknown | info | idle
	Icon  string // a symbol of templates/layout.html
	Word  string
	Title string
}

func signOfConsistency(c drift.Consistency) sign {
	switch c {
	case drift.InSync:
		return sign{Tone: "ok", Icon: "ok", Word: string(c), Title: "every record of the last run agreed, or has been put right since"}
	case drift.InSample:
		return sign{Tone: "info", Icon: "ok", Word: string(c), Title: "of the records that were drawn none differs; of the others no more than that may"}
	case drift.Drifted:
		return sign{Tone: "drift", Icon: "drift", Word: string(c), Title: "records differ and were confirmed to"}
	}
	return sign{Tone: "unknown", Icon: "unknown", Word: string(drift.Unknown), Title: "nothing may be said: the check has not been able to read what it needs"}
}

// signOfStanding is signOfConsistency that says how much a sample leaves open.
func signOfStanding(s *drift.Standing) sign {
	shown := signOfConsistency(s.Consistency)
	if s.Consistency == drift.InSample {
		shown.Word = s.Words()
	}
	return shown
}

func signOfHealth(h drift.Health) sign {
	switch h {
	case drift.OK:
		return sign{Tone: "ok", Icon: "ok", Word: string(h), Title: "runs end on time and read all they set out to"}
	case drift.Failing:
		return sign{Tone: "warn", Icon: "warn", Word: string(h), Title: "the last run could not read all it had to"}
	case drift.Throttled:
		return sign{Tone: "info", Icon: "wait", Word: string(h), Title: "a source is too busy to be read just now; the run goes on when it is not"}
	case drift.Stale:
		return sign{Tone: "warn", Icon: "wait", Word: string(h), Title: "no run has succeeded for 2.5 intervals of the schedule"}
	}
	return sign{Tone: "idle", Icon: "pause", Word: "by hand", Title: "it has no schedule, and runs when somebody asks"}
}

func signOfResult(r checks.Result) sign {
	switch r {
	case checks.Clean:
		return sign{Tone: "ok", Icon: "ok", Word: "clean"}
	case checks.Drift:
		return sign{Tone: "drift", Icon: "drift", Word: "drift"}
	case checks.Incomplete:
		return sign{Tone: "warn", Icon: "warn", Word: "incomplete", Title: "not everything was read"}
	case checks.Error:
		return sign{Tone: "unknown", Icon: "unknown", Word: "error", Title: "nothing could be read"}
	case checks.Cancelled:
		return sign{Tone: "idle", Icon: "stop", Word: "cancelled"}
	}
	return sign{Tone: "idle", Icon: "dot", Word: "no result yet"}
}

// signOfRun is a run's result once it has one that stands, and before that what
// it is doing.
func signOfRun(r *ledger.Run) sign {
	switch r.State {
	case ledger.Queued:
		return sign{Tone: "info", Icon: "wait", Word: "queued", Title: "waits for a worker"}
	case ledger.Running:
		if r.CancelRequested {
			return sign{Tone: "info", Icon: "stop", Word: "stopping", Title: "ends at its next page"}
		}
		return sign{Tone: "info", Icon: "run", Word: "running"}
	case ledger.Settling:
		return sign{Tone: "info", Icon: "eye", Word: "confirming", Title: "its scan has ended; suspects are read again once they have settled"}
	}
	return signOfResult(r.Result)
}

func signOfFinding(s drift.State) sign {
	switch s {
	case drift.Confirmed:
		return sign{Tone: "drift", Icon: "drift", Word: "confirmed"}
	case drift.Regressed:
		return sign{Tone: "drift", Icon: "run", Word: "regressed", Title: "it was resolved, and differs again"}
	case drift.Acknowledged:
		return sign{Tone: "info", Icon: "eye", Word: "acknowledged"}
	case drift.Muted:
		return sign{Tone: "idle", Icon: "mute", Word: "muted"}
	case drift.Fixing:
		return sign{Tone: "info", Icon: "run", Word: "fixing"}
	case drift.Resolved:
		return sign{Tone: "ok", Icon: "ok", Word: "resolved"}
	}
	return sign{Tone: "idle", Icon: "dot", Word: string(s)}
}

func signOfKind(k checks.DifferenceKind) sign {
	words := map[checks.DifferenceKind]string{
		checks.Mismatch:   "both have the record, and a field differs",
		checks.Missing:    "the owner has the record, the replica lacks it",
		checks.Extra:      "the replica has the record, the owner lacks it",
		checks.Duplicate:  "one side has the record more than once",
		checks.Unreadable: "the record was delivered, and cannot be read as what it should be",
	}
	return sign{Tone: "idle", Icon: "dot", Word: string(k), Title: words[k]}
}

// signOfAge says how a copy stands to its owner by their declared versions.
func signOfAge(a checks.Age) (sign, bool) {
	switch a {
	case checks.Stale:
		return sign{Tone: "warn", Icon: "wait", Word: "stale", Title: "the replica's version is older: a change has not reached it"}, true
	case checks.Diverged:
		return sign{Tone: "drift", Icon: "drift", Word: "diverged", Title: "the versions agree and the values do not"}, true
	case checks.Ahead:
		return sign{Tone: "warn", Icon: "warn", Word: "ahead", Title: "the replica's version is newer than the owner's"}, true
	}
	return sign{}, false
}
