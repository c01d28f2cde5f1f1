package mongodb

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// builder collects the records of one page.
type builder struct {
	p           *dataset
	shape       shape
	limit       sources.Limit
	inScopeOnly bool
	// wanted, for a lookup, are the canonical keys asked for; nil takes all.
	wanted map[string]struct{}

	records   []sources.Record
	marked    bool   // marks are wanted, conditions or not
	marks     []mark // of each record; only where there are conditions, or they are wanted
	documents int
	bytes     int
	next      *place // where the page ends so far
	last      []byte // the bytes of the latest _id
}

// mark finds a record again when its document is read again with a condition: the
// document's _id and, where it was unwound, its indexes in the arrays.
type mark struct {
	id   string // type and bytes
	path string
	raw  bsoncore.Value
	size int // of the document, as it was read
}

func (s *source) builder(p *dataset, keysOnly bool, limit sources.Limit) *builder {
	b := &builder{p: p, shape: p.whole, limit: limit}
	if keysOnly {
		b.shape = p.keys
	}
	b.limit.Records = max(1, limit.Records)
	b.limit.Bytes = max(1, limit.Bytes)
	return b
}

// full says whether the page has enough. Documents count as well as records, so
// that a stretch of documents without records cannot make a page endless.
func (b *builder) full() bool { return b.room() <= 0 || b.bytes >= b.limit.Bytes }

// room is how many documents may follow.
func (b *builder) room() int { return b.limit.Records - max(len(b.records), b.documents) }

// batched sizes a find's batches by what documents were like so far, so that
// little is sent that the page has no room for.
func (b *builder) batched(command bson.D) bson.D {
	fit := b.room()
	if size := b.p.documentSize.Load(); size > 0 {
		fit = min(fit, 1+int(int64(b.limit.Bytes-b.bytes)/size))
	}
	if records := b.p.documentRecords.Load(); records > 0 {
		fit = min(fit, 1+b.room()/int(records))
	}
	for i, e := range command {
		if e.Key == "batchSize" {
			command[i].Value = int32(max(1, fit))
		}
	}
	return command
}

// learned remembers what documents were like.
func (b *builder) learned() {
	if b.documents == 0 {
		return
	}
	b.p.documentSize.Store(max(1, int64(b.bytes/b.documents)))
	b.p.documentRecords.Store(int64(len(b.records) / b.documents))
}

// add takes the records of one document, and returns its _id, which stands until
// the next is added.
func (b *builder) add(d bsoncore.Document) (bsoncore.Value, error) {
	id, times, err := member(d, "_id")
	if err != nil {
		return bsoncore.Value{}, err
	}
	if times == 0 { // only views and pipelines have such documents, and they are not paged by _id
		id = bsoncore.Value{Type: bsoncore.TypeNull}
	}
	b.last = append(b.last[:0], id.Data...)
	id.Data = b.last
	b.documents++
	b.bytes += len(d)
	f := &fields{values: make([]sources.Value, b.shape.width)}
	if err := b.shape.levels[0].read(d, f); err != nil {
		return id, err
	}
	if b.p.Unwind == "" {
		b.keep(f, mark{raw: id, size: len(d)})
		return id, nil
	}
	return id, b.unwind(d, f, strings.Split(b.p.Unwind, "."), 1, mark{raw: id, size: len(d)})
}

// keep makes a record of what was read, if it is one of those wanted.
func (b *builder) keep(f *fields, m mark) {
	if !b.p.inScope(f.values) {
		return
	}
	keys, ids := len(b.p.Key), len(b.p.ID)
	r := sources.Record{Key: f.values[:keys:keys], Unreadable: f.why}
	if b.wanted != nil {
		if _, ok := b.wanted[canonicalKey(r.Key)]; !ok {
			return
		}
	}
	if ids > 0 {
		r.ID = f.values[keys : keys+ids : keys+ids]
	}
	if end := len(f.values) - len(b.p.Scope); end > keys+ids {
		r.Fields = f.values[keys+ids : end : end]
	}
	b.records = append(b.records, r)
	if b.marked || b.p.where != nil || b.p.deletedWhen != nil {
		m.id = identity(m.raw)
		m.raw.Data = []byte(m.id[1:])
		b.marks = append(b.marks, m)
	}
}

// unwind makes a record of each element of the array at the path's next name,
// as $unwind does: a missing, null or empty array has none, and a value that is
// no array stands for itself. An array on the way (a in a.items) is unwound
// too. A record whose element has no fields, because it is no document, is unreadable.
func (b *builder) unwind(d []byte, base *fields, path []string, level int, m mark) error {
	array, times, err := member(d, path[0])
	if err != nil || times == 0 || array.Type == bsoncore.TypeNull || array.Type == bsoncore.TypeUndefined {
		return err
	}
	if times > 1 {
		base.spoil(path[0], sources.ErrDuplicateName.Error())
		b.keep(base, m)
		return nil
	}
	if array.Type != bsoncore.TypeArray {
		return b.element(array, base, path, level, m, -1)
	}
	index := 0
	return elements(array.Data, func(_ []byte, v bsoncore.Value) error {
		index++
		return b.element(v, base, path, level, m, index-1)
	})
}

func (b *builder) element(v bsoncore.Value, base *fields, path []string, level int, m mark, index int) error {
	m.path += "/" + strconv.Itoa(index)
	at := b.shape.levels[level]
	last := len(path) == 1
	f := &fields{values: slices.Clone(base.values), why: base.why}
	if v.Type != bsoncore.TypeEmbeddedDocument {
		if !last {
			return nil // nothing lies under it
		}
		if len(at.branches) > 0 {
			f.spoil(b.p.Unwind, fmt.Sprintf("element %d is a BSON %s, no document", max(index, 0), v.Type))
		}
	} else if err := at.read(v.Data, f); err != nil {
		return err
	}
	if len(at.slots) > 0 { // the element itself is wanted
		value, err := valueOf(v)
		var reason *unreadable
		switch {
		case errors.As(err, &reason):
			f.spoil(b.p.Unwind, reason.why)
		case err != nil:
			return err
		}
		for _, slot := range at.slots {
			f.values[slot] = value
		}
	}
	if !last {
		return b.unwind(v.Data, f, path[1:], level+1, m)
	}
	b.keep(f, m)
	return nil
}

// canonicalKey is a key in the form in which keys are matched, as a map key.
func canonicalKey(k sources.Key) string {
	var b []byte
	for _, v := range k {
		b = sources.Canonical(v).AppendEncoding(b)
	}
	return string(b)
}
