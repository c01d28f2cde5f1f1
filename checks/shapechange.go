package checks

import (
	"errors"
	"slices"
	"strings"

	"plumbline/sources"
)

// changesWithin says what changed of a side since a run learnt its shape. What is
// read from then on was prepared for the old one: a field read that is gone or of
// another type breaks, and so does a constraint that made keys unique or served
// the run's reads, and a dataset that is another one. What is new, or wider, does
// not, nor does an index that the run has no use for.
func (c *Comparison) changesWithin(role Role, title string, was *Shape, is *sources.Schema) []SchemaChange {
	d := differing{role: role, title: title, dataset: c.dataset(role), was: &was.Schema, is: is}
	d.fields(func(_ string, before, after sources.SchemaField) bool { return !wider(before.Declared, after.Declared) })
	d.constraints(was.serves)
	if len(d.changes) > 0 || d.was.Identity == d.is.Identity { // what alters a table may write it anew
		return d.changes
	}
	d.add(SchemaChange{Kind: DatasetReplaced, Breaks: true})
	return d.changes
}

// changesBetween says what changed of a side since an earlier run of the same
// check. The plan is made anew, so only what keeps the two sides from being
// compared breaks: a field that is gone, or of a kind that the rule can no longer
// compare with what the other side has.
func (c *Comparison) changesBetween(role Role, title string, was, is *Shape, other map[string]sources.Kind) []SchemaChange {
	d := differing{role: role, title: title, dataset: c.dataset(role), was: &was.Schema, is: &is.Schema}
	d.fields(func(name string, _, _ sources.SchemaField) bool {
		before, after := was.Kinds[name], is.Kinds[name]
		return before != after && before != sources.KindAbsent && after != sources.KindAbsent && !c.comparable(role, name, after, other)
	})
	d.constraints(func(string) bool { return false })
	return d.changes
}

// comparable says whether values of a kind can be equal to what the other side has
// in every rule, and key part, that reads a field.
func (c *Comparison) comparable(role Role, name string, kind sources.Kind, other map[string]sources.Kind) bool {
	meets := func(mine, theirs sources.Kind) bool {
		return mine == sources.KindAbsent || theirs == sources.KindAbsent || canEqual(mine, theirs)
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		mine, theirs := r.Owner, r.Replica
		if role == ReplicaSide {
			mine, theirs = theirs, mine
		}
		if mine.Name != name {
			continue
		}
		if mine.As != sources.KindAbsent && !convertible(kind, mine.As) {
			return false
		}
		if r.Map == nil && !meets(orAs(kind, mine.As), orAs(other[theirs.Name], theirs.As)) {
			return false
		}
	}
	mine, theirs, forms, otherForms := c.Owner.Key, c.Replica.Key, c.Check.Owner.Forms, c.Edge.Replica.Forms
	if role == ReplicaSide {
		mine, theirs, forms, otherForms = theirs, mine, otherForms, forms
	}
	for i, part := range mine {
		mf, of := formOf(forms, i), formOf(otherForms, i)
		if part == name && !textual(mf) && !textual(of) && !meets(orAs(kind, mf.As), orAs(other[theirs[i]], of.As)) {
			return false
		}
	}
	return true
}

// differing gathers what differs between two schemas of a dataset.
type differing struct {
	role    Role
	title   string
	dataset *sources.Dataset
	was, is *sources.Schema
	changes []SchemaChange
}

func (d *differing) add(c SchemaChange) {
	c.Side, c.Dataset = d.role, d.title
	d.changes = append(d.changes, c)
}

// fields compares declared fields. breaks is asked of a field that is read and of
// another type. A store that declares none now, and none before, says nothing.
func (d *differing) fields(breaks func(name string, before, after sources.SchemaField) bool) {
	read := map[string][]string{} // declared fields that are read, with what reads them
	for _, name := range named(d.dataset) {
		if f, ok := d.was.Field(name); ok {
			read[f.Name] = append(read[f.Name], name)
		}
	}
	now := map[string]sources.SchemaField{}
	for _, f := range d.is.Fields {
		now[f.Name] = f
	}
	before := map[string]sources.SchemaField{}
	var dropped []sources.SchemaField
	for _, f := range d.was.Fields {
		before[f.Name] = f
		is, stands := now[f.Name]
		names := read[f.Name]
		switch {
		case !stands:
			dropped = append(dropped, f)
		case is.Declared != f.Declared:
			d.add(SchemaChange{Kind: FieldRetyped, Field: f.Name, Was: f.Declared, Is: is.Declared,
				Breaks: slices.ContainsFunc(names, func(name string) bool { return breaks(name, f, is) })})
		case is.Nullable != f.Nullable && len(names) > 0:
			word := map[bool]string{true: "may", false: "can no longer"}[is.Nullable]
			d.add(SchemaChange{Kind: FieldNullable, Field: f.Name, Is: word})
		}
	}
	var added []sources.SchemaField
	for _, f := range d.is.Fields {
		if _, stood := before[f.Name]; !stood {
			added = append(added, f)
			if len(d.was.Fields) > 0 {
				d.add(SchemaChange{Kind: FieldAdded, Field: f.Name, Is: f.Declared})
			}
		}
	}
	for _, f := range dropped {
		change := SchemaChange{Kind: FieldDropped, Field: f.Name, Was: f.Declared, Breaks: len(read[f.Name]) > 0}
		if same := slices.DeleteFunc(slices.Clone(added), func(a sources.SchemaField) bool { return a.Declared != f.Declared }); len(same) == 1 {
			change.Kind, change.Is = FieldRenamed, same[0].Name
		}
		d.add(change)
	}
}

// serves says whether a run was planned by a constraint: it makes something
// unique, or is an index that serves the reads.
func (s *Shape) serves(constraint string) bool {
	low := strings.ToLower(constraint)
	return strings.Contains(low, "unique") || strings.Contains(low, "primary key") ||
		slices.ContainsFunc(s.Indexes, func(index string) bool { return strings.Contains(constraint, index) })
}

// constraints compares what makes keys unique and what serves them. breaks is
// asked of one that is gone.
func (d *differing) constraints(breaks func(constraint string) bool) {
	for _, one := range d.was.Constraints {
		if !slices.Contains(d.is.Constraints, one) {
			d.add(SchemaChange{Kind: ConstraintDropped, Field: one, Breaks: breaks(one)})
		}
	}
	for _, one := range d.is.Constraints {
		if !slices.Contains(d.was.Constraints, one) {
			d.add(SchemaChange{Kind: ConstraintAdded, Field: one})
		}
	}
}

// wider says whether a type is the other one with room for longer texts: what was
// read under the one reads the same under the other.
func wider(was, is string) bool {
	base := func(declared string) string {
		name, _, _ := strings.Cut(strings.ToLower(declared), "(")
		return strings.TrimSpace(name)
	}
	switch base(was) {
	case "character varying", "varchar", "nvarchar", "varbinary":
		return base(is) == base(was) || base(is) == "text" && base(was) != "varbinary"
	}
	return false
}

// gone is the change that a store tells of by not finding what was there; nil
// where err says nothing of the kind.
func gone(d *sources.Dataset, role Role, title string, err error) *SchemaChange {
	var missing *sources.NotFoundError
	if !errors.As(err, &missing) {
		return nil
	}
	c := &SchemaChange{Side: role, Dataset: title, Kind: DatasetGone, Breaks: true}
	if missing.What == "column" || missing.What == "field" {
		c.Kind, c.Field = FieldDropped, missing.Name
		return c
	}
	return c
}
