package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// Schema reads what the catalogue says now. A query has the columns that it
// returns, and neither constraints nor an identity.
func (s *source) Schema(ctx context.Context, d *sources.Dataset) (sources.Schema, error) {
	if err := supported(d); err != nil {
		return sources.Schema{}, sources.Final(err)
	}
	p := &plan{dataset: d}
	columns, err := p.find(ctx, s)
	if err != nil {
		return sources.Schema{}, err
	}
	var schema sources.Schema
	for _, c := range columns {
		declared := c.declared
		if c.collation != "" {
			declared += " collate " + c.collation
		}
		schema.Fields = append(schema.Fields, sources.SchemaField{Name: c.name, Declared: declared, Nullable: !c.notNull})
	}
	slices.SortFunc(schema.Fields, func(a, b sources.SchemaField) int { return strings.Compare(a.Name, b.Name) })
	if p.table == "" {
		return schema, nil
	}
	return schema, s.constraints(ctx, p, &schema)
}

// constraints adds a table's indexes and when it was made.
func (s *source) constraints(ctx context.Context, p *plan, schema *sources.Schema) error {
	indexes, err := indexesOf(ctx, s, p)
	if err != nil {
		return err
	}
	for _, x := range indexes {
		word := "index"
		if x.unique {
			word = "unique index"
		}
		columns := slices.Clone(x.columns)
		for i, name := range columns {
			if name == "" {
				columns[i] = "(expression)"
			}
		}
		schema.Constraints = append(schema.Constraints, fmt.Sprintf("%s %s (%s)", word, x.name, strings.Join(columns, ", ")))
	}
	slices.Sort(schema.Constraints)
	rows, err := s.texts(ctx, "SELECT COALESCE(CREATE_TIME, '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", p.schema, p.table)
	if err != nil {
		return fmt.Errorf("look up when %s was made: %w", p.title(), err)
	}
	if len(rows) > 0 && rows[0][0] != "" {
		schema.Identity = "created " + rows[0][0]
	}
	return nil
}
