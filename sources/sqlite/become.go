package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"plumbline/sources"
)

// Become implements sources.Writer: the record with its assignments is put into a
// temporary table of the same definition, which SQLite keeps in our own memory,
// and read from there. So what SQLite converts, computes and refuses by itself
// (affinities, STRICT, NOT NULL, CHECK, generated columns) is SQLite's own doing.
func (s *source) Become(ctx context.Context, d *sources.Dataset, before *sources.Image, set []sources.Assignment) (after *sources.Image, err error) {
	if !before.Exists {
		return nil, sources.Final(errors.New("a record that is not there cannot become another"))
	}
	was, err := decodeNative(before.Native)
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithTimeout(ctx, s.options.StatementTimeout)
	defer cancel()
	o, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.leave(o)
	err = o.aside(inner, func(l locking) error {
		c, err := compile(l.reading, d) // for what the schema is in this very transaction
		if err == nil {
			after, err = c.become(l, was, set)
		}
		return err
	})
	if codeOf(err)&0xff == sqlite3.SQLITE_CONSTRAINT {
		err = sources.Final(err)
	}
	if err != nil {
		return nil, s.explain(ctx, inner, err)
	}
	return after, nil
}

// aside runs do where temporary tables may be made, and takes all back. The file
// itself is open for reading alone all the while.
func (o *opened) aside(ctx context.Context, do func(locking) error) (err error) {
	conn, err := o.db.Conn(ctx)
	if err != nil {
		return err
	}
	sound := false
	defer func() {
		if !sound {
			err = errors.Join(err, discard(conn))
		}
		if closed := conn.Close(); closed != nil && !errors.Is(closed, sql.ErrConnDone) {
			err = errors.Join(err, closed)
		}
	}()
	for _, text := range []string{"PRAGMA query_only = 0", "PRAGMA temp_store = MEMORY", "BEGIN"} {
		if err := run(ctx, conn, text); err != nil {
			return err
		}
	}
	err = do(locking{reading{ctx, conn, o}, conn})
	back := context.WithoutCancel(ctx)
	sound = run(back, conn, "ROLLBACK") == nil && run(back, conn, "PRAGMA temp_store = DEFAULT") == nil && run(back, conn, "PRAGMA query_only = 1") == nil
	return err
}

func (c *compiled) become(l locking, was *native, set []sources.Assignment) (*sources.Image, error) {
	if err := c.writable(); err != nil {
		return nil, err
	}
	at, err := l.now()
	if err != nil {
		return nil, err
	}
	ddl, err := c.object.ddl(l.reading)
	if err != nil {
		return nil, err
	}
	made, err := temporary(ddl)
	if err != nil {
		return nil, err
	}
	held := map[string]any{}
	for _, one := range was.cells {
		held[one.column] = one.raw
	}
	for _, a := range set {
		column, err := c.assignable(a.Field)
		if err != nil {
			return nil, err
		}
		if held[column.name], err = column.parameter(a.Value, held[column.name]); err != nil {
			return nil, sources.Final(fmt.Errorf("field %s: %w", a.Field, err))
		}
	}
	if _, err := l.exec(made); err != nil {
		return nil, fmt.Errorf("make a table like %s: %w", c.dataset.Title(), err)
	}
	table := "temp." + quote(c.object.name)
	if err := c.placeAside(l, table, was, held); err != nil {
		return nil, err
	}
	found, err := c.images(l.reading, table, "1", nil, was.whole, func(*sources.Record) bool { return true })
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, errors.New("the record is gone since it was looked at")
	}
	found[0].ReadAt = at
	return found[0], nil
}

// placeAside puts the record into the temporary table: what the image and the
// assignments hold, and as to other columns, what the record holds now.
func (c *compiled) placeAside(l locking, table string, was *native, held map[string]any) error {
	var names, values []string
	var args []any
	missing := false
	for i := range c.object.columns {
		column := &c.object.columns[i]
		if column.generated {
			continue
		}
		names = append(names, quote(column.name))
		if raw, ok := held[column.name]; ok {
			values, args = append(values, "?"), append(args, raw)
		} else {
			values, missing = append(values, quote(column.name)), true
		}
	}
	text := "INSERT OR ABORT INTO " + table + " (" + strings.Join(names, ", ") + ") "
	if !missing {
		_, err := l.exec(text+"VALUES ("+strings.Join(values, ", ")+")", args...)
		return err
	}
	s := &statement{args: args}
	_, err := l.exec(text+"SELECT "+strings.Join(values, ", ")+" FROM "+c.object.from+" WHERE "+s.holds(was.cells[:was.keys], was.keys), s.args...)
	return err
}

// assignable finds the column of a field that may be set.
func (c *compiled) assignable(field string) (*column, error) {
	column := c.object.column(field)
	if column == nil {
		first, _, dotted := strings.Cut(field, ".")
		if dotted && c.object.column(first) != nil {
			return nil, sources.Final(fmt.Errorf("field %s lies within column %s, which is written as a whole or not at all", field, first))
		}
		return nil, c.object.missing(field)
	}
	scope := func(condition sources.Condition) bool { return foldASCII(condition.Field) == foldASCII(column.name) }
	switch {
	case column.generated:
		return nil, sources.Final(fmt.Errorf("column %s is computed by SQLite", column.name))
	case slices.Contains(c.names, column.name), column.name == c.object.rowid:
		return nil, sources.Final(fmt.Errorf("column %s is the record's key, which a fix does not change", column.name))
	case slices.ContainsFunc(c.dataset.Scope, scope):
		return nil, sources.Final(fmt.Errorf("column %s says to which scope the record belongs, which a fix does not change", column.name))
	}
	return column, nil
}

// parameter is a value as SQLite is given it for a column, which converts it by
// the column's affinity. A uuid is spelled as the column spells its present one,
// and a column of JSON is given JSON.
func (k *column) parameter(v sources.Value, present any) (any, error) {
	if k.refine == jsonDoc && v.Kind() > sources.KindNull && v.Kind() != sources.KindBytes {
		list := sources.ListOf([]sources.Value{v}).String()
		return list[1 : len(list)-1], nil
	}
	switch v.Kind() {
	case sources.KindAbsent:
		return nil, errors.New("a row has every column: none can be taken away")
	case sources.KindNull:
		return nil, nil
	case sources.KindBool:
		return map[bool]int64{true: 1}[v.AsBool()], nil
	case sources.KindInt:
		return v.AsInt(), nil
	case sources.KindFloat:
		if v.NaN() {
			return nil, errors.New("SQLite stores NaN as NULL")
		}
		return v.AsFloat(), nil
	case sources.KindBytes:
		return []byte(v.AsText()), nil
	case sources.KindUUID:
		u, text := v.AsUUID(), v.String()
		was, _ := present.(string)
		switch _, blob := present.([]byte); {
		case blob && k.refine == uuid:
			return u[:], nil
		case was != strings.ToLower(was) && was == strings.ToUpper(was):
			return strings.ToUpper(text), nil
		}
		return text, nil
	}
	return v.String(), nil
}
