package memory

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"plumbline/sources"
)

// mostTies is how many records may share a position.
const mostTies = 100_000

// Lookup implements sources.Source. A page's position is the canonical
// encoding of the key, as bytes, followed by the id.
func (s *source) Lookup(ctx context.Context, d *sources.Dataset, keys []sources.Key, after sources.Position, limit sources.Limit) (page sources.Page, err error) {
	err = s.read(ctx, "lookup", d, func(c *compiled, f *fate) error {
		wanted := make([]string, 0, len(keys))
		for _, k := range keys {
			wanted = append(wanted, canonical(k))
		}
		slices.Sort(wanted)
		wanted = slices.Compact(wanted)
		byKey := c.table.keyed(c)
		b := c.builder(limit, f)
		if after != nil {
			wanted = wanted[sort.SearchStrings(wanted, after[0].AsText()):]
		}
		for _, key := range wanted {
			copies := byKey[key]
			if after != nil && key == after[0].AsText() {
				copies = copies[c.afterCopy(copies, after[1:]):]
			}
			for _, r := range copies {
				id := c.position(r)[len(d.Key):]
				done, err := b.add(r, append(sources.Position{sources.Bytes([]byte(key))}, id...))
				if err != nil || done {
					page = b.page
					return err
				}
			}
		}
		page = b.end()
		return nil
	})
	return whole(page, err)
}

// afterCopy returns how many copies of one key lie at or before an id.
func (c *compiled) afterCopy(copies []*row, id sources.Position) int {
	n := len(c.dataset.Key)
	return sort.Search(len(copies), func(i int) bool { return c.compareIDs(c.position(copies[i])[n:], id) > 0 })
}

// Scan implements sources.Scanner.
func (s *source) Scan(ctx context.Context, d *sources.Dataset, r sources.ScanRequest) (page sources.Page, err error) {
	err = s.read(ctx, "scan", d, func(c *compiled, f *fate) error {
		rows := c.table.ordered(c).rows
		from, to := c.after(rows, c.bound(r.After)), len(rows)
		if r.UpTo != nil {
			to = c.after(rows, c.bound(r.UpTo))
		}
		b := c.builder(r.Limit, f)
		b.keysOnly, b.inScopeOnly = r.KeysOnly, r.InScopeOnly
		b.raw = r.Raw && s.config.Raw && !r.KeysOnly && len(d.ID) == 0 && c.where == nil && c.deleted == nil
		for _, row := range rows[min(from, to):to] {
			done, err := b.add(row, c.position(row))
			if err != nil || done {
				page = b.page
				return err
			}
		}
		page = b.end()
		return nil
	})
	return whole(page, err)
}

// whole sees to it that no page comes with an error.
func whole(page sources.Page, err error) (sources.Page, error) {
	if err != nil {
		return sources.Page{}, err
	}
	return page, nil
}

// builder fills a page.
type builder struct {
	*compiled
	page                       sources.Page
	limit                      sources.Limit
	fate                       *fate
	keysOnly, inScopeOnly, raw bool
	last                       sources.Position
	ties                       int
}

func (c *compiled) builder(limit sources.Limit, f *fate) *builder {
	return &builder{compiled: c, limit: limit, fate: f}
}

// add takes a row into the page, unless the page is full and the row begins a
// new position: then the page is done.
func (b *builder) add(r *row, p sources.Position) (done bool, err error) {
	same := b.last != nil && slices.EqualFunc(b.last, p, sources.Value.Equal)
	if b.last != nil && !same && (b.page.Len() >= b.limit.Records || b.page.Size >= b.limit.Bytes) && b.page.Len() > 0 {
		b.page.Next = b.last
		return true, nil
	}
	if b.ties++; !same {
		b.ties = 1
	}
	if b.ties > mostTies {
		return true, sources.Final(fmt.Errorf("more than %d records share the key %s; declare an id for %s", mostTies, p[0], b.dataset.Title()))
	}
	b.last = p
	if err := b.fate.take(); err != nil {
		return true, err
	}
	if !b.exists(r) || b.inScopeOnly && b.where != nil && !b.holds(b.where, r) {
		return false, nil
	}
	record := b.record(r, b.keysOnly)
	b.page.Size += 8
	if record.Skipped == "" {
		b.page.Size += r.size
	}
	if !b.raw || record.Skipped != "" || record.Unreadable != "" {
		b.unraw()
		b.page.Records = append(b.page.Records, record)
		return false, nil
	}
	b.addRaw(&record)
	return false, nil
}

// unraw gives up raw rows for a page with a record that has none.
func (b *builder) unraw() {
	if b.raw = false; b.page.Raw == nil {
		return
	}
	for i := range b.page.Raw.Len() {
		record, err := b.page.Raw.Decode(b.page.Raw.Row(i))
		if err != nil { // these bytes were encoded a moment ago
			panic(err)
		}
		b.page.Records = append(b.page.Records, record)
	}
	b.page.Raw = nil
}

func (b *builder) end() sources.Page {
	b.page.Done = true
	return b.page
}

// addRaw appends a row: key, then fields. A column is its value's encoding;
// behind a field's stands its precision.
func (b *builder) addRaw(r *sources.Record) {
	if b.page.Raw == nil {
		keys, fields := len(r.Key), len(r.Fields)
		b.page.Raw = &sources.Raw{Keys: keys, Decode: func(row []byte) (sources.Record, error) { return decodeRow(row, keys, fields) }}
	}
	raw := b.page.Raw
	for _, v := range r.Key {
		raw.Data = appendColumn(raw.Data, v, false)
	}
	for _, v := range r.Fields {
		raw.Data = appendColumn(raw.Data, v, true)
	}
	raw.Ends = append(raw.Ends, len(raw.Data))
}

func appendColumn(b []byte, v sources.Value, precise bool) []byte {
	if v.IsNull() {
		return binary.BigEndian.AppendUint32(b, 0xffffffff)
	}
	start := len(b)
	b = v.AppendEncoding(append(b, 0, 0, 0, 0))
	if precise {
		b = append(b, byte(v.Precision()))
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

func decodeRow(row []byte, keys, fields int) (r sources.Record, err error) {
	values := make([]sources.Value, keys+fields)
	for i := range values {
		n := int32(binary.BigEndian.Uint32(row))
		row = row[4:]
		if n < 0 {
			values[i] = sources.Null()
			continue
		}
		v, rest, err := sources.DecodeValue(row[:n])
		if err != nil {
			return r, err
		}
		if len(rest) == 1 {
			v = v.WithPrecision(int(rest[0]))
		}
		values[i], row = v, row[n:]
	}
	r.Key, r.Fields = values[:keys:keys], values[keys:]
	return r, nil
}
