package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// Describe implements sources.Describer.
func (s *source) Describe(ctx context.Context, d *sources.Dataset) (desc sources.Description, err error) {
	err = s.read(ctx, "describe", d, func(c *compiled, _ *fate) error {
		desc.Types = map[string]sources.FieldType{}
		for _, name := range slices.Concat(d.Key, d.ID, d.Fields, scopeNames(d)) {
			column, path, _ := c.table.field(name)
			desc.Types[name] = c.table.Columns[column].FieldType
			if path != "" {
				desc.Types[name] = sources.FieldType{Nullable: true}
			}
		}
		desc.ScanBy = slices.Concat(d.Key, d.ID)
		if c.exact() {
			desc.Order = sources.OrderExact
		}
		desc.KeyIndex = c.table.serves(d.Key)
		desc.ScanIndex = c.table.serves(desc.ScanBy)
		desc.Unique = c.table.covers(desc.ScanBy)
		if desc.KeyIndex == "" {
			desc.Warnings = append(desc.Warnings, fmt.Sprintf("no index of %s serves lookups by %s: every lookup would read the whole table",
				c.table.Name, strings.Join(d.Key, ", ")))
		}
		return nil
	})
	return desc, err
}

// exact says whether each key part is declared of a kind whose order all stores share.
func (c *compiled) exact() bool {
	for _, kind := range c.declared {
		switch kind {
		case sources.KindInt, sources.KindText, sources.KindUUID, sources.KindObjectID, sources.KindTime:
		default:
			return false
		}
	}
	return c.table.Order.seed == 0
}

// serves names the index whose first columns are these, "" where there is none.
func (t *table) serves(columns []string) string {
	for _, ix := range []struct {
		name    string
		columns []string
	}{{t.Name + "_unique", t.Unique}, {t.Name + "_index", t.Index}} {
		if len(ix.columns) >= len(columns) && slices.Equal(ix.columns[:len(columns)], columns) {
			return ix.name
		}
	}
	return ""
}

// covers says whether rows that differ differ in these columns.
func (t *table) covers(columns []string) bool {
	for _, name := range t.Unique {
		if !slices.Contains(columns, name) || t.Columns[t.columns[name]].Nullable {
			return false
		}
	}
	return len(t.Unique) > 0
}

// Split implements sources.Splitter.
func (s *source) Split(ctx context.Context, d *sources.Dataset, parts int) (cuts []sources.Position, err error) {
	err = s.read(ctx, "split", d, func(c *compiled, _ *fate) error {
		rows := c.table.ordered(c).rows
		for i := 1; i < parts; i++ {
			at := i * len(rows) / parts
			if at == 0 {
				continue
			}
			cut := c.position(rows[at-1])
			if nulls(cut, len(d.Key)) == 0 && (len(cuts) == 0 || c.compare(cuts[len(cuts)-1], cut) < 0) {
				cuts = append(cuts, cut)
			}
		}
		return nil
	})
	return cuts, err
}

// Count implements sources.Counter.
func (s *source) Count(ctx context.Context, d *sources.Dataset) (n int64, err error) {
	err = s.read(ctx, "count", d, func(c *compiled, _ *fate) error {
		n = int64(len(c.table.rows))
		return nil
	})
	return n, err
}

// Explain implements sources.Explainer.
func (s *source) Explain(ctx context.Context, d *sources.Dataset) (statements []sources.Statement, err error) {
	err = s.read(ctx, "explain", d, func(c *compiled, _ *fate) error {
		by := strings.Join(slices.Concat(d.Key, d.ID), ", ")
		scan := sources.Statement{Purpose: "scan", Text: "scan " + d.Name + " by " + by, Index: c.table.serves(slices.Concat(d.Key, d.ID)), Records: int64(len(c.table.rows))}
		scan.Plan, scan.Sorts = "reads in order", scan.Index == ""
		lookup := sources.Statement{Purpose: "lookup", Text: "look up " + d.Name + " by " + strings.Join(d.Key, ", "), Index: c.table.serves(d.Key)}
		if lookup.Plan = "reads by key"; lookup.Index == "" {
			lookup.Plan, lookup.Records = "reads the whole table", int64(len(c.table.rows))
		}
		statements = []sources.Statement{scan, lookup}
		return nil
	})
	return statements, err
}

// Probe implements sources.Prober.
func (s *source) Probe(ctx context.Context) (facts sources.Facts, err error) {
	err = s.read(ctx, "probe", nil, func(*compiled, *fate) error {
		facts = sources.Facts{Product: "memory", Version: "1"}
		return nil
	})
	return facts, err
}
