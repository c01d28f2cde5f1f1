package checks

import (
	"fmt"
	"slices"

	"plumbline/sources"
)

// Problem is what is wrong with an edge as its stores declare themselves.
type Problem struct {
	// Path leads to the setting, below the check: owner, owner.key[0],
	// replica.key[0], fields[2].
	Path    string
	Message string
	// Warning: the check can run, but a person should know.
	Warning bool
}

// Vet compares what a check declares with what its stores do: kinds that can
// never be equal, times with and without a zone, keys that cannot meet. A field
// whose store declares no kind is left to the run. It is pure.
func Vet(c *Comparison, owner, replica sources.Description) []Problem {
	v := &vetting{owner: owner, replica: replica}
	for i := range c.Owner.Key {
		v.key(c, i)
	}
	for i := range c.Edge.Rules {
		v.rule(fmt.Sprintf("fields[%d]", i), &c.Edge.Rules[i])
	}
	for _, s := range []struct {
		role Role
		desc sources.Description
	}{{OwnerSide, owner}, {ReplicaSide, replica}} {
		for _, w := range s.desc.Warnings {
			v.warn(string(s.role), "%s", w)
		}
	}
	if owner.KeyIndex != "" && !owner.Unique {
		v.warn("owner.key", "no constraint keeps two records of the owner from sharing a key: should two do, the key is a duplicate")
	}
	return v.problems
}

// meet fails where both stores declare kinds of which no key of one side could be
// one of the other: every record would be both missing and extra.
func meet(c *Comparison, owner, replica sources.Description) error {
	for i := range c.Owner.Key {
		v := &vetting{owner: owner, replica: replica}
		if owner.Types[c.Owner.Key[i]].Strict && replica.Types[c.Replica.Key[i]].Strict {
			v.key(c, i)
		}
		for _, p := range v.problems {
			if !p.Warning {
				return sources.Final(fmt.Errorf("%s: %s", p.Path, p.Message))
			}
		}
	}
	return nil
}

type vetting struct {
	owner, replica sources.Description
	problems       []Problem
}

func (v *vetting) refuse(path, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (v *vetting) warn(path, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...), Warning: true})
}

// key checks that part i of both sides' keys can be the same value.
func (v *vetting) key(c *Comparison, i int) {
	ownerName, replicaName := c.Owner.Key[i], c.Replica.Key[i]
	o, r := v.owner.Types[ownerName], v.replica.Types[replicaName]
	ownerPath, replicaPath := fmt.Sprintf("owner.key[%d]", i), fmt.Sprintf("replica.key[%d]", i)
	of, rf := formOf(c.Check.Owner.Forms, i), formOf(c.Edge.Replica.Forms, i)
	for _, s := range []struct {
		path, name string
		t          sources.FieldType
		form       KeyForm
	}{{ownerPath, ownerName, o, of}, {replicaPath, replicaName, r, rf}} {
		if s.t.Nullable && s.t.Kind != sources.KindAbsent {
			v.warn(s.path, "%s may be null: a record whose key is null can be matched with nothing and counts as unreadable", s.name)
		}
		if s.t.Kind == sources.KindFloat {
			v.warn(s.path, "%s is %s: keys of floats meet only where both sides hold the very same number: choose another key", s.name, typeWords(s.t))
		}
		if s.t.Kind == sources.KindList || s.t.Kind == sources.KindDocument {
			v.refuse(s.path, "%s is %s, which cannot be a key", s.name, typeWords(s.t))
			return
		}
		written := s.form.As
		if textual(s.form) {
			written = sources.KindText
		}
		switch {
		case written == sources.KindAbsent || s.t.Kind == sources.KindAbsent:
		case !convertible(s.t.Kind, written):
			v.refuse(s.path, "%s is %s, which cannot be read as %s: change as", s.name, typeWords(s.t), written)
			return
		case s.t.Kind == sources.KindText && written != sources.KindText:
			v.warn(s.path, "%s is %s, read as %s: a key in any but that kind's plain spelling counts as unreadable", s.name, typeWords(s.t), written)
		}
	}
	o.Kind, r.Kind = orAs(o.Kind, of.As), orAs(r.Kind, rf.As)
	if o.Kind == sources.KindAbsent || r.Kind == sources.KindAbsent || textual(of) || textual(rf) {
		return
	}
	words := fmt.Sprintf("owner %s is %s, replica %s is %s", ownerName, typeWords(o), replicaName, typeWords(r))
	switch {
	case !canEqual(o.Kind, r.Kind) && r.Kind == sources.KindText:
		v.refuse(replicaPath, "%s: no key would ever match: write {field: %s, as: text} in the replica's key", words, replicaName)
	case !canEqual(o.Kind, r.Kind) && o.Kind == sources.KindText:
		v.refuse(ownerPath, "%s: no key would ever match: write {field: %s, as: text} in the owner's key", words, ownerName)
	case r.Kind == sources.KindBytes && identifier(o.Kind):
		v.refuse(replicaPath, "%s: no key would ever match: write {field: %s, as: %s} in the replica's key", words, replicaName, o.Kind)
	case o.Kind == sources.KindBytes && identifier(r.Kind):
		v.refuse(ownerPath, "%s: no key would ever match: write {field: %s, as: %s} in the owner's key", words, ownerName, r.Kind)
	case !canEqual(o.Kind, r.Kind):
		v.refuse(replicaPath, "%s: no key would ever match: choose another key", words)
	case o.Kind == sources.KindTime && o.Naive != r.Naive:
		v.refuse(replicaPath, "%s: one has a time zone and the other has none, so no key would match: choose another key", words)
	}
}

