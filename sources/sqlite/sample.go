package sqlite

import (
	"context"
	"fmt"
	"math"
	"strings"

	"plumbline/sources"
)

// Sample draws integers between the least and the greatest key, and keeps those
// that are one. Of other keys, and where they lie far apart, all are read.
func (s *source) Sample(ctx context.Context, d *sources.Dataset, q sources.SampleRequest) (draw sources.Draw, err error) {
	bare := *d
	bare.ID, bare.Fields, bare.DeletedWhen = nil, nil, ""
	var in sources.Integers
	err = s.readDataset(ctx, &bare, func(tx reading, c *compiled) error {
		if !c.unique || c.lookup == nil || len(c.keys) != 1 || !c.keys[0].integer || c.keys[0].refine != plain {
			return sources.ErrReadAll
		}
		least, ok, err := c.extreme(tx, "")
		if err != nil || !ok {
			return err
		}
		greatest, _, err := c.extreme(tx, " DESC")
		if least < -1<<53 || greatest > 1<<53 || least != math.Trunc(least) || greatest != math.Trunc(greatest) {
			return sources.ErrReadAll
		}
		in.Least, in.Greatest = int64(least), int64(greatest)
		return err
	})
	if err != nil {
		return draw, err
	}
	if in.Estimate, err = s.Count(ctx, &bare); err != nil {
		return draw, err
	}
	draw.Method = "integers drawn between the least and the greatest key, of which those were kept that are one"
	draw.Keys, err = sources.SampleIntegers(ctx, s, &bare, q, in)
	if err != nil {
		return sources.Draw{}, err
	}
	if in.Estimate <= mostCounted {
		draw.Population, err = s.population(ctx, &bare)
	}
	return draw, err
}

// mostCounted is about how many keys are counted for a draw. SQLite reads an
// index to its end for that.
const mostCounted = 5_000_000

// population counts the keys in scope.
func (s *source) population(ctx context.Context, d *sources.Dataset) (n int64, err error) {
	err = s.readDataset(ctx, d, func(tx reading, c *compiled) error {
		where, args := c.inScope(false)
		where = append(where, quote(c.names[0])+" IS NOT NULL")
		return tx.each("SELECT count(*) FROM "+c.object.from+conditions(where), args, func(values []any) (bool, error) {
			n, _ = values[0].(int64)
			return false, nil
		})
	})
	return n, err
}

// inScope are the conditions on the rows that a dataset is about; served keeps the
// planner from taking an index for them in place of the one that serves.
func (c *compiled) inScope(served bool) (where []string, args []any) {
	if c.scope != "" {
		where, args = append(where, filter("("+c.scope+")", served)), append(args, c.scopeArgs...)
	}
	if c.where != "" {
		where = append(where, filter(c.where, served))
	}
	return where, args
}

// Recent reads an index on the field from its end. Without one SQLite would read
// and sort the whole table, so it is not asked.
func (s *source) Recent(ctx context.Context, d *sources.Dataset, q sources.RecentRequest) (keys []sources.Key, err error) {
	bare := *d
	bare.ID, bare.Fields, bare.DeletedWhen = nil, []string{q.By}, ""
	err = s.readDataset(ctx, &bare, func(tx reading, c *compiled) error {
		text, args, err := c.recent(q)
		if err != nil {
			return err
		}
		plan, err := tx.plan(text, args)
		if err != nil {
			return err
		}
		if plan.sorts {
			return sources.ErrUnindexed
		}
		seen := map[string]bool{}
		return tx.each(text, args, func(values []any) (bool, error) {
			key := c.row(values, true).record.Key
			if encoded := canonical(key); key.Whole() && !seen[encoded] {
				seen[encoded] = true
				keys = append(keys, key)
			}
			return len(keys) < q.Keys, nil
		})
	})
	return keys, err
}

// recent is the statement that reads the records that changed last. SQLite has no
// type of time: the order is that of the values as they are stored, and a bound
// applies to texts that its date functions read.
func (c *compiled) recent(q sources.RecentRequest) (text string, args []any, err error) {
	if c.fields[0].path != "" {
		return "", nil, sources.Final(fmt.Errorf("%s is inside a column: name a column that says when a record changed", q.By))
	}
	by := c.columns[0]
	where, args := c.inScope(true)
	where = append(where, quote(by.name)+" IS NOT NULL")
	if !q.Since.IsZero() {
		if by.class != textClass {
			return "", nil, sources.Final(fmt.Errorf("%s is declared %q: since needs a column of texts that SQLite's date functions read", q.By, by.declared))
		}
		where = append(where, "julianday("+quote(by.name)+") >= julianday(?)")
		args = append(args, q.Since.UTC().Format("2006-01-02 15:04:05.000"))
	}
	var list []string
	for _, name := range c.names {
		list = append(list, "+"+quote(name))
	}
	for _, condition := range []string{c.where, c.deleted} {
		if condition != "" {
			list = append(list, condition+" IS TRUE")
		}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + c.object.from + conditions(where) + " ORDER BY " + quote(by.name) + " DESC", args, nil
}
