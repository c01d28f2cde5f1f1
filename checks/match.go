package checks

import (
	"bytes"
	"encoding/binary"

	"plumbline/sources"
)

// batch is a page with the key of each record in comparable bytes: the store's
// own where both sides' bytes mean the same, the canonical encoding otherwise.
type batch struct {
	side *side
	page *sources.Page
	raw  bool
	keys [][]byte // nil where a record's key has no canonical form
	why  []string // why, for those; nil when all have one
}

func newBatch(s *side, p *sources.Page, raw bool) (*batch, error) {
	b := &batch{side: s, page: p, raw: raw && p.Raw != nil}
	return b, b.index()
}

func (b *batch) index() error {
	n := b.page.Len()
	b.keys, b.why = make([][]byte, n), nil
	if b.raw {
		for i := range n {
			b.keys[i] = b.page.Raw.Key(b.page.Raw.Row(i))
			if nullPart(b.keys[i]) {
				b.keys[i] = nil
				b.doubt(i, "part of the key is null")
			}
		}
		return nil
	}
	if err := decodeAll(b.page); err != nil {
		return err
	}
	arena := make([]byte, 0, 16*n)
	for i := range b.page.Records {
		start := len(arena)
		grown, err := appendCanonical(arena, b.page.Records[i].Key, b.side.mine, b.side.other)
		if err != nil {
			b.doubt(i, err.Error())
			continue
		}
		arena = grown
		b.keys[i] = arena[start:len(arena):len(arena)]
	}
	return nil
}

// doubt notes why record i has no key.
func (b *batch) doubt(i int, why string) {
	if b.why == nil {
		b.why = make([]string, len(b.keys))
	}
	b.why[i] = why
}

// nullPart says whether one of the columns of a raw key is null.
func nullPart(key []byte) bool {
	for len(key) >= 4 {
		n := int32(binary.BigEndian.Uint32(key))
		if n < 0 {
			return true
		}
		key = key[4+n:]
	}
	return false
}

// appendCanonical appends the encoding of a key's canonical form.
func appendCanonical(b []byte, native sources.Key, mine, other []KeyForm) ([]byte, error) {
	for i, v := range native {
		if formOf(mine, i) != (KeyForm{}) || formOf(other, i) != (KeyForm{}) || v.IsAbsent() || v.IsNull() {
			key, err := canonicalKey(native, mine, other)
			if err != nil {
				return b, err
			}
			return append(b, key.Encode()...), nil
		}
	}
	for _, v := range native {
		b = sources.Canonical(v).AppendEncoding(b)
	}
	return b, nil
}

// decode gives up the store's own bytes for canonical ones.
func (b *batch) decode() error {
	b.raw = false
	return b.index()
}

func decodeAll(p *sources.Page) error {
	if p.Raw == nil {
		return nil
	}
	records := make([]sources.Record, p.Raw.Len())
	for i := range records {
		var err error
		if records[i], err = p.Raw.Decode(p.Raw.Row(i)); err != nil {
			return err
		}
	}
	p.Records, p.Raw = records, nil
	return nil
}

func (b *batch) record(i int) (*sources.Record, error) {
	if b.page.Raw == nil {
		return &b.page.Records[i], nil
	}
	r, err := b.page.Raw.Decode(b.page.Raw.Row(i))
	return &r, err
}

// matcher pairs the records of one side's page, whole for its range, with the
// pages that the other side delivers for the same range. It trusts no order:
// where keys do not come alike it looks them up in an index of the page.
type matcher struct {
	drive   *batch
	matched []bool
	next    int // the first record of drive that may match next, if orders are alike
	first   map[string]int
	// pair is called for each pair of the same key, only for a record of the
	// other side whose key drive lacks, and again for one whose key was paired before.
	pair  func(i int, other *batch, j int) error
	only  func(other *batch, j int) error
	again func(other *batch, j int) error
}

const lookAhead = 32

// add pairs one page of the other side.
func (m *matcher) add(other *batch) error {
	if m.drive.raw != other.raw {
		for _, b := range []*batch{m.drive, other} {
			if b.raw {
				if err := b.decode(); err != nil {
					return err
				}
			}
		}
		m.first = nil
	}
	for j, key := range other.keys {
		i := -1
		if key != nil {
			i = m.find(key)
		}
		var err error
		switch {
		case i < 0:
			err = m.only(other, j)
		case m.matched[i]:
			err = m.again(other, j)
		default:
			m.matched[i] = true
			err = m.pair(i, other, j)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) find(key []byte) int {
	keys := m.drive.keys
	for i := m.next; i < len(keys) && i < m.next+lookAhead; i++ {
		if bytes.Equal(keys[i], key) {
			m.next = i + 1
			return i
		}
	}
	if m.first == nil {
		m.first = make(map[string]int, len(keys))
		for i, k := range keys {
			if _, seen := m.first[string(k)]; !seen && k != nil {
				m.first[string(k)] = i
			}
		}
	}
	if i, ok := m.first[string(key)]; ok {
		return i
	}
	return -1
}

// leftover calls single for each record of drive that nothing was paired with.
func (m *matcher) leftover(single func(i int) error) error {
	for i, was := range m.matched {
		if was {
			continue
		}
		if err := single(i); err != nil {
			return err
		}
	}
	return nil
}
