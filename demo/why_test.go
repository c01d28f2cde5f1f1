package demo

import (
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

func mismatch(fields ...checks.FieldDifference) checks.Difference {
	return checks.Difference{Kind: checks.Mismatch, Fields: fields}
}

func differs(name string, owner, replica sources.Value) checks.FieldDifference {
	return checks.FieldDifference{Owner: name, Replica: name, OwnerValue: owner, ReplicaValue: replica}
}

// kept is a difference as the ledger keeps it.
func kept(d checks.Difference) *drift.Finding {
	lens := drift.Lens{Masker: drift.NewMasker(drift.NewMaskKey()), Scrub: func(s string) string { return s }}
	return &drift.Finding{Kind: d.Kind, Reason: d.Reason, Fields: lens.Fields(&d)}
}

func TestWhy(t *testing.T) {
	t.Parallel()
	text, number := sources.Text, sources.Int
	at := func(s string) sources.Value {
		v, ok := sources.ParseTime(s, time.UTC)
		if !ok {
			t.Fatalf("%q is no time", s)
		}
		return v
	}
	masked := differs("email", text("12.50"), text("12"))
	masked.Mask = checks.MaskFull
	tests := []struct {
		name       string
		difference checks.Difference
		versioned  bool
		want       string
	}{
		{"an owner that marks it deleted", checks.Difference{Kind: checks.Extra, Reason: "owner has it marked deleted"}, false, "the owner deleted it"},
		{"an owner without it", checks.Difference{Kind: checks.Extra}, false, "the owner has none"},
		{"a replica without it", checks.Difference{Kind: checks.Missing}, false, "never arrived"},
		{"twice", checks.Difference{Kind: checks.Duplicate, Reason: "the replica has 2 records of this key"}, false, "held more than once"},
		{"a version behind", mismatch(differs("price", text("2.00"), text("1.00")), differs("version", number(4), number(3))), true, "older by one version"},
		{"versions behind", mismatch(differs("version", number(9), number(3))), true, "older by 6 versions"},
		{"a version ahead", mismatch(differs("version", number(3), number(4))), true, "newer by one version"},
		{"a version that is none", mismatch(differs("version", number(3), text("x"))), true, "another version"},
		{"half a change", mismatch(differs("street", text("Mill Lane"), text("Quay Side"))), true, "same version, other content"},
		{"no version to tell by", mismatch(differs("street", text("Mill Lane"), text("Quay Side"))), false, "another value"},
		{"a cut name", mismatch(differs("name", text("Merino running socks, brick red"), text("MERINO RUNNING SOCKS"))), true, "cut at 20 characters"},
		{"a cut name of wide characters", mismatch(differs("name", text("Ærø øl"), text("Ærø"))), true, "cut at 3 characters"},
		{"nothing is no cut", mismatch(differs("name", text("Ærø"), text(""))), false, "another value"},
		{"two hours ahead, as texts", mismatch(differs("at", text("2026-05-04T09:30:00Z"), text("2026-05-04 11:30:00"))), true, "replica = owner + 2 h"},
		{"behind by part of an hour", mismatch(differs("at", at("2026-05-04T09:30:00Z"), at("2026-05-04T04:00:00Z"))), false, "replica = owner − 5 h 30 min"},
		{"seconds are no time zone", mismatch(differs("at", at("2026-05-04T09:30:00Z"), at("2026-05-04T09:30:07Z"))), false, "another value"},
		{"days are no time zone", mismatch(differs("at", at("2026-05-04T09:30:00Z"), at("2026-05-06T09:30:00Z"))), false, "another value"},
		{"rounded up", mismatch(differs("price", text("12.55"), text("13.00"))), true, "rounded to a whole number"},
		{"rounded down", mismatch(differs("price", text("12.35"), text("12.00"))), true, "rounded to a whole number"},
		{"cut, not rounded", mismatch(differs("price", text("12.85"), text("12"))), true, "cut to a whole number"},
		{"a sum short", mismatch(differs("revenue", sources.Float(812.5), sources.Float(800.25))), false, "replica = owner − 12.25"},
		{"one too many", mismatch(differs("orders", number(50), number(51))), false, "replica = owner + 1"},
		{"two fields, each for its own reason", mismatch(differs("orders", number(50), number(51)), differs("revenue", text("1.5"), text("1.75"))), false,
			"replica = owner + 1, replica = owner + 0.25"},
		{"a masked value tells nothing", mismatch(masked), false, "another value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := why(kept(test.difference), "version", test.versioned); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
