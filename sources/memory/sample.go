package memory

import (
	"cmp"
	"context"
	"slices"

	"plumbline/sources"
)

// Sample implements sources.Sampler: of all distinct keys in scope those with
// the smallest hashes.
func (s *source) Sample(ctx context.Context, d *sources.Dataset, q sources.SampleRequest) (draw sources.Draw, err error) {
	err = s.read(ctx, "sample", d, func(c *compiled, f *fate) error {
		kept := sources.NewBottom(q.Keys, q.Seed)
		distinct := map[string]bool{}
		for _, r := range c.table.rows {
			key := c.key(r)
			if !key.Whole() || !c.inScope(r) {
				continue
			}
			if err := f.take(); err != nil {
				return err
			}
			distinct[canonical(key)] = true
			if err := kept.Offer(key); err != nil {
				return err
			}
		}
		draw = sources.Draw{Keys: kept.Keys(), Population: int64(len(distinct)), Method: "all keys by their hashes"}
		return nil
	})
	return draw, err
}

// Recent implements sources.Recenter. A key changed when the newest of its rows did.
func (s *source) Recent(ctx context.Context, d *sources.Dataset, q sources.RecentRequest) (keys []sources.Key, err error) {
	err = s.read(ctx, "recent", d, func(c *compiled, f *fate) error {
		column, path, ok := c.table.field(q.By)
		if !ok {
			return sources.Final(c.table.missing(q.By))
		}
		by := at{column, path}
		var rows []*row
		for _, r := range c.table.rows {
			when := c.value(r, by)
			changed := when.Kind() == sources.KindTime && (q.Since.IsZero() || !when.AsTime().Before(q.Since))
			if changed && c.key(r).Whole() && c.inScope(r) {
				rows = append(rows, r)
			}
		}
		slices.SortFunc(rows, func(a, b *row) int {
			return cmp.Or(compareValues(c.value(b, by), c.value(a, by)), cmp.Compare(b.serial, a.serial))
		})
		seen := map[string]bool{}
		for _, r := range rows {
			key := c.key(r)
			if len(keys) >= q.Keys {
				break
			}
			if encoded := canonical(key); !seen[encoded] {
				seen[encoded] = true
				keys = append(keys, key)
			}
		}
		return nil
	})
	return keys, err
}

// inScope says whether a row is one that the dataset is about.
func (c *compiled) inScope(r *row) bool {
	return c.exists(r) && (c.where == nil || c.holds(c.where, r))
}
