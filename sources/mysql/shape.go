package mysql

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"plumbline/sources"
)

// Schema is what the catalogue says now. A query has the columns that it returns,
// and neither constraints nor an identity.
func (s *source) Schema(ctx context.Context, d *sources.Dataset) (sources.Schema, error) {
	if err := supported(d); err != nil {
		return sources.Schema{}, sources.Final(err)
	}
	s.mu.Lock()
	known := s.shapes[d]
	s.mu.Unlock()
	if known == nil {
		p := &plan{dataset: d}
		schema, err := s.readSchema(ctx, p)
		if err != nil || !p.base {
			return schema, err
		}
		known = &shape{from: p.from, table: table{schema: p.schema, name: p.table}}
	}
	statement, err := s.madeBy(ctx, known)
	if err != nil {
		s.forgetShape(d) // it may be there under another name, or be gone: the catalogue says which
		return s.readSchema(ctx, &plan{dataset: d})
	}
	if statement == known.statement {
		return known.schema, nil
	}
	schema, err := s.readSchema(ctx, &plan{dataset: d})
	if err != nil {
		s.forgetShape(d)
		return sources.Schema{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.shapes) >= maxPlans {
		clear(s.shapes)
	}
	s.shapes[d] = &shape{from: known.from, table: known.table, statement: statement, schema: schema}
	return schema, nil
}

// shape is what a table was last seen to be: the catalogue is read again only
// where the statement that would make the table, or the time it was made, is
// another. It never changes.
type shape struct {
	from      string // as in a statement
	table     table
	statement string
	schema    sources.Schema
}

// counted is what SHOW CREATE TABLE says of the next number, which is no part of a shape.
var counted = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// madeBy asks for the statement that would make a table and when it was made.
func (s *source) madeBy(ctx context.Context, t *shape) (string, error) {
	made, err := s.texts(ctx, "SHOW CREATE TABLE "+t.from)
	if err != nil {
		return "", fmt.Errorf("ask how %s is made: %w", t.table.title(), err)
	}
	when, err := s.texts(ctx, createdAt, t.table.schema, t.table.name)
	if err != nil {
		return "", fmt.Errorf("look up when %s was made: %w", t.table.title(), err)
	}
	if len(made) != 1 || len(made[0]) != 2 || len(when) != 1 {
		return "", fmt.Errorf("ask how %s is made: it is no table", t.table.title())
	}
	return counted.ReplaceAllString(made[0][1], "") + "\x00" + when[0][0], nil
}

func (s *source) forgetShape(d *sources.Dataset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shapes, d)
}

// readSchema reads the catalogue.
func (s *source) readSchema(ctx context.Context, p *plan) (sources.Schema, error) {
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

const createdAt = "SELECT COALESCE(CREATE_TIME, '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"

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
	rows, err := s.texts(ctx, createdAt, p.schema, p.table)
	if err != nil {
		return fmt.Errorf("look up when %s was made: %w", p.title(), err)
	}
	if len(rows) > 0 && rows[0][0] != "" {
		schema.Identity = "created " + rows[0][0]
	}
	return nil
}
