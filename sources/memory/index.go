package memory

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"sort"
	"strings"

	"plumbline/sources"
)

// index is a table's rows in the order of some columns, as of one version.
type index struct {
	version uint64
	rows    []*row            // by those columns, then in the order put
	byKey   map[string][]*row // by the canonical encoding of the first columns; made at the first lookup
}

// ordered returns the rows in the order of a compiled dataset's key and id. The
// caller holds the store's lock.
func (t *table) ordered(c *compiled) *index {
	t.mu.Lock()
	defer t.mu.Unlock()
	ix := t.indexes[c.order]
	if ix != nil && ix.version == t.version {
		return ix
	}
	ix = &index{version: t.version, rows: slices.Clone(t.rows)}
	positions := make(map[*row]sources.Position, len(ix.rows))
	for _, r := range ix.rows {
		positions[r] = c.position(r)
	}
	slices.SortFunc(ix.rows, func(a, b *row) int {
		if order := c.compare(positions[a], positions[b]); order != 0 {
			return order
		}
		return cmp.Compare(a.serial, b.serial)
	})
	t.indexes[c.order] = ix
	return ix
}

// keyed returns the same rows by the canonical encoding of their key.
func (t *table) keyed(c *compiled) map[string][]*row {
	ix := t.ordered(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	if ix.byKey == nil {
		ix.byKey = make(map[string][]*row, len(ix.rows))
		for _, r := range ix.rows {
			if key := c.key(r); key.Whole() {
				encoded := canonical(key)
				ix.byKey[encoded] = append(ix.byKey[encoded], r)
			}
		}
		n := len(c.dataset.Key)
		for _, copies := range ix.byKey { // numbers of several kinds may be one key
			slices.SortStableFunc(copies, func(a, b *row) int { return c.compareIDs(c.position(a)[n:], c.position(b)[n:]) })
		}
	}
	return ix.byKey
}

func canonical(k sources.Key) string {
	var b []byte
	for _, v := range k {
		b = sources.Canonical(v).AppendEncoding(b)
	}
	return string(b)
}

// compare orders positions: in each part the values of the column's declared
// kind, then those of other kinds, then null. A position in which some part is
// null comes after all that are whole, so that it lies in the span with an open end.
func (c *compiled) compare(a, b sources.Position) int {
	if order := cmp.Compare(nulls(a, len(c.dataset.Key)), nulls(b, len(c.dataset.Key))); order != 0 {
		return order
	}
	for i := range min(len(a), len(b)) {
		if order := c.compareParts(i, a[i], b[i]); order != 0 {
			return order
		}
	}
	return 0
}

func nulls(p sources.Position, key int) int {
	for _, v := range p[:min(key, len(p))] {
		if v.IsNull() || v.IsAbsent() {
			return 1
		}
	}
	return 0
}

func (c *compiled) compareIDs(a, b sources.Position) int {
	for i := range a {
		if order := c.compareParts(len(c.dataset.Key)+i, a[i], b[i]); order != 0 {
			return order
		}
	}
	return 0
}

func (c *compiled) compareParts(i int, a, b sources.Value) int {
	declared := c.declared[i]
	if order := cmp.Compare(rank(a, declared), rank(b, declared)); order != 0 {
		return order
	}
	if c.table.Order.seed != 0 {
		return cmp.Or(cmp.Compare(scatter(a, c.table.Order.seed), scatter(b, c.table.Order.seed)), compareValues(a, b))
	}
	return compareValues(a, b)
}

// rank puts the declared kind first and null last.
func rank(v sources.Value, declared sources.Kind) int {
	switch {
	case v.IsNull() || v.IsAbsent():
		return 1000
	case v.Kind() == declared:
		return 0
	}
	return 1 + int(v.Kind())
}

// compareValues orders two values of one kind.
func compareValues(a, b sources.Value) int {
	switch a.Kind() {
	case sources.KindNull, sources.KindAbsent:
		return 0
	case sources.KindInt:
		return cmp.Compare(a.AsInt(), b.AsInt())
	case sources.KindFloat:
		return cmp.Compare(a.AsFloat(), b.AsFloat())
	case sources.KindText, sources.KindBytes:
		return strings.Compare(a.AsText(), b.AsText())
	case sources.KindTime:
		return cmp.Or(cmp.Compare(a.Infinite(), b.Infinite()), a.AsTime().Compare(b.AsTime()))
	case sources.KindDate:
		return cmp.Or(cmp.Compare(a.Infinite(), b.Infinite()), cmp.Compare(a.AsDays(), b.AsDays()))
	}
	return strings.Compare(string(a.AppendEncoding(nil)), string(b.AppendEncoding(nil)))
}

func scatter(v sources.Value, seed uint64) uint64 {
	h := fnv.New64a()
	h.Write(binary.BigEndian.AppendUint64(nil, seed))
	h.Write(v.AppendEncoding(nil))
	return h.Sum64()
}

// after returns how many rows lie at or before p; none where p is nil.
func (c *compiled) after(rows []*row, p sources.Position) int {
	if p == nil {
		return 0
	}
	return sort.Search(len(rows), func(i int) bool { return c.compare(c.position(rows[i]), p) > 0 })
}
