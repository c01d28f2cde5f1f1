package checks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"plumbline/sources"
)

// Pair is what both sides hold, read just now, for one key and one copy.
type Pair struct {
	Key            sources.Key
	Owner, Replica *sources.Record // nil where a side holds nothing
	// Kind is how they differ, "" when they are equal or not compared.
	Kind DifferenceKind
	// Note says why, or why they are not compared.
	Note string
	// Fields are all compared fields, in the order of the rules.
	Fields []PairField
}

// PairField is one compared field of a pair.
type PairField struct {
	FieldDifference
	Equal bool // false also where nothing was compared: a side has no record, or an unreadable one
}

// Inspect reads one key of edge number i of a check on both sides, replica
// first, and judges it once: nothing is waited for, so a difference may be in
// flight. There is one Pair per copy, and at least one.
func Inspect(ctx context.Context, check *Check, i int, readers Readers, key sources.Key) ([]Pair, error) {
	e := newEdge(check, i, Options{}, time.Now())
	if err := e.open(readers); err != nil {
		return nil, err
	}
	for _, s := range []*side{e.owner, e.replica} {
		if err := s.learn(ctx); err != nil {
			return nil, err
		}
	}
	canonical, err := canonicalKey(key, e.owner.mine, e.owner.other)
	if err != nil {
		return nil, err
	}
	g, err := e.readGiven(ctx, []sources.Key{canonical})
	if err != nil {
		return nil, err
	}
	one := g.groups[0]
	replicas := one.replicas
	if len(replicas) == 0 {
		replicas = []*sources.Record{nil}
	}
	var pairs []Pair
	for n, replica := range replicas {
		owner := one.pick(OwnerSide)
		p := e.pair(canonical, owner, replica)
		if n > 0 && !check.Edges[i].Copies() {
			p.Kind, p.Note = Duplicate, "the replica has this key more than once"
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

func (e *edge) pair(key sources.Key, owner, replica *sources.Record) Pair {
	v := e.comparison.judge(owner, replica)
	p := Pair{Key: key, Owner: owner, Replica: replica, Kind: v.kind, Note: v.reason}
	switch {
	case v.outcome == outcomeOutOfScope:
		p.Note = "the owner's record is out of scope (where)"
	case v.outcome == outcomeIgnored:
		p.Note = "only one side has it, which this check ignores"
	case owner == nil && replica == nil:
		p.Note = "neither side has it"
	}
	differ := map[string]FieldDifference{}
	for _, f := range v.fields {
		differ[f.Owner+"\x00"+f.Replica+"\x00"+f.Rule] = f
	}
	for i := range e.comparison.Rules {
		r := &e.comparison.Rules[i]
		f := FieldDifference{Owner: r.Owner.Name, Replica: r.Replica.Name, Rule: r.Words(), Mask: r.Mask}
		f.OwnerValue, f.ReplicaValue = fieldOf(owner, i), fieldOf(replica, i)
		id := f.Owner + "\x00" + f.Replica + "\x00" + f.Rule
		d, differs := differ[id]
		delete(differ, id)
		f.Note = d.Note
		p.Fields = append(p.Fields, PairField{f, !differs && owner != nil && replica != nil && v.kind != Unreadable})
	}
	for _, f := range v.fields {
		if _, left := differ[f.Owner+"\x00"+f.Replica+"\x00"+f.Rule]; left { // an invariant
			p.Fields = append(p.Fields, PairField{FieldDifference: f})
		}
	}
	return p
}

func fieldOf(r *sources.Record, i int) sources.Value {
	if r == nil || i >= len(r.Fields) {
		return sources.Value{}
	}
	return r.Fields[i]
}

// readGiven reads canonical keys on both sides, replica first.
func (e *edge) readGiven(ctx context.Context, keys []sources.Key) (*groups, error) {
	g := newGroups()
	for _, key := range keys {
		g.add(key, nil, OwnerSide)
	}
	for _, s := range []*side{e.replica, e.owner} {
		err := s.lookup(ctx, g.keys, func(key string, r *sources.Record) { g.meet(g.byKey[key], r, s.role) })
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}

// compareGiven compares keys, each as the owner writes it, instead of scanning.
func (e *edge) compareGiven(ctx context.Context, given []sources.Key) (*Part, error) {
	var keys []sources.Key
	for _, key := range given {
		canonical, err := canonicalKey(key, e.owner.mine, e.owner.other)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", key, err)
		}
		keys = append(keys, canonical)
	}
	g, err := e.readGiven(ctx, keys)
	if err == nil {
		err = e.unchanged(ctx)
	}
	if err != nil {
		return nil, e.explained(ctx, err)
	}
	y := &Part{Records: int64(len(keys)), Done: true}
	for _, one := range g.groups {
		if len(one.owners)+len(one.replicas) == 0 {
			y.skip(fmt.Sprintf("key %s: neither side has it", one.key))
			continue
		}
		y.Counts.OwnerRecords += int64(len(one.owners))
		y.Counts.ReplicaRecords += int64(len(one.replicas))
		if err := e.noteGroup(y, one, true); err != nil {
			return nil, err
		}
	}
	return y, nil
}

// ParseKey reads a key from a person's text: the parts divided by commas, each
// as the owner's declared kind (an unsigned integer beyond 64 bits with a sign as
// the decimal that it is there), or, where the store declares none, as an integer
// where it looks like one and a text otherwise.
func ParseKey(text string, kinds []sources.Kind) (sources.Key, error) {
	parts := splitKey(text)
	if len(kinds) == 1 {
		parts = []string{text} // a single part may hold commas
	}
	if len(parts) != len(kinds) {
		return nil, fmt.Errorf("key %q has %d parts, the check's has %d: write them divided by commas", text, len(parts), len(kinds))
	}
	key := make(sources.Key, len(parts))
	for i, part := range parts {
		v := sources.Text(part)
		switch n, isInt := sources.ParseInt(part); {
		case kinds[i] == sources.KindAbsent && isInt:
			v = sources.Int(n)
		case kinds[i] != sources.KindAbsent:
			var err error
			kind := kinds[i]
			if u, late := strconv.ParseUint(part, 10, 64); kind == sources.KindInt && late == nil && u > math.MaxInt64 {
				kind = sources.KindDecimal
			}
			if v, err = sources.As(v, kind, nil); err != nil {
				return nil, fmt.Errorf("key %q: %w", text, err)
			}
		}
		key[i] = v
	}
	if !key.Whole() {
		return nil, errors.New("a key may not be empty")
	}
	return key, nil
}

// splitKey splits at commas that no backslash precedes.
func splitKey(text string) []string {
	parts := []string{""}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == ',' || text[i+1] == '\\'):
			i++
			parts[len(parts)-1] += text[i : i+1]
		case text[i] == ',':
			parts = append(parts, "")
		default:
			parts[len(parts)-1] += text[i : i+1]
		}
	}
	return parts
}
