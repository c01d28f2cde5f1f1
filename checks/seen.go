package checks

import (
	"maps"

	"plumbline/sources"
)

// Seen is what records of both sides showed of the fields to whose kind no store
// keeps their values: the shape that such a store does not declare.
type Seen struct {
	Owner   SeenFields `json:"owner,omitempty"`
	Replica SeenFields `json:"replica,omitempty"`
}

// SeenFields are fields by their names.
type SeenFields map[string]SeenField

// SeenField counts what records had in a field.
type SeenField struct {
	Records int64                  `json:"records"` // that were read
	Present int64                  `json:"present"` // that had it, be it null
	Values  int64                  `json:"values"`  // that had more than null
	Kinds   map[sources.Kind]int64 `json:"kinds,omitempty"`
}

// seenEnough is how many records, or values, make a field's shape known, be it
// that of a page.
const seenEnough = 20

// seenAlways is the share of records from which a field counts as always there.
const seenAlways = 0.9

// Of returns the fields of a side.
func (s *Seen) Of(r Role) SeenFields {
	if s == nil {
		return nil
	}
	if r == OwnerSide {
		return s.Owner
	}
	return s.Replica
}

// Empty says whether nothing was seen.
func (s *Seen) Empty() bool { return s == nil || len(s.Owner)+len(s.Replica) == 0 }

// Add adds what other records showed.
func (s *Seen) Add(other *Seen) {
	s.Owner, s.Replica = s.Owner.plus(other.Owner), s.Replica.plus(other.Replica)
}

func (f SeenFields) plus(other SeenFields) SeenFields {
	if f == nil && len(other) > 0 {
		f = SeenFields{}
	}
	for name, o := range other {
		was := f[name]
		is := SeenField{Records: was.Records + o.Records, Present: was.Present + o.Present, Values: was.Values + o.Values, Kinds: maps.Clone(was.Kinds)}
		if is.Kinds == nil {
			is.Kinds = map[sources.Kind]int64{}
		}
		for kind, n := range o.Kinds {
			is.Kinds[kind] += n
		}
		f[name] = is
	}
	return f
}

// take counts a record's value.
func (f SeenFields) take(name string, v sources.Value) {
	s := f[name]
	s.Records++
	if !v.IsAbsent() {
		s.Present++
	}
	if !v.IsAbsent() && !v.IsNull() {
		s.Values++
		if s.Kinds == nil {
			s.Kinds = map[sources.Kind]int64{}
		}
		s.Kinds[v.Kind()]++
	}
	f[name] = s
}

// of is what was seen where some more values were of a kind, which is enough to go by.
func (s SeenField) of(kind sources.Kind) SeenField {
	if s.Kinds == nil {
		s = SeenField{Kinds: map[sources.Kind]int64{}}
	}
	s.Records, s.Present, s.Values = s.Records+seenEnough, s.Present+seenEnough, s.Values+seenEnough
	s.Kinds[kind] += seenEnough
	return s
}

// kind is the kind of most values; KindAbsent where there is none.
func (s SeenField) kind() (most sources.Kind) {
	n := int64(0)
	for kind, times := range s.Kinds {
		if times > n || times == n && kind < most {
			most, n = kind, times
		}
	}
	return most
}

// always says whether it is known that records have the field.
func (s SeenField) always() bool {
	return s.Records >= seenEnough && float64(s.Present) >= seenAlways*float64(s.Records)
}

// turned says whether enough values are of kinds that cannot be equal to any known before.
func (s SeenField) turned(before SeenField, as sources.Kind, least int64) bool {
	if s.Values < least || before.Values < seenEnough {
		return false
	}
	for kind := range s.Kinds {
		if !strange(kind, before.Kinds, as) {
			return false
		}
	}
	return true
}

// strange says whether values of a kind, read as the rule says, cannot be equal to
// values of any of the kinds that are known.
func strange(kind sources.Kind, known map[sources.Kind]int64, as sources.Kind) bool {
	for was := range known {
		if was == kind || as != sources.KindAbsent && convertible(kind, as) || as == sources.KindAbsent && canEqual(kind, was) {
			return false
		}
	}
	return true
}

// vanished says whether records that always had the field have it no more.
func (s SeenField) vanished(before SeenField, least int64) bool {
	return s.Records >= least && s.Present == 0 && before.always()
}
