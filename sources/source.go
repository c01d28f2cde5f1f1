// Package sources is the contract between Plumbline and the stores it reads:
// what a dataset, a key, a value, a record and a page are, what an adapter must
// do and what it may offer, and the one Reader that stands around every adapter.
//
// An adapter must be able to look keys up. Everything else is offered through a
// one-method interface, found once when the source is opened; nothing outside
// this package asserts on a source's type. The package sourcetest is the
// contract in executable form: an adapter is right when it passes.
package sources

import (
	"context"
	"fmt"
	"time"
)

// Dataset names a table, collection or query inside a source, with its key and
// the fields to read. It is a plain description; an adapter may prepare what it
// needs from it at first use and keep that by the dataset's address.
type Dataset struct {
	// Name is the table (schema.table), the collection, or the pattern of a bare
	// store's keys (user:{id}). Empty when Query or Endpoint is set.
	Name string
	// Query is an SQL SELECT instead of a table.
	Query string
	// Filter is a MongoDB filter document, in extended JSON, applied to every read.
	Filter string
	// Pipeline is a MongoDB aggregation, in extended JSON, instead of a bare
	// collection. The dataset is what it puts out.
	Pipeline string
	// Format is how a record is written in a store of bare keys (Redis); "" elsewhere.
	Format Format
	// Endpoint is how an HTTP API gives the records; nil elsewhere.
	Endpoint *Endpoint
	// Unwind names the array of each document in which the records live. Fields
	// under it are written with its name in front (items.productId); others are
	// the document's own. A document whose array is absent, null or empty has no records.
	Unwind string
	// Key, ID and Fields are the fields that make the key, the copy's own
	// identity and the values, as the store names them; nested ones by dotted path.
	Key, ID, Fields []string
	// Scope are immutable discriminators: only records for which every one
	// holds exist for any read.
	Scope []Condition
	// Where is a condition in the source's own language. Records for which it
	// does not hold are delivered with OutOfScope set, or left out where the
	// request says InScopeOnly. SQL's NULL does not hold.
	Where string
	// DeletedWhen is a condition in the source's own language; records for which
	// it holds are delivered with Deleted set.
	DeletedWhen string
}

// Condition is one field that must equal one value.
type Condition struct {
	Field string
	Value Value
}

// Title names the dataset for people: its table, collection, pattern or path, or "query".
func (d *Dataset) Title() string {
	switch {
	case d.Name != "" && d.Unwind != "":
		return d.Name + "[" + d.Unwind + "]"
	case d.Name != "":
		return d.Name
	case d.Endpoint != nil:
		return d.Endpoint.Title()
	}
	return "query"
}

// Source is what every adapter must be. Its methods may be called from many
// goroutines at once; how many connections they share is bounded by Options.
type Source interface {
	// Lookup reads every record, deleted and out of scope ones included, whose
	// key is one of keys, in pages of about limit.Records: one key may have
	// millions of copies. after is nil or the Next of the page before. Keys
	// match by value, exactly: numbers by what they count, a float and the
	// shortest decimal that is it alike, a uuid and its lower-case text alike,
	// an objectid and its hex alike (see Canonical); never by a collation that
	// calls different bytes equal. A key that the store could not hold
	// (a text in an integer column, 2^40 in a 32-bit one) matches nothing and
	// is no error. The order of records is the adapter's own. Keys are whole.
	Lookup(ctx context.Context, d *Dataset, keys []Key, after Position, limit Limit) (Page, error)
	// Close gives back every connection; it is called once, after the last read ended.
	Close() error
}

// Limit bounds a page. An adapter stops at whichever comes first, but delivers
// at least one record, and never splits records that share a position.
type Limit struct {
	Records int
	Bytes   int
}

// ScanRequest asks for one page of a span.
type ScanRequest struct {
	Span
	Limit
	// Raw asks for undecoded rows; an adapter that cannot, or a dataset with
	// Where or DeletedWhen, gives Records all the same.
	Raw bool
	// InScopeOnly leaves out records for which Where does not hold.
	InScopeOnly bool
	// KeysOnly asks for keys and ids alone: Record.Fields stays empty.
	KeysOnly bool
}

// Scanner reads pages in the store's own stable order, that of
// Description.ScanBy. Without it a dataset can only be looked up: extras cannot be found.
type Scanner interface {
	Scan(ctx context.Context, d *Dataset, r ScanRequest) (Page, error)
}

// Splitter proposes at most parts-1 positions, ascending, that cut the dataset
// into spans of roughly equal size, cheaply: from statistics, bounds or a
// sample, never by reading the dataset. Without it a scan is one segment.
type Splitter interface {
	Split(ctx context.Context, d *Dataset, parts int) ([]Position, error)
}

