package sqlite

import (
	"context"
	"slices"
	"strings"

	"plumbline/sources"
)

// Schema implements sources.Shaper. SQLite keeps nothing that tells a table from
// another of its name, or an emptied one from one that always was: Identity is "".
func (s *source) Schema(ctx context.Context, d *sources.Dataset) (out sources.Schema, err error) {
	err = s.read(ctx, func(r reading) error {
		out = sources.Schema{}
		if d.Query != "" {
			return querySchema(r, d, &out)
		}
		return tableSchema(r, d, &out)
	})
	if err != nil {
		return sources.Schema{}, err
	}
	slices.SortFunc(out.Fields, func(a, b sources.SchemaField) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(out.Constraints)
	return out, nil
}

func tableSchema(r reading, d *sources.Dataset, out *sources.Schema) error {
	o, _, err := named(r, d)
	if err != nil {
		return err
	}
	var primary []string
	text := "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1 ORDER BY pk"
	err = r.each(text, []any{o.name, o.schema}, func(v []any) (bool, error) {
		name := v[0].(string)
		declared, _ := v[1].(string)
		out.Fields = append(out.Fields, sources.SchemaField{Name: name, Declared: strings.ToLower(declared), Nullable: v[2] != int64(1)})
		if v[3] != int64(0) {
			primary = append(primary, name)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if len(primary) > 0 {
		out.Constraints = append(out.Constraints, "PRIMARY KEY: "+strings.Join(primary, ", "))
	}
	text = `SELECT l.name, l."unique", l.partial, (SELECT group_concat(coalesce(x.name, 'an expression') || iif(x."desc", ' DESC', '') || ' ' || x.coll, ', ')
		FROM pragma_index_xinfo(l.name, ?2) x WHERE x.key = 1) FROM pragma_index_list(?1, ?2) l`
	return r.each(text, []any{o.name, o.schema}, func(v []any) (bool, error) {
		words := "INDEX " + v[0].(string)
		if v[1] == int64(1) {
			words = "UNIQUE " + words
		}
		if columns, ok := v[3].(string); ok {
			words += " (" + columns + ")"
		}
		if v[2] == int64(1) {
			words += " of some rows"
		}
		out.Constraints = append(out.Constraints, words)
		return true, nil
	})
}

func querySchema(r reading, d *sources.Dataset, out *sources.Schema) error {
	rows, err := r.query("SELECT * FROM " + queryFrom(d) + " LIMIT 0")
	if err != nil {
		return err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	for _, t := range types {
		out.Fields = append(out.Fields, sources.SchemaField{Name: t.Name(), Declared: strings.ToLower(t.DatabaseTypeName()), Nullable: true})
	}
	return rows.Close()
}
