package sqlite

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline/sources"
)

// Preflight implements sources.Writer. Writers enforce foreign keys, so what
// follows a write by them is named, whether or not the store's own program
// enforces them too. Of deletes, what putting a record back would touch is named
// as well. SQLite has no partitions and no row security.
func (s *source) Preflight(ctx context.Context, d *sources.Dataset, fields []string, deletes bool) (hazards []sources.Hazard, err error) {
	err = s.readDataset(ctx, d, func(r reading, c *compiled) error {
		hazards = nil
		if err := c.writable(); err != nil {
			return err
		}
		var written []string
		for _, field := range fields {
			column, err := c.assignable(field)
			if err != nil {
				return err
			}
			written = append(written, column.name)
		}
		others, err := c.furtherKeys(r, written)
		if err != nil {
			return err
		}
		for _, find := range []func(reading, []string, bool) ([]sources.Hazard, error){c.triggers, c.cascades, c.computed} {
			found, err := find(r, written, deletes)
			if err != nil {
				return err
			}
			hazards = append(hazards, found...)
		}
		hazards = append(hazards, others...)
		return nil
	})
	return hazards, err
}

// triggers asks the compiler which triggers the statements would run, those that
// triggers set off in turn included.
func (c *compiled) triggers(r reading, written []string, deletes bool) (hazards []sources.Hazard, err error) {
	asked := map[string]string{}
	where := " WHERE " + quote(c.names[0]) + " IS ?"
	if len(written) > 0 {
		set := make([]string, len(written))
		for i, name := range written {
			set[i] = quote(name) + " = ?"
		}
		asked["update"] = "UPDATE OR ABORT " + c.object.from + " SET " + strings.Join(set, ", ") + where
	}
	if deletes {
		asked["delete"] = "DELETE FROM " + c.object.from + where
		asked["insert, to put a record back"] = "INSERT OR ABORT INTO " + c.object.from + " (" + quote(c.names[0]) + ") SELECT ?"
	}
	for _, event := range slices.Sorted(maps.Keys(asked)) {
		text := asked[event]
		seen := map[string]bool{}
		err := r.each("EXPLAIN "+text, make([]any, strings.Count(text, "?")), func(v []any) (bool, error) {
			what, _ := v[5].(string)
			name, ok := strings.CutPrefix(what, "-- TRIGGER ")
			if opcode, _ := v[1].(string); opcode == "Init" && ok && !seen[name] {
				seen[name] = true
				hazards = append(hazards, sources.Hazard{Kind: sources.HazardTriggers, What: fmt.Sprintf("trigger %s runs with the %s", name, event)})
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return hazards, nil
}

// cascades finds foreign keys by which other rows would follow the write.
func (c *compiled) cascades(r reading, written []string, deletes bool) (hazards []sources.Hazard, err error) {
	o := c.object
	primary, err := o.primaryKey(r)
	if err != nil {
		return nil, err
	}
	text := "SELECT m.name, f.\"from\", f.\"to\", f.seq, f.on_update, f.on_delete FROM " + quote(o.schema) + ".sqlite_schema AS m JOIN pragma_foreign_key_list(m.name, ?) AS f" +
		" WHERE m.type = 'table' AND f.\"table\" = ? COLLATE NOCASE ORDER BY m.name, f.id, f.seq"
	err = r.each(text, []any{o.schema, o.name}, func(v []any) (bool, error) {
		child, from := fmt.Sprint(v[0]), fmt.Sprint(v[1])
		to, named := v[2].(string)
		if seq, _ := v[3].(int64); !named && int(seq) < len(primary) {
			to = primary[seq]
		}
		follows := func(action any) bool { return action == "CASCADE" || action == "SET NULL" || action == "SET DEFAULT" }
		isTo := func(name string) bool { return foldASCII(name) == foldASCII(to) }
		if follows(v[4]) && slices.ContainsFunc(written, isTo) {
			hazards = append(hazards, sources.Hazard{Kind: sources.HazardCascades, What: fmt.Sprintf("%s.%s refers to %s and follows its updates (ON UPDATE %s)", child, from, to, v[4])})
		}
		if follows(v[5]) && deletes {
			hazards = append(hazards, sources.Hazard{Kind: sources.HazardCascades, What: fmt.Sprintf("%s.%s refers to %s and follows its deletes (ON DELETE %s)", child, from, to, v[5])})
		}
		return true, nil
	})
	return hazards, err
}

// primaryKey is what a foreign key refers to that names no columns.
func (o *object) primaryKey(r reading) (names []string, err error) {
	err = r.each("SELECT name FROM pragma_table_xinfo(?, ?) WHERE pk > 0 ORDER BY pk", []any{o.name, o.schema}, func(v []any) (bool, error) {
		names = append(names, fmt.Sprint(v[0]))
		return true, nil
	})
	return names, err
}

// computed finds generated columns that depend on what is written.
func (c *compiled) computed(r reading, written []string, _ bool) (hazards []sources.Hazard, err error) {
	if !slices.ContainsFunc(c.object.columns, func(one column) bool { return one.generated }) || len(written) == 0 {
		return nil, nil
	}
	ddl, err := c.object.ddl(r)
	if err != nil {
		return nil, err
	}
	names, err := c.object.computedFrom(ddl, written)
	for _, name := range names {
		hazards = append(hazards, sources.Hazard{Kind: sources.HazardGenerated, What: fmt.Sprintf("column %s is computed from what is written", name)})
	}
	return hazards, err
}

// furtherKeys finds unique keys besides the check's that cover what is written.
// Where no unique key leads to the dataset's records, that is one, too.
func (c *compiled) furtherKeys(r reading, written []string) (hazards []sources.Hazard, err error) {
	o := c.object
	leads := slices.Contains(c.names, o.rowid) && o.isRowid(r)
	type unique struct {
		name    string
		partial bool
	}
	var all []unique
	err = r.each("SELECT name, partial FROM pragma_index_list(?, ?) WHERE \"unique\" = 1", []any{o.name, o.schema}, func(v []any) (bool, error) {
		all = append(all, unique{v[0].(string), v[1] != int64(0)})
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for _, ix := range all {
		var columns []string
		vague := ix.partial // a condition or an expression may be of any column
		err := r.each("SELECT name FROM pragma_index_xinfo(?, ?) WHERE key = 1 ORDER BY seqno", []any{ix.name, o.schema}, func(v []any) (bool, error) {
			if name, ok := v[0].(string); ok {
				columns = append(columns, name)
			} else {
				vague = true
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
		outside := slices.ContainsFunc(columns, func(name string) bool { return !slices.Contains(c.names, name) })
		touched := slices.ContainsFunc(columns, func(name string) bool { return slices.Contains(written, name) })
		switch {
		case !outside && !vague:
			leads = true
		case len(written) > 0 && (touched || vague):
			hazards = append(hazards, sources.Hazard{Kind: sources.HazardUnique, What: fmt.Sprintf("unique index %s covers what is written", ix.name)})
		}
	}
	if !leads {
		hazards = append(hazards, sources.Hazard{Kind: sources.HazardNoKey, What: fmt.Sprintf("no unique index keeps two records of %s from sharing (%s)",
			c.dataset.Title(), strings.Join(c.names, ", "))})
	}
	return hazards, nil
}
