package checks

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// Shape is how one side's store keeps its dataset, as a run learnt it.
type Shape struct {
	// Known says that the store tells its schema.
	Known bool `json:"known"`
	// Schema is what the store declares.
	Schema sources.Schema `json:"schema"`
	// Kinds are the kinds that the store declares of the dataset's fields, by name;
	// those it does not declare are left out.
	Kinds map[string]sources.Kind `json:"kinds,omitempty"`
	// Indexes are those that serve the run's reads, by name.
	Indexes []string `json:"indexes,omitempty"`
}

// Shapes are the shapes of both sides of an edge.
type Shapes struct {
	Owner   Shape `json:"owner"`
	Replica Shape `json:"replica"`
}

func (s *Shapes) of(r Role) *Shape {
	if r == OwnerSide {
		return &s.Owner
	}
	return &s.Replica
}

// Known says whether either store tells its schema.
func (s *Shapes) Known() bool { return s.Owner.Known || s.Replica.Known }

// Fingerprint is 64 bits of a hash of both shapes, in hex: of the fields that the
// edge reads, of constraints and of identity; "" where neither store tells them.
func (s *Shapes) Fingerprint(c *Comparison) string {
	if !s.Known() {
		return ""
	}
	hash := sha256.New()
	for _, role := range []Role{OwnerSide, ReplicaSide} {
		shape := s.of(role)
		fmt.Fprintf(hash, "%s %v %q\n", role, shape.Known, shape.Schema.Identity)
		for _, name := range named(c.dataset(role)) {
			f, ok := shape.Schema.Field(name)
			fmt.Fprintf(hash, "%q %v %q %q %v\n", name, ok, f.Name, f.Declared, f.Nullable)
		}
		for _, constraint := range shape.Schema.Constraints {
			fmt.Fprintf(hash, "%q\n", constraint)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

func (c *Comparison) dataset(r Role) *sources.Dataset {
	if r == OwnerSide {
		return &c.Owner
	}
	return &c.Replica
}

// named are the fields that a dataset names, each once.
func named(d *sources.Dataset) []string {
	names := slices.Concat(d.Key, d.ID, d.Fields)
	for _, condition := range d.Scope {
		names = append(names, condition.Field)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ShapeChange says what became of a shape.
type ShapeChange string

// The changes of a shape.
const (
	FieldDropped      ShapeChange = "field dropped"
	FieldRenamed      ShapeChange = "field renamed"
	FieldRetyped      ShapeChange = "field retyped"
	FieldVanished     ShapeChange = "field vanished" // from records of a store that declares none
	FieldAdded        ShapeChange = "field added"
	FieldNullable     ShapeChange = "field nullable" // may be null now, or may no longer
	ConstraintAdded   ShapeChange = "constraint added"
	ConstraintDropped ShapeChange = "constraint dropped"
	DatasetGone       ShapeChange = "dataset gone"
	DatasetReplaced   ShapeChange = "dataset replaced"
)

// SchemaChange is one change of a side's shape. It holds names and types, and no
// value of a record.
type SchemaChange struct {
	Side Role
	Kind ShapeChange
	// Dataset is the side's source and dataset: basket.baskets.
	Dataset string
	// Field is the field in question, or the constraint; Was and Is are its types,
	// or its names.
	Field, Was, Is string
	// Breaks says that what was read before it cannot stand beside what is read
	// after it, or that the two sides can no longer be compared.
	Breaks bool
}

// Words say what changed: "price is now text in basket.baskets, was numeric".
func (c SchemaChange) Words() string {
	switch c.Kind {
	case FieldDropped:
		return fmt.Sprintf("%s was dropped from %s", c.Field, c.Dataset)
	case FieldRenamed:
		return fmt.Sprintf("%s is gone from %s, where %s is new: it may have been renamed", c.Field, c.Dataset, c.Is)
	case FieldRetyped:
		return fmt.Sprintf("%s is now %s in %s, was %s", c.Field, orWord(c.Is, "of no declared type"), c.Dataset, orWord(c.Was, "of no declared type"))
	case FieldVanished:
		return fmt.Sprintf("%s is in no record of %s any more", c.Field, c.Dataset)
	case FieldAdded:
		return fmt.Sprintf("%s is new in %s", c.Field, c.Dataset)
	case FieldNullable:
		return fmt.Sprintf("%s %s be null in %s", c.Field, c.Is, c.Dataset)
	case ConstraintAdded:
		return fmt.Sprintf("%s is new in %s", c.Field, c.Dataset)
	case ConstraintDropped:
		return fmt.Sprintf("%s is gone from %s", c.Field, c.Dataset)
	case DatasetGone:
		return fmt.Sprintf("%s is gone: it was dropped or renamed", c.Dataset)
	}
	return fmt.Sprintf("%s was emptied, written anew or replaced by another", c.Dataset)
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

// SchemaPrefix begins the words of every SchemaChangedError.
const SchemaPrefix = "the schema changed: "

// SchemaChangedError says that nothing can be compared because a shape changed.
type SchemaChangedError struct{ Changes []SchemaChange }

func (e *SchemaChangedError) Error() string { return SchemaPrefix + strings.Join(e.Words(), "; ") }

// Words are the words of those changes that break, the first few.
func (e *SchemaChangedError) Words() (words []string) {
	const most = 5
	for _, c := range e.Changes {
		if c.Breaks {
			words = append(words, c.Words())
		}
	}
	if more := len(words) - most; more > 0 {
		words = append(words[:most], fmt.Sprintf("and %d more", more))
	}
	return words
}

// schemaChanged says whether err is, or wraps, a *SchemaChangedError.
func schemaChanged(err error) bool {
	var changed *SchemaChangedError
	return errors.As(err, &changed)
}

// broken is the error of changes of which any breaks; nil for none. It is final.
func broken(changes []SchemaChange) error {
	if !slices.ContainsFunc(changes, func(c SchemaChange) bool { return c.Breaks }) {
		return nil
	}
	return sources.Final(&SchemaChangedError{changes})
}
