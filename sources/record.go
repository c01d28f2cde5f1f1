package sources

import (
	"strings"
	"time"
)

// Key is the identity shared by both sides, or a copy's own identity (id): one
// value per key field, in declared order.
type Key []Value

// Encode returns the key's injective encoding, fit to be a map key.
func (k Key) Encode() string {
	var b []byte
	for _, v := range k {
		b = v.AppendEncoding(b)
	}
	return string(b)
}

// DecodeKey reads a key of n values from its encoding and returns the rest.
func DecodeKey(b []byte, n int) (Key, []byte, error) {
	k := make(Key, n)
	var err error
	for i := range k {
		if k[i], b, err = DecodeValue(b); err != nil {
			return nil, nil, err
		}
	}
	return k, b, nil
}

// Equal says whether both keys are the same values.
func (k Key) Equal(l Key) bool {
	if len(k) != len(l) {
		return false
	}
	for i := range k {
		if !k[i].Equal(l[i]) {
			return false
		}
	}
	return true
}

// Whole says whether every part of the key is there and not null. Only a whole
// key identifies a record.
func (k Key) Whole() bool {
	for _, v := range k {
		if v.IsAbsent() || v.IsNull() {
			return false
		}
	}
	return len(k) > 0
}

func (k Key) String() string {
	parts := make([]string, len(k))
	for i, v := range k {
		parts[i] = v.String()
	}
	return strings.Join(parts, ",")
}

// Record is what one source holds for one key (and id).
type Record struct {
	Key    Key
	ID     Key     // empty unless the dataset declares an id
	Fields []Value // one per Dataset.Fields, in that order

	// OutOfScope: the record is there, but the dataset's Where does not hold for it.
	OutOfScope bool
	// Deleted: the dataset's DeletedWhen holds for it.
	Deleted bool
	// Unreadable says why the record was delivered but has no canonical form
	// (a document with one name twice, nesting beyond MaxDepth); "" when it has.
	// Key is as far as it could be read.
	Unreadable string
	// Skipped says why the record is there but was not read (larger than
	// MaxRecordSize); "" when it was. A skipped record is never compared.
	Skipped string
}

// Position is a place in a dataset's own stable order: the values of
// Description.ScanBy. Only the adapter that made a position reads it, except
// that where ScanBy is the key a position is a key.
type Position []Value

// Span is the half-open part (After, UpTo] of a dataset's own stable order. A
// nil bound is open. The spans of a partition together hold every record: where
// the order is that of the key, records whose key is null or missing, and those
// whose key is of a type that other bounds cannot reach, belong to the span
// whose upper end is open.
type Span struct {
	After, UpTo Position
}

// Page is a whole batch of records, or an error in its stead: a broken read is
// never a short page. Records or Raw holds the batch, never both.
type Page struct {
	Records []Record
	Raw     *Raw
	// Next is where the next page begins (exclusive); it means nothing when Done.
	Next Position
	// Done says that nothing follows in the span or for the keys.
	Done bool
	// Size is the bytes read, as far as the adapter can tell.
	Size int
	// Began and Ended bracket the read on our clock, retries excluded. The page
	// holds what the store held at some moment between them. The Reader sets both.
	Began, Ended time.Time
}

// Len is how many records the page holds.
func (p *Page) Len() int {
	if p.Raw != nil {
		return p.Raw.Len()
	}
	return len(p.Records)
}

// Raw is a page of rows not yet decoded. A row is its columns one after the
// other, the key's first and then Dataset.Fields: each four bytes of big-endian
// length (-1 for null) and the store's own bytes. Two rows whose datasets were
// described with the same non-empty FieldType.Raw in every column are equal
// where their bytes are; where the bytes differ, decode and judge.
type Raw struct {
	Data []byte
	Ends []int // row i is Data[Ends[i-1]:Ends[i]]
	Keys int   // how many columns at the front are the key
	// Decode turns a row into a record.
	Decode func(row []byte) (Record, error)
}

// Len is how many rows there are.
func (r *Raw) Len() int { return len(r.Ends) }

// Row returns row i, to be read before the page is dropped.
func (r *Raw) Row(i int) []byte {
	start := 0
	if i > 0 {
		start = r.Ends[i-1]
	}
	return r.Data[start:r.Ends[i]:r.Ends[i]]
}

// Key returns the part of a row that is its key: equal bytes exactly for equal
// keys where the order of the dataset is an exact one (Order other than OrderOwn).
func (r *Raw) Key(row []byte) []byte {
	end := 0
	for range r.Keys {
		n := int32(readUint32(string(row[end : end+4])))
		end += 4 + int(max(n, 0))
	}
	return row[:end]
}