// identifier says whether values of a kind are as well kept as their bytes.
func identifier(k sources.Kind) bool { return k == sources.KindUUID || k == sources.KindObjectID }

// rule checks that the two fields of a rule can hold the same value.
func (v *vetting) rule(path string, r *Rule) {
	o, p := v.owner.Types[r.Owner.Name], v.replica.Types[r.Replica.Name]
	words := fmt.Sprintf("owner %s is %s, replica %s is %s", r.Owner.Name, typeWords(o), r.Replica.Name, typeWords(p))
	for _, s := range []struct {
		role Role
		ref  FieldRef
		t    sources.FieldType
	}{{OwnerSide, r.Owner, o}, {ReplicaSide, r.Replica, p}} {
		if s.ref.As != sources.KindAbsent && s.t.Kind != sources.KindAbsent && !convertible(s.t.Kind, s.ref.As) {
			v.refuse(path, "%s %s is %s, which cannot be read as %s: change as", s.role, s.ref.Name, typeWords(s.t), s.ref.As)
			return
		}
	}
	ok, pk := orAs(o.Kind, r.Owner.As), orAs(p.Kind, r.Replica.As)
	v.applies(path, r, ok, pk)
	switch {
	case r.Map != nil:
		v.mapped(path, r, o, p, ok, pk)
	case ok == sources.KindAbsent || pk == sources.KindAbsent:
	case !canEqual(ok, pk):
		v.proposeField(path, words, ok, pk)
	case ok == sources.KindTime && pk == sources.KindTime:
		v.zones(path, words, r, o, p)
	}
}

func (v *vetting) proposeField(path, words string, owner, replica sources.Kind) {
	side, as := proposeAs(owner, replica)
	if side == "" {
		v.refuse(path, "%s: they are never equal: compare another field, or leave this one out", words)
		return
	}
	v.refuse(path, "%s: they are never equal: add as: %s to the %s side", words, as, side)
}

// zones refuses to compare a time that has a zone with one that has none.
func (v *vetting) zones(path, words string, r *Rule, o, p sources.FieldType) {
	naive := func(t sources.FieldType, ref FieldRef) bool {
		return t.Kind == sources.KindTime && t.Naive && ref.Zone == nil
	}
	zoned := func(t sources.FieldType, ref FieldRef) bool {
		return t.Kind == sources.KindTime && (!t.Naive || ref.Zone != nil)
	}
	switch {
	case naive(o, r.Owner) && zoned(p, r.Replica):
		v.refuse(path, "%s: the owner's has no time zone: add the zone it is meant in, such as tz: UTC, to the owner side", words)
	case zoned(o, r.Owner) && naive(p, r.Replica):
		v.refuse(path, "%s: the replica's has no time zone: add the zone it is meant in, such as tz: UTC, to the replica side", words)
	}
}