// Counter estimates how many records a dataset holds from what the store
// already knows. Without it progress has no ETA.
type Counter interface {
	Count(ctx context.Context, d *Dataset) (estimate int64, err error)
}

// Describer says what the store declares about a dataset: missing tables and
// fields are an error that names them (see NotFoundError). Without it every
// kind is unknown and only plan keys is possible.
type Describer interface {
	Describe(ctx context.Context, d *Dataset) (Description, error)
}

// Explainer shows the statements a run would send and how the store would run
// them. Without it explain shows the plan alone.
type Explainer interface {
	Explain(ctx context.Context, d *Dataset) ([]Statement, error)
}

// Prober says what server answers and as whom we read.
type Prober interface {
	Probe(ctx context.Context) (Facts, error)
}

// Order says what a dataset's own order is, as far as another store could have the same.
type Order uint8

// The orders. Two datasets scanned by their key, both in one and the same order
// other than OrderOwn, hold the same keys in the same span.
const (
	// OrderOwn is an order nobody else shares (a linguistic collation, a document's own key).
	OrderOwn Order = iota
	// OrderExact is the order of integers, uuids and objectids by their bytes,
	// instants by time, and texts by their bytes, in each part of the key.
	OrderExact
)

// Description is what a store declares about a dataset.
type Description struct {
	// Types has one entry per distinct name in Key, ID, Fields and Scope.
	Types map[string]FieldType
	// ScanBy are the fields a Position is made of.
	ScanBy []string
	// NoScan says that this dataset can only be looked up, though its source scans others.
	NoScan bool
	// Order is the order of ScanBy.
	Order Order
	// ScanIndex and KeyIndex name the indexes that serve a scan by ScanBy and a
	// lookup by Key; "" when there is none, and every page reads the whole.
	ScanIndex, KeyIndex string
	// Unique says that a constraint keeps two records from sharing a key (and id).
	Unique bool
	// Warnings are facts a person should know: a standby is read, no index serves, the role may write.
	Warnings []string
}

// FieldType is what a store declares about one field.
type FieldType struct {
	// Declared is the type in the store's words: numeric(12,2), timestamptz.
	Declared string
	// Kind is the kind every value has, or KindAbsent where the store does not say.
	Kind Kind
	// Strict says that the store keeps every value to Kind (or null).
	Strict bool
	// Naive says that Kind is a time without a zone.
	Naive bool
	// Nullable says that null is possible.
	Nullable bool
	// Collation is the text's collation where it is not plain byte order.
	Collation string
	// Raw names the type, modifier, zone and encoding of raw bytes; see Raw. ""
	// where equal bytes may not be taken for equal values.
	Raw string
}

// Statement is one statement of a plan, as sent, and how the store would run it.
type Statement struct {
	Purpose string // scan | lookup | split
	Text    string
	Plan    string // the store's own words
	Index   string // the index that serves it, "" when none
	Sorts   bool   // the store would sort more than a page to answer
	Records int64  // estimated records read, 0 when unknown
	Bytes   int64  // estimated bytes read, 0 when unknown
}

// Facts are what a server says about itself and about our role.
type Facts struct {
	Product  string // PostgreSQL, MongoDB, SQLite
	Version  string
	CanWrite bool // our role could write where we only mean to read
	Standby  bool // a replication standby answers; what it lacks may merely be late
	Notes    []string
}

// Options are what an adapter is opened with.
type Options struct {
	Name string // the source's name in the configuration
	URL  Secret
	// Headers are sent with each request to an HTTP API.
	Headers map[string]Secret
	// Connections bounds how many are open at once; 0 means 4.
	Connections int
	// StatementTimeout bounds each statement, on the server where it can; 0 means 30 s.
	StatementTimeout time.Duration
	// Writable lets Writer.Write change records. Without it every session is
	// read-only by the store's own means, where it has some.
	Writable bool
}

// WithDefaults fills in what is not set.
func (o Options) WithDefaults() Options {
	if o.Connections == 0 {
		o.Connections = 4
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 30 * time.Second
	}
	return o
}

// Opener makes a source. It checks the URL and reaches nothing: a store that is
// down fails the first read, not the opening.
type Opener func(Options) (Source, error)

// Secret is text that never prints: every formatting verb and encoder shows ***.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (s Secret) String() string { return "***" }

// GoString hides the text.
func (s Secret) GoString() string { return "***" }

// Format hides the text from every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "***") }

// MarshalText hides the text from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }
