// Package sourcetest is the contract of package sources in executable form. An
// adapter is right when Run passes for it.
//
// An adapter's test fills in a Harness: how its source is opened, how a table
// that the suite describes gets into its store, and what the store cannot do.
// Whatever it cannot do is declared with a reason, and the reason is logged.
package sourcetest

import (
	"testing"

	"plumbline/sources"
)

// Harness is how an adapter's test hands its store to the suite. The suite runs
// its cases one after the other; the harness's functions are never called at once.
type Harness struct {
	// Adapter is the adapter's name: the word for it in a configuration.
	Adapter string
	// Open is the adapter's own function.
	Open sources.Opener
	// URL reaches the store that Load loads. It should hold one of Secrets.
	URL sources.Secret
	// Load makes a table, collection or whatever holds records in the store, and
	// returns the dataset that names it: Name, Key, ID, and as Fields every
	// other column in order. Only the columns of Key and ID may go by another
	// name in the store (a sole key column may become _id). A name is used once.
	Load func(t testing.TB, table Table) sources.Dataset
	// Holds says why the store does not keep v natively and give back an equal
	// value; "" when it does. It is asked for nulls and absents too.
	Holds func(v sources.Value) string
	// HoldsKey is Holds for a part of an indexed key; nil means Holds.
	HoldsKey func(v sources.Value) string
	// HoldsMixed is HoldsKey for a column of no declared kind; nil means HoldsKey.
	HoldsMixed func(v sources.Value) string
	// Condition writes a condition in the store's language, as for Dataset.Where.
	Condition func(c Condition) string
	// Writing returns datasets over d's table which, were reads not read-only,
	// would change it; nil with a reason under CannotTryToWrite.
	Writing func(t testing.TB, d sources.Dataset) []sources.Dataset
	// Misnamed returns d as it would be over something that is not there and has a
	// name near to d's; nil adds an x to d.Name.
	Misnamed func(d sources.Dataset) sources.Dataset
	// Alter changes the table that d names; nil where Cannot has CannotShape. Of a
	// store that declares no fields only WriteRow, IndexField and Replace are asked.
	Alter func(t testing.TB, d sources.Dataset, c Change)
	// Through returns a URL that reaches the same store over a line that can be
	// cut; nil with a reason under CannotCut.
	Through func(t testing.TB) (sources.Secret, Line)
	// Unreachable is a store that is not there.
	Unreachable Unreachable
	// BadURLs are refused by Open.
	BadURLs []sources.Secret
	// Secrets are the parts of URL, Unreachable and BadURLs that no error and no
	// description may show.
	Secrets []string
	// Cannot says what the store or the adapter cannot do, and why. What it says
	// is logged; what it wrongly says is an error.
	Cannot map[Ability]string
}

// Ability is something the suite asks for unless Harness.Cannot says why not.
type Ability string

// The abilities. The first eleven are the optional interfaces.
const (
	CannotScan     Ability = "scan"
	CannotSplit    Ability = "split"
	CannotCount    Ability = "count"
	CannotDescribe Ability = "describe"
	CannotExplain  Ability = "explain"
	CannotProbe    Ability = "probe"
	CannotWrite    Ability = "write" // what can is put to the proof by RunWriter
	CannotSample   Ability = "draw keys at random"
	CannotRecent   Ability = "find what changed last"
	CannotGauge    Ability = "say how busy the store is"
	CannotShape    Ability = "say the shape of a dataset"

	CannotDeclare       Ability = "declare fields"
	CannotIdentify      Ability = "tell a dataset from another of its name"
	CannotDeliverRaw    Ability = "deliver raw pages"
	CannotTryToWrite    Ability = "try to write while reading"
	CannotCut           Ability = "cut the line to the store"
	CannotBeUnreachable Ability = "be unreachable"
	CannotMissFields    Ability = "know that a field is missing"
	CannotMissOnRead    Ability = "know on reading that a table is missing"
	CannotMissTables    Ability = "know that a table is missing"
	CannotNameNear      Ability = "name what is near to what is missing"
	CannotKnowUnique    Ability = "know what is unique"
	CannotIndex         Ability = "index any key"
	CannotHoldNullInKey Ability = "hold null in a key"
	CannotMixKinds      Ability = "hold keys of several kinds in one column"
	CannotNestDocuments Ability = "reach into documents by dotted path"
)

// Table is a logical table for a harness to load.
type Table struct {
	// Name is unique within a Run: lower-case letters, digits and underscores, at most 40 bytes.
	Name string
	// Columns are the fields; names are lower-case letters, digits and underscores.
	Columns []Column
	// Rows have one value per column. An absent value is a field left out.
	Rows [][]sources.Value
	// Key and ID name columns.
	Key, ID []string
	// Unique asks for a unique constraint on Key and ID together, Indexed for an
	// index on Key and ID, in that order. Unique tables are Indexed.
	Unique, Indexed bool
	// AlsoIndexed is a column that has an index of its own; "" for none.
	AlsoIndexed string
}

// Column is one field of a Table.
type Column struct {
	Name string
	// Kind is the kind of every value that is neither null nor absent;
	// KindAbsent means values of several kinds.
	Kind sources.Kind
	// Naive: a time without a zone.
	Naive bool
	// Precision is what the type should declare: digits of a second of a time,
	// bits (32 or 64) of a float. A decimal column takes any precision and scale.
	Precision int
	// NotNull asks for a not-null constraint.
	NotNull bool
}

// Column returns the position of a column by name.
func (t *Table) Column(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	panic("sourcetest: table " + t.Name + " has no column " + name)
}

// Test is what a Condition asks of a field.
type Test string

// The tests.
const (
	Equals Test = "equals"  // the field is this text, byte by byte
	Above  Test = "above"   // the field is a number greater than this int
	Filled Test = "filled"  // the field is there and not null
	Broken Test = "invalid" // no condition at all: a text the store refuses to understand
)

// Condition is a condition for a harness to write in its store's language.
// Null and absent fields satisfy neither Equals nor Above.
type Condition struct {
	Field string
	Test  Test
	Value sources.Value
}

// Unreachable is a store that is not there.
type Unreachable struct {
	URL sources.Secret
	// Names is what an error must show of it: host and port, or the file.
	Names string
	// Final says that waiting does not help: a missing file, but not a server that is down.
	Final bool
}

// Line stands between an adapter and its store and can be cut.
type Line interface {
	// Cut breaks the line once that many more bytes (records, where there are no
	// bytes) have come from the store. It stays broken until Mend.
	Cut(after int)
	// Block lets nothing through until Mend.
	Block()
	// Mend makes the line work again for what is sent from then on.
	Mend()
	// Peak is how many connections were open at once at most; 0 where that cannot be seen.
	Peak() int
}