// mapped checks the values of a map against the kinds of both sides.
func (v *vetting) mapped(path string, r *Rule, o, p sources.FieldType, owner, replica sources.Kind) {
	for _, pair := range r.Map {
		if k := pair.Owner.Kind(); owner != sources.KindAbsent && !nothing(k) && !canEqual(k, owner) {
			v.refuse(path, "map: %s %q is never a value of owner %s, which is %s", k, pair.Owner.String(), r.Owner.Name, typeWords(o))
			return
		}
		if k := pair.Replica.Kind(); replica != sources.KindAbsent && !nothing(k) && !canEqual(k, replica) {
			v.refuse(path, "map: %s %q is never a value of replica %s, which is %s", k, pair.Replica.String(), r.Replica.Name, typeWords(p))
			return
		}
	}
}

func nothing(k sources.Kind) bool { return k == sources.KindNull || k == sources.KindAbsent }

// applies refuses a tolerance that means nothing for what is compared, since
// then what is near counts as different, and warns of other such options.
func (v *vetting) applies(path string, r *Rule, owner, replica sources.Kind) {
	number := []sources.Kind{sources.KindDecimal, sources.KindInt, sources.KindFloat}
	text := []sources.Kind{sources.KindText, sources.KindList}
	for _, o := range []struct {
		on        bool
		name      string
		kinds     []sources.Kind
		tolerance bool
	}{
		{r.Within != nil, "within, a number,", number, true},
		{r.WithinPercent != nil, "within_percent", number, true},
		{r.WithinTime != 0, "within, a duration,", []sources.Kind{sources.KindTime, sources.KindDate, sources.KindDuration}, true},
		{r.Precision >= 0, "precision", []sources.Kind{sources.KindTime, sources.KindList, sources.KindDocument}, true},
		{r.FoldCase || r.FoldSpace, "fold", text, false},
		{r.TrimLeft || r.TrimRight, "trim", text, false},
		{r.NFC, "unicode", text, false},
		{r.AnyOrder, "order: ignore", []sources.Kind{sources.KindList}, false},
	} {
		switch {
		case !o.on || owner != replica || owner == sources.KindAbsent || slices.Contains(o.kinds, owner):
		case o.tolerance && convertible(owner, o.kinds[0]):
			v.refuse(path, "%s does not apply to values of kind %s: add as: %s to both sides, or remove it", o.name, owner, o.kinds[0])
		default:
			v.warn(path, "%s does not apply to values of kind %s and changes nothing: remove it", o.name, owner)
		}
	}
}

func orAs(k, as sources.Kind) sources.Kind {
	if as != sources.KindAbsent {
		return as
	}
	return k
}

// canEqual says whether values of two kinds can be equal under the plain rule.
func canEqual(a, b sources.Kind) bool {
	identifier := func(a, b sources.Kind) bool {
		return a == sources.KindText && (b == sources.KindUUID || b == sources.KindObjectID)
	}
	return a == b || a.Number() && b.Number() || identifier(a, b) || identifier(b, a)
}

// proposeAs says which side to read as what, so that the two kinds can be
// equal; side "" where nothing helps. Texts are read as what the other side has.
func proposeAs(owner, replica sources.Kind) (side Role, as sources.Kind) {
	switch {
	case replica == sources.KindText && convertible(replica, owner):
		return ReplicaSide, owner
	case owner == sources.KindText && convertible(owner, replica):
		return OwnerSide, replica
	case convertible(replica, owner):
		return ReplicaSide, owner
	case convertible(owner, replica):
		return OwnerSide, replica
	}
	return "", sources.KindAbsent
}

// convertible says whether sources.As reads some values of one kind as another.
func convertible(from, to sources.Kind) bool {
	number := []sources.Kind{sources.KindInt, sources.KindDecimal, sources.KindFloat}
	into := map[sources.Kind][]sources.Kind{
		sources.KindText: {sources.KindInt, sources.KindDecimal, sources.KindFloat, sources.KindBool, sources.KindTime, sources.KindDate,
			sources.KindUUID, sources.KindObjectID, sources.KindBytes},
		sources.KindBool:     {sources.KindInt},
		sources.KindInt:      append(number, sources.KindBool, sources.KindTime),
		sources.KindDecimal:  append(number, sources.KindBool, sources.KindTime),
		sources.KindFloat:    append(number, sources.KindBool, sources.KindTime),
		sources.KindBytes:    {sources.KindUUID, sources.KindObjectID},
		sources.KindTime:     {sources.KindDate},
		sources.KindDate:     {sources.KindTime},
		sources.KindUUID:     {sources.KindBytes},
		sources.KindObjectID: {sources.KindBytes},
	}
	structured := from == sources.KindList || from == sources.KindDocument
	return from == to || to == sources.KindText && !structured || slices.Contains(into[from], to)
}
