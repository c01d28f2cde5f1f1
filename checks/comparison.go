package checks

import (
	"time"

	"plumbline/sources"
)

// Comparison is one edge of a check made ready: which fields are read on each
// side, and how a pair of records is judged. It is pure and never changes.
type Comparison struct {
	Check *Check
	Edge  *Edge
	// Owner and Replica are the datasets with the fields this edge needs: one
	// per rule, in the order of Rules, then what invariants and versions need.
	Owner, Replica sources.Dataset
	// Rules are those compared now; Ignored those left out until a date.
	Rules, Ignored []Rule

	ownerFields, replicaFields map[string]int
	// indexes in Owner.Fields and Replica.Fields, or -1
	ownerVersion, replicaVersion int
}

// Compile makes edge number i of check ready as of now.
func Compile(check *Check, i int, now time.Time) *Comparison {
	c := &Comparison{Check: check, Edge: &check.Edges[i], ownerVersion: -1, replicaVersion: -1,
		ownerFields: map[string]int{}, replicaFields: map[string]int{}}
	c.Owner, c.Replica = check.Owner.Dataset, c.Edge.Replica.Dataset
	c.Owner.Fields, c.Replica.Fields = nil, nil
	for _, r := range c.Edge.Rules {
		if now.Before(r.IgnoreUntil) {
			c.Ignored = append(c.Ignored, r)
			continue
		}
		c.Rules = append(c.Rules, r)
		c.Owner.Fields = append(c.Owner.Fields, r.Owner.Name)
		c.Replica.Fields = append(c.Replica.Fields, r.Replica.Name)
	}
	for i, name := range c.Owner.Fields {
		c.ownerFields[name] = i
	}
	for i, name := range c.Replica.Fields {
		c.replicaFields[name] = i
	}
	for _, inv := range c.Edge.Invariants {
		for _, name := range inv.Program.owner {
			need(&c.Owner, c.ownerFields, name)
		}
		for _, name := range inv.Program.replica {
			need(&c.Replica, c.replicaFields, name)
		}
	}
	if v := check.Owner.Version; v != "" {
		c.ownerVersion = need(&c.Owner, c.ownerFields, v)
		if w := c.Edge.Replica.Version; w != "" {
			c.replicaVersion = need(&c.Replica, c.replicaFields, w)
		}
	}
	return c
}

func need(d *sources.Dataset, index map[string]int, name string) int {
	i, ok := index[name]
	if !ok {
		i = len(d.Fields)
		d.Fields = append(d.Fields, name)
		index[name] = i
	}
	return i
}

// rawEqual says whether equal raw bytes prove two records equal: every rule
// plain, and nothing else to judge by.
func (c *Comparison) rawEqual() bool {
	if len(c.Edge.Invariants) > 0 || c.Owner.DeletedWhen != "" || c.Replica.DeletedWhen != "" || c.Owner.Where != "" ||
		len(c.Replica.Fields) != len(c.Rules) || len(c.Owner.ID)+len(c.Replica.ID) > 0 {
		return false
	}
	for _, r := range c.Rules {
		if !r.plain() {
			return false
		}
	}
	return true
}

// ownerState is what settle watches: whether the owner has the record, and the
// values that are compared or declared as its version.
func (c *Comparison) ownerState(r *sources.Record) sources.Fingerprint {
	if r == nil {
		return sources.FingerprintOf(nil)
	}
	state := []sources.Value{sources.Bool(r.Deleted), sources.Bool(r.OutOfScope), sources.Text(r.Unreadable)}
	return sources.FingerprintOf(append(state, r.Fields...))
}
