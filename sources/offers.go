package sources

import (
	"context"
	"errors"
	"time"
)

// What an adapter may offer beside reading: drawing keys, its load, its shapes.

// SampleRequest asks for keys drawn at random.
type SampleRequest struct {
	Keys int    // about how many: a draw of small datasets may have fewer, none has twice as many
	Seed uint64 // what the draw follows from: the same over unchanged data draws the same keys
}

// Draw is a random sample of a dataset's keys.
type Draw struct {
	// Keys are distinct, whole and in scope (Dataset.Scope and Where). Every key
	// of the dataset is as likely to be among them as any other, whatever gaps
	// deletes left and however its neighbours fared.
	Keys []Key
	// Population is how many distinct keys there are to draw from, where the draw
	// counted them; 0 where it did not.
	Population int64
	// Method says in words how it was drawn.
	Method string
}

// ErrReadAll is what a Sampler answers where it knows no way to draw from a
// dataset but to read every key: the Reader then does.
var ErrReadAll = errors.New("no way to draw but to read every key")

// ErrUnindexed is what a Recenter answers where no index finds what changed last,
// so that the store would have to read everything. It is final.
var ErrUnindexed = Final(errors.New("no index finds what changed last"))

// Sampler draws keys at random without reading the records. Without it a sample
// reads every key, and chooses by a hash of each.
type Sampler interface {
	Sample(ctx context.Context, d *Dataset, r SampleRequest) (Draw, error)
}

// RecentRequest asks for the keys that changed last.
type RecentRequest struct {
	By    string    // the field that says when a record changed
	Since time.Time // none that changed before; zero for no bound
	Keys  int       // at most so many, the newest first
}

// Recenter finds what changed last, by an index. Without it a sample has no recent part.
type Recenter interface {
	Recent(ctx context.Context, d *Dataset, r RecentRequest) ([]Key, error)
}

// Load is how busy a store is, by its own word.
type Load struct {
	// Active is how many statements of others are at work just now, as far as the
	// store tells us; Known says whether it tells us of all.
	Active      int
	ActiveKnown bool
	// Lag is how far replication is behind: of this server where it is a standby,
	// else of the standby that is furthest behind.
	Lag      time.Duration
	LagKnown bool
	// Standby says that a standby answered: what is read there is late by Lag.
	Standby bool
	// Note says what the store does not tell us, and what would make it.
	Note string
}

// Gauger says how busy the store is, cheaply: it is asked about every half second
// of reading. Without it reading goes by page time and rate alone.
type Gauger interface {
	Gauge(ctx context.Context) (Load, error)
}

// Schema is the shape in which a store keeps a dataset.
type Schema struct {
	// Fields are all that the store declares, whether the dataset names them or
	// not, in the order of their names.
	Fields []SchemaField
	// Constraints are what makes a key unique and what serves it, in the store's
	// words and in a stable order.
	Constraints []string
	// Identity changes when the dataset is replaced by another of the same name,
	// or emptied at a blow; "" where the store does not say.
	Identity string
}

// SchemaField is one field as the store declares it.
type SchemaField struct {
	Name     string
	Declared string // the type in the store's words
	Nullable bool
}

// Shaper says the present shape of a dataset, cheaply: it is asked after every
// page. A missing table or field is a NotFoundError. Without it a change of shape
// shows by the kinds of the values that are read.
type Shaper interface {
	Schema(ctx context.Context, d *Dataset) (Schema, error)
}
