package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"plumbline/sources"
)

// mostParameters is how many values one statement may bind, SQLite's own limit
// less room for the scope's.
const mostParameters = 32_000

// wanted is one key to look up, and how rows may spell it.
type wanted struct {
	canonical string
	spellings [][]any
}

// end is the position behind all copies of a key in a file.
func (w wanted) end(file int64) sources.Position {
	return sources.Position{sources.Bytes([]byte(w.canonical)), sources.Int(file)}
}

// Lookup implements sources.Source. Keys are taken in the order of their
// canonical encodings. A page ends behind a key, whose encoding is its position
// together with the number of the file, or behind a copy of one, whose id then
// follows in the position.
func (s *source) Lookup(ctx context.Context, d *sources.Dataset, keys []sources.Key, after sources.Position, limit sources.Limit) (sources.Page, error) {
	var page sources.Page
	err := s.readDataset(ctx, d, func(tx reading, c *compiled) (err error) {
		if after != nil && after[1].AsInt() != c.file {
			return s.errReplaced()
		}
		page, err = c.lookUp(tx, c.wanted(keys), after, limit)
		return err
	})
	if err != nil {
		return sources.Page{}, err
	}
	return page, nil
}

// wanted drops keys asked for twice and those that the columns cannot hold.
func (c *compiled) wanted(keys []sources.Key) []wanted {
	all := make([]wanted, 0, len(keys))
	for _, k := range keys {
		w := wanted{canonical: canonical(k), spellings: [][]any{nil}}
		for i, v := range k {
			var longer [][]any
			for _, one := range c.keys[i].spellings(v) {
				for _, s := range w.spellings {
					longer = append(longer, append(slices.Clone(s), one))
				}
			}
			w.spellings = longer
		}
		if len(w.spellings) > 0 {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b wanted) int { return strings.Compare(a.canonical, b.canonical) })
	return slices.CompactFunc(all, func(a, b wanted) bool { return a.canonical == b.canonical })
}

func canonical(k sources.Key) string {
	var b []byte
	for _, v := range k {
		b = sources.Canonical(v).AppendEncoding(b)
	}
	return string(b)
}

func (c *compiled) lookUp(tx reading, keys []wanted, after sources.Position, limit sources.Limit) (sources.Page, error) {
	b := &builder{compiled: c, limit: limit}
	if after != nil {
		from := sort.Search(len(keys), func(i int) bool { return keys[i].canonical >= after[0].AsText() })
		if keys = keys[from:]; len(keys) > 0 && keys[0].canonical == after[0].AsText() {
			if len(after) > 2 {
				if err := c.copies(tx, keys[0], after[2:], b); err != nil || b.page.Next != nil {
					return b.page, err
				}
				b.page.Next = keys[0].end(c.file)
			}
			keys = keys[1:]
		}
	}
	most := max(1, mostParameters/len(c.dataset.Key)/3) // a uuid has three spellings
	for len(keys) > 0 {
		n := min(len(keys), most)
		if len(b.page.Records) > 0 && (len(b.page.Records) >= limit.Records || b.page.Size >= limit.Bytes) {
			return b.page, nil
		}
		fits, err := c.batch(tx, keys[:n], b)
		if err != nil {
			return b.page, err
		}
		switch {
		case fits:
			b.page.Next = keys[n-1].end(c.file)
			keys = keys[n:]
		case len(b.page.Records) > 0: // what there is makes a page; its Next is set
			return b.page, nil
		case n > 1:
			most = n / 2
		default:
			if err := c.copies(tx, keys[0], nil, b); err != nil || b.page.Next != nil {
				return b.page, err
			}
			b.page.Next = keys[0].end(c.file)
			keys = keys[1:]
		}
	}
	b.page.Next, b.page.Done = nil, true
	return b.page, nil
}

// batch reads all records of some keys into the page, or none where they are
// more than fit.
func (c *compiled) batch(tx reading, keys []wanted, b *builder) (fits bool, err error) {
	asked := make(map[string]bool, len(keys))
	var args []any
	n := 0
	for _, k := range keys {
		asked[k.canonical] = true
		for _, s := range k.spellings {
			args = append(args, s...)
			n++
		}
	}
	room := max(1, b.limit.Records-len(b.page.Records))
	before, size, read := len(b.page.Records), b.page.Size, 0
	text, scope := c.lookupText(n, room+1)
	fits = true
	err = tx.each(text, append(args, scope...), func(values []any) (bool, error) {
		r := c.row(values, false)
		b.page.Size += r.size
		if read++; read > room || b.page.Size > b.limit.Bytes && read > 1 {
			fits = false
			return false, nil
		}
		if asked[canonical(r.record.Key)] {
			b.page.Records = append(b.page.Records, r.record)
		}
		return true, nil
	})
	if !fits {
		b.page.Records, b.page.Size = b.page.Records[:before], size
	}
	return fits, err
}

// lookupText is the statement for a number of keys. Where no index serves, it
// sorts, so that the work is done where SQLite can be interrupted.
func (c *compiled) lookupText(keys, most int) (text string, scope []any) {
	where := []string{c.among(keys)}
	if c.scope != "" {
		where = append(where, filter(c.scope, c.lookup != nil))
	}
	text = "SELECT " + c.list(false) + " FROM " + c.from(c.lookup) + conditions(where)
	if c.lookup == nil {
		text += " ORDER BY +" + quote(c.names[0])
	}
	return fmt.Sprintf("%s LIMIT %d", text, most), c.scopeArgs
}

func (c *compiled) among(keys int) string {
	n := len(c.dataset.Key)
	if n == 1 {
		return quote(c.names[0]) + " IN (" + marks(keys) + ")"
	}
	one := "(" + marks(n) + ")"
	return "(" + quoted(c.names[:n]) + ") IN (VALUES " + strings.TrimSuffix(strings.Repeat(one+", ", keys), ", ") + ")"
}

// copies reads the copies of one key in the order of their ids.
func (c *compiled) copies(tx reading, k wanted, after sources.Position, b *builder) error {
	n := len(c.dataset.Key)
	ids := c.names[n:]
	where := []string{c.among(len(k.spellings))}
	var args []any
	for _, s := range k.spellings {
		args = append(args, s...)
	}
	if after != nil {
		condition, more := follows(ids, after)
		where, args = append(where, condition), append(args, more...)
	}
	if c.scope != "" {
		where, args = append(where, filter(c.scope, c.lookup != nil)), append(args, c.scopeArgs...)
	}
	text := "SELECT " + c.list(false) + " FROM " + c.from(c.lookup) + conditions(where)
	if len(ids) > 0 {
		text += " ORDER BY " + quoted(ids)
	}
	of := &builder{compiled: c, limit: sources.Limit{Records: max(1, b.limit.Records-len(b.page.Records)), Bytes: b.limit.Bytes - b.page.Size}}
	err := tx.each(text, args, func(values []any) (bool, error) {
		r := c.row(values, false)
		if canonical(r.record.Key) != k.canonical {
			return true, nil
		}
		for i := range n { // the key's parts are one key, however they are spelled
			r.position[i] = sources.Null()
		}
		return of.add(r)
	})
	if err != nil {
		return err
	}
	b.page.Records = append(b.page.Records, of.page.Records...)
	b.page.Size += of.page.Size
	if b.page.Next = nil; of.page.Next != nil {
		b.page.Next = append(k.end(c.file), of.page.Next[n:]...)
		if len(ids) == 0 {
			return errors.New("copies without an id came apart") // they share their one position
		}
	}
	return nil
}
