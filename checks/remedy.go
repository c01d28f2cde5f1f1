package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// Holding is what both sides hold of a suspect, each record as its side delivered it.
type Holding struct {
	Suspect *Suspect
	// Owner and Replica are nil where that side has no record.
	Owner, Replica *sources.Record
	// Doubt says why nobody can tell which records are meant; "" where it is plain.
	Doubt string
}

// Holdings reads suspects again, the replica first and then the owner, and returns
// what both sides hold of each, in order.
func (a *Audit) Holdings(ctx context.Context, suspects []Suspect) ([]Holding, error) {
	e := a.edge
	pairs := make([]Holding, len(suspects))
	var readable []*Suspect
	for i := range suspects {
		pairs[i].Suspect = &suspects[i]
		if e.shaped(&suspects[i]) {
			readable = append(readable, &suspects[i])
		} else {
			pairs[i].Doubt = ClearedRedefined
		}
	}
	groups, err := e.readAgain(ctx, readable)
	if err != nil {
		return nil, err
	}
	for i := range pairs {
		p := &pairs[i]
		if p.Doubt != "" {
			continue
		}
		g := groups.byKey[p.Suspect.Key.Encode()]
		p.Owner, p.Replica = g.pick(OwnerSide), e.replicaOf(p.Suspect, g)
		replicas := g.extras(ReplicaSide)
		if e.comparison.Edge.Copies() {
			replicas = surplus(g.of(p.Suspect.ID))
		}
		switch {
		case g.extras(OwnerSide) > 0:
			p.Doubt = "the owner has several records of this key"
		case replicas > 0:
			p.Doubt = "the replica has several records of this key"
		}
	}
	return pairs, nil
}

// Owners reads the owner's records of canonical keys, each in its place; nil
// where it has none. doubt says, in the key's place, why nobody can tell which
// record is meant.
func (a *Audit) Owners(ctx context.Context, keys []sources.Key) (records []*sources.Record, doubt []string, err error) {
	g := newGroups()
	for _, k := range keys {
		g.add(k, nil, OwnerSide)
	}
	err = a.edge.owner.lookup(ctx, g.keys, func(key string, r *sources.Record) { g.meet(g.byKey[key], r, OwnerSide) })
	if err != nil {
		return nil, nil, err
	}
	records, doubt = make([]*sources.Record, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		one := g.byKey[k.Encode()]
		records[i] = one.pick(OwnerSide)
		if one.extras(OwnerSide) > 0 {
			doubt[i] = "the owner has several records of this key"
		}
	}
	return records, doubt, nil
}

// Remedy is what would make a replica's record agree with its owner's.
type Remedy struct {
	// Kind is how they differ now; "" where they agree, and then nothing is to be done.
	Kind DifferenceKind
	// Fields are those that differ, as judged.
	Fields []FieldDifference
	// Set is what the replica's fields that drifted are to hold, in the forms in
	// which the replica writes them; nil where the record is to be deleted, or made.
	Set []sources.Assignment
}

// ErrNoRemedy is wrapped by errors that say why nothing that is written to the
// replica alone would make the two agree.
var ErrNoRemedy = errors.New("cannot be put right by writing")

func noRemedy(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNoRemedy, fmt.Sprintf(format, args...))
}

// Remedy says what would make a replica's record agree with its owner's; types
// are what the replica's store declares of its fields. nil is a side that holds
// nothing. ErrNoRemedy where the difference is none of values (a duplicate, an
// unreadable record), or the replica has no form for an owner's value. Whether
// the result holds is for Agree to say, of what the store would make of it.
func (c *Comparison) Remedy(owner, replica *sources.Record, types map[string]sources.FieldType) (Remedy, error) {
	judged := c.judge(owner, replica)
	switch judged.outcome {
	case outcomeEqual, outcomeOutOfScope, outcomeIgnored:
		return Remedy{}, nil
	case outcomeSkipped:
		return Remedy{}, noRemedy("%s", judged.reason)
	}
	r := Remedy{Kind: judged.kind, Fields: judged.fields}
	switch judged.kind {
	case Unreadable, Duplicate:
		return r, noRemedy("%s", judged.reason)
	case Missing:
		if replica != nil {
			return r, noRemedy("%s", judged.reason)
		}
		return r, nil
	case Mismatch:
	default:
		return r, nil
	}
	for i := range c.Rules {
		rule := &c.Rules[i]
		if equal, _ := rule.judge(owner.Fields[i], replica.Fields[i]); equal {
			continue
		}
		value, err := rule.wanted(owner.Fields[i], replica.Fields[i], types[rule.Replica.Name])
		if err != nil {
			return r, noRemedy("%s: %v", rule.Replica.Name, err)
		}
		if r.Set, err = c.set(r.Set, rule.Replica.Name, value); err != nil {
			return r, err
		}
	}
	if len(r.Set) == 0 {
		return r, noRemedy("no field differs by itself, only what is asked of several: which of them is wrong, nobody can say")
	}
	return r, nil
}

