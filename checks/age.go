package checks

import (
	"github.com/cockroachdb/apd/v3"

	"plumbline/sources"
	"plumbline/sources/condition"
)

// Age says how a replica's record relates to the owner's by their declared
// versions; "" where either side declares none, or they cannot be ordered.
type Age string

// The ages of a copy that differs.
const (
	Stale    Age = "stale"    // the replica's version is older: a change has not reached it
	Diverged Age = "diverged" // the versions agree and the values do not
	Ahead    Age = "ahead"    // the replica's version is newer than the owner's
)

// age compares the versions of two records, both of which live.
func (c *Comparison) age(owner, replica *sources.Record) (age Age, ownerVersion, replicaVersion sources.Value) {
	if c.ownerVersion < 0 || c.replicaVersion < 0 || owner == nil || replica == nil ||
		len(owner.Fields) <= c.ownerVersion || len(replica.Fields) <= c.replicaVersion {
		return "", sources.Value{}, sources.Value{}
	}
	o, r := owner.Fields[c.ownerVersion], replica.Fields[c.replicaVersion]
	if o.IsAbsent() || o.IsNull() || r.IsAbsent() || r.IsNull() {
		return "", o, r
	}
	if equal, _ := (&Rule{}).judge(o, r); equal {
		return Diverged, o, r
	}
	switch order, ok := ordered(o, r); {
	case !ok:
		return "", o, r
	case order > 0:
		return Stale, o, r
	case order < 0:
		return Ahead, o, r
	}
	return Diverged, o, r
}

// ordered compares two numbers or two instants; ok is false for anything else.
func ordered(a, b sources.Value) (order int, ok bool) {
	if a.Kind().Number() && b.Kind().Number() {
		x, xok := condition.Number(a)
		y, yok := condition.Number(b)
		if !xok || !yok || x.Form != apd.Finite || y.Form != apd.Finite {
			return 0, false
		}
		return x.Cmp(y), true
	}
	if a.Kind() == sources.KindTime && b.Kind() == sources.KindTime && a.Naive() == b.Naive() && a.Infinite() == 0 && b.Infinite() == 0 {
		return a.AsTime().Compare(b.AsTime()), true
	}
	return 0, false
}
