package checks

import (
	"fmt"

	"plumbline/sources"
)

// outcome is what became of one pair of records.
type outcome uint8

const (
	outcomeEqual outcome = iota
	outcomeDiffers
	outcomeSkipped    // there, but not read: not compared
	outcomeOutOfScope // the owner's record is there, but not one this check is about
	outcomeIgnored    // missing or extra, which this edge does not report
)

// verdict is the judgement of one pair of records.
type verdict struct {
	outcome outcome
	kind    DifferenceKind
	reason  string // of a skip, or of a difference
	fields  []FieldDifference
}

// judge compares what the owner and the replica hold for one key (and id); nil
// is a side that holds nothing. Deleted on both sides, and deleted on one and
// absent on the other, is equal.
func (c *Comparison) judge(owner, replica *sources.Record) verdict {
	switch {
	case owner != nil && owner.Skipped != "":
		return verdict{outcome: outcomeSkipped, reason: "owner: " + owner.Skipped}
	case replica != nil && replica.Skipped != "":
		return verdict{outcome: outcomeSkipped, reason: "replica: " + replica.Skipped}
	case owner != nil && owner.OutOfScope:
		return verdict{outcome: outcomeOutOfScope}
	case owner == nil && c.Edge.IgnoreExtra:
		return verdict{outcome: outcomeIgnored}
	}
	ownerLives := owner != nil && !owner.Deleted
	replicaLives := replica != nil && !replica.Deleted
	switch {
	case !ownerLives && !replicaLives:
		return verdict{}
	case !ownerLives && c.Edge.IgnoreExtra, !replicaLives && c.Edge.IgnoreMissing:
		return verdict{outcome: outcomeIgnored}
	case !ownerLives:
		return verdict{outcome: outcomeDiffers, kind: Extra, reason: deletedReason(owner, "owner")}
	case !replicaLives:
		return verdict{outcome: outcomeDiffers, kind: Missing, reason: deletedReason(replica, "replica")}
	case owner.Unreadable != "":
		return verdict{outcome: outcomeDiffers, kind: Unreadable, reason: "owner: " + owner.Unreadable}
	case replica.Unreadable != "":
		return verdict{outcome: outcomeDiffers, kind: Unreadable, reason: "replica: " + replica.Unreadable}
	}
	if fields := c.judgeFields(owner, replica); len(fields) > 0 {
		return verdict{outcome: outcomeDiffers, kind: Mismatch, fields: fields}
	}
	return verdict{}
}

func deletedReason(r *sources.Record, side string) string {
	if r != nil && r.Deleted {
		return side + " has it marked deleted"
	}
	return ""
}

func (c *Comparison) judgeFields(owner, replica *sources.Record) (differ []FieldDifference) {
	for i := range c.Rules {
		r := &c.Rules[i]
		equal, note := r.judge(owner.Fields[i], replica.Fields[i])
		if !equal {
			differ = append(differ, FieldDifference{Owner: r.Owner.Name, Replica: r.Replica.Name,
				OwnerValue: owner.Fields[i], ReplicaValue: replica.Fields[i], Rule: r.Words(), Note: note, Mask: r.Mask})
		}
	}
	for _, inv := range c.Edge.Invariants {
		holds, err := inv.Program.holds(
			func(name string) sources.Value { return owner.Fields[c.ownerFields[name]] },
			func(name string) sources.Value { return replica.Fields[c.replicaFields[name]] })
		note := "does not hold"
		if err != nil {
			note = fmt.Sprintf("cannot be told: %v", err)
		}
		if err != nil || !holds {
			differ = append(differ, c.brokenInvariant(inv, owner, replica, note))
		}
	}
	return differ
}

// brokenInvariant shows an invariant as a field whose two values are documents
// of what it looked at. It hides them where any rule hides one of them.
func (c *Comparison) brokenInvariant(inv Invariant, owner, replica *sources.Record, note string) FieldDifference {
	d := FieldDifference{Rule: "invariant " + inv.Name + ": " + inv.Expr, Note: note}
	d.OwnerValue = c.looked(inv.Program.owner, owner.Fields, c.ownerFields)
	d.ReplicaValue = c.looked(inv.Program.replica, replica.Fields, c.replicaFields)
	for _, r := range c.Edge.Rules {
		for _, name := range inv.Program.owner {
			if name == r.Owner.Name {
				d.Mask = max(d.Mask, r.Mask)
			}
		}
		for _, name := range inv.Program.replica {
			if name == r.Replica.Name {
				d.Mask = max(d.Mask, r.Mask)
			}
		}
	}
	return d
}

func (c *Comparison) looked(names []string, values []sources.Value, index map[string]int) sources.Value {
	fields := make([]sources.Field, len(names))
	for i, name := range names {
		fields[i] = sources.Field{Name: name, Value: values[index[name]]}
	}
	v, err := sources.DocumentOf(fields)
	if err != nil { // a program names each field once
		panic(err)
	}
	return v
}