// set adds an assignment, and refuses one that would make the record another, or
// that another assignment contradicts.
func (c *Comparison) set(all []sources.Assignment, field string, value sources.Value) ([]sources.Assignment, error) {
	replica := &c.Edge.Replica.Dataset
	if slices.Contains(replica.Key, field) || slices.Contains(replica.ID, field) ||
		slices.ContainsFunc(replica.Scope, func(s sources.Condition) bool { return s.Field == field }) {
		return all, noRemedy("%s is what the record is known by: written anew, it would be another record", field)
	}
	for _, a := range all {
		switch {
		case a.Field == field && a.Value.Equal(value):
			return all, nil
		case a.Field == field:
			return all, noRemedy("two rules want two values of %s", field)
		case strings.HasPrefix(a.Field, field+"."), strings.HasPrefix(field, a.Field+"."):
			return all, noRemedy("%s and %s lie in one another", a.Field, field)
		}
	}
	return append(all, sources.Assignment{Field: field, Value: value}), nil
}

// Agree is "" where two records agree, and otherwise says in which way they would
// not, without any of their values.
func (c *Comparison) Agree(owner, replica *sources.Record) string {
	judged := c.judge(owner, replica)
	switch {
	case judged.outcome == outcomeSkipped:
		return "the record was not read"
	case judged.outcome != outcomeDiffers:
		return ""
	case len(judged.fields) == 0:
		return string(judged.kind)
	}
	words := ""
	for i := range judged.fields {
		f := &judged.fields[i]
		if i > 0 {
			words += ", "
		}
		if f.Replica != "" {
			words += f.Replica
		} else {
			words += f.Rule
		}
	}
	return words
}

// OwnerState is a fingerprint of all that is compared of an owner's record, or
// that tells its version; nil is no record.
func (c *Comparison) OwnerState(owner *sources.Record) sources.Fingerprint {
	return c.ownerState(owner)
}

// wanted is the value that a replica's field is to hold so that the rule holds:
// the owner's, by the rule's map, in the kind that the store declares, or else in
// the one that the field has now, or in the owner's own.
func (r *Rule) wanted(owner, replica sources.Value, declared sources.FieldType) (sources.Value, error) {
	from, err := sources.As(owner, kindOr(r.Owner.As, owner), r.Owner.Zone)
	if err != nil {
		return from, fmt.Errorf("the owner's value: %w", err)
	}
	if r.Map != nil && !from.IsNull() && !from.IsAbsent() || r.mapsNull(from) {
		mapped, ok := r.mapped(from)
		if !ok {
			return from, errors.New("the map has no entry for the owner's value")
		}
		from = mapped
	}
	for _, value := range r.forms(from, replica, declared) {
		if (value.IsNull() || value.IsAbsent()) && declared.Declared != "" && !declared.Nullable {
			continue
		}
		if equal, _ := r.judge(owner, value); equal {
			return value, nil
		}
	}
	return from, errors.New("the replica has no form for the owner's value")
}

// forms are the ways in which a replica may write a value, the likeliest first;
// where it counts as null, null and what else counts as that come last.
func (r *Rule) forms(v, replica sources.Value, declared sources.FieldType) (forms []sources.Value) {
	kinds := []sources.Kind{replica.Kind(), v.Kind()}
	if declared.Strict && declared.Kind != sources.KindAbsent {
		kinds = []sources.Kind{declared.Kind}
	}
	if v.IsNull() || v.IsAbsent() {
		forms = append(forms, v)
	}
	for _, kind := range kinds {
		if kind <= sources.KindNull || v.Kind() <= sources.KindNull {
			continue
		}
		if kind == sources.KindText && replica.Kind() == kind { // whoever reads it knows how that was written
			if value, ok := sources.SpellLike(r.inZone(v, kind, declared), replica.AsText()); ok {
				forms = append(forms, value)
			}
		}
		if value, err := inForm(v, kind, r, declared); err == nil {
			forms = append(forms, value)
		}
	}
	if !r.nulled(v).IsNull() {
		return forms
	}
	forms = append(forms, sources.Null())
	for _, null := range r.NullEquals {
		for _, kind := range kinds {
			if value, err := inForm(null, kind, r, declared); err == nil && kind > sources.KindNull {
				forms = append(forms, value)
			}
		}
	}
	return forms
}

// inForm is a value as the replica's side writes it: of a kind, and in its zone.
func inForm(v sources.Value, kind sources.Kind, r *Rule, declared sources.FieldType) (sources.Value, error) {
	return sources.As(r.inZone(v, kind, declared), kind, nil)
}

// inZone is a time without a zone as the clocks of the rule's zone show it.
func (r *Rule) inZone(v sources.Value, kind sources.Kind, declared sources.FieldType) sources.Value {
	if v.Kind() == sources.KindTime && !v.Naive() && v.Infinite() == 0 && r.Replica.Zone != nil && (declared.Naive || kind == sources.KindText) {
		return sources.NaiveTime(v.AsTime().In(r.Replica.Zone), v.Precision())
	}
	return v
}
