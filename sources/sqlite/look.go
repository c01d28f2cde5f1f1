package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"plumbline/sources"
)

// Look implements sources.Writer. A settled look holds the file's write lock, as
// each of our writes does from before it looks until it is over.
func (s *source) Look(ctx context.Context, d *sources.Dataset, key, id sources.Key, how sources.Looking) (image *sources.Image, err error) {
	if err := wellFormed(d, key, id); err != nil {
		return nil, err
	}
	if !how.Settled {
		err = s.readDataset(ctx, d, func(r reading, c *compiled) error {
			image, err = c.look(r, key, id, how.Whole)
			return err
		})
		return image, err
	}
	if !s.options.Writable {
		return nil, sources.Final(errors.New("a look that waits for writers needs a url that may write (fix_url)"))
	}
	inner, cancel := context.WithTimeout(ctx, s.options.StatementTimeout)
	defer cancel()
	o, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.leave(o)
	_, err = o.locked(inner, func(l locking) (bool, error) {
		c, err := compile(l.reading, d)
		if err != nil {
			return false, err
		}
		if err := l.mayWrite(c.object.schema); err != nil { // without the lock nothing would be settled
			return false, err
		}
		image, err = c.look(l.reading, key, id, how.Whole)
		return false, err
	})
	if err != nil {
		return nil, s.explain(ctx, inner, err)
	}
	return image, nil
}

func wellFormed(d *sources.Dataset, key, id sources.Key) error {
	switch {
	case len(key) != len(d.Key) || len(id) != len(d.ID):
		return sources.Final(fmt.Errorf("a record of %s has a key of %d parts and an id of %d, not of %d and %d", d.Title(), len(d.Key), len(d.ID), len(key), len(id)))
	case !key.Whole():
		return sources.Final(errors.New("a record without a whole key cannot be told from others"))
	}
	return nil
}

// look reads one record, and first the clock: what is read is no older than that.
func (c *compiled) look(r reading, key, id sources.Key, whole bool) (*sources.Image, error) {
	if err := c.writable(); err != nil {
		return nil, err
	}
	at, err := r.now()
	if err != nil {
		return nil, err
	}
	where, args, possible := c.leadsTo(key, id)
	if !possible {
		return &sources.Image{ReadAt: at}, nil
	}
	wanted := canonical(key) + canonical(id)
	found, err := c.images(r, c.from(c.lookup), where, args, whole, func(record *sources.Record) bool {
		return canonical(record.Key)+canonical(record.ID) == wanted
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) > 1:
		return nil, sources.Final(&sources.ManyError{In: c.dataset.Title()})
	case len(found) == 0:
		return &sources.Image{ReadAt: at}, nil
	}
	found[0].ReadAt = at
	return found[0], nil
}

// leadsTo is a condition for the rows of a key and id, and perhaps others that
// SQLite compares alike; possible is false where no row could be of them.
func (c *compiled) leadsTo(key, id sources.Key) (where string, args []any, possible bool) {
	wanted := c.wanted([]sources.Key{key})
	if len(wanted) == 0 {
		return "", nil, false
	}
	all := []string{c.among(len(wanted[0].spellings))}
	for _, s := range wanted[0].spellings {
		args = append(args, s...)
	}
	for i, v := range id {
		column := c.keys[len(key)+i]
		if v.IsNull() || v.IsAbsent() {
			all = append(all, quote(column.name)+" IS NULL")
			continue
		}
		spellings := column.spellings(v)
		if len(spellings) == 0 {
			return "", nil, false
		}
		all, args = append(all, quote(column.name)+" IN ("+marks(len(spellings))+")"), append(args, spellings...)
	}
	if c.scope != "" {
		all, args = append(all, filter(c.scope, c.lookup != nil)), append(args, c.scopeArgs...)
	}
	return strings.Join(all, " AND "), args, true
}

// writable says why a dataset's records cannot be written at all.
func (c *compiled) writable() error {
	switch {
	case c.dataset.Query != "":
		return sources.Final(errors.New("what a query puts out cannot be written: name the table, or let fixes ask the service (by: request)"))
	case !c.object.table:
		return sources.Final(fmt.Errorf("%s is a view or a virtual table, which cannot be written: name the table, or let fixes ask the service (by: request)", c.dataset.Title()))
	case strings.HasPrefix(foldASCII(c.object.name), "sqlite_"):
		return sources.Final(fmt.Errorf("%s is SQLite's own table", c.dataset.Title()))
	}
	return nil
}

// clock is the store's own clock, in seconds and thousandths.
const clock = "unixepoch('now', 'subsec')"

// now reads the store's own clock.
func (r reading) now() (at time.Time, err error) {
	err = r.each("SELECT "+clock, nil, func(v []any) (bool, error) {
		seconds, ok := v[0].(float64)
		if !ok {
			return false, sources.Final(errors.New("SQLite tells no time"))
		}
		at = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
		return false, nil
	})
	return at, err
}
