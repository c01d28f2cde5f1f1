package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumbline/sources"
)

// layout is what a table keeps of a record, and what it asks of it.
type layout struct {
	engine  string
	view    string    // VIEW or SEQUENCE where the name is of no table; else ""
	columns []*stored // in the table's order
	checks  []string  // conditions of its CHECK constraints
}

// stored is a column as a record's image names it.
type stored struct {
	name string
	// declared is the whole type, its character set and collation with it.
	declared string
	base     string // the type without its length: varchar, int, datetime
	unsigned bool
	notNull  bool
	// length is in characters, or of a bit column in bits; octets in bytes; digits
	// and scale are of a number; fraction are a time's digits of a second.
	length, octets, digits, scale, fraction int64
	charset, collation                      string
	labels                                  []string // of an enum or set
	json                                    bool     // MariaDB's: a text that must be JSON
	// generated is the expression that computes the column; "" for a column that is written.
	generated string
	// renewed: each update that does not set the column sets it to the time.
	renewed bool
}

// layoutOf reads the columns and checks of a table.
func layoutOf(ctx context.Context, s *source, p *plan) (*layout, error) {
	if p.dataset.Query != "" {
		return nil, sources.Final(fmt.Errorf("%s is a query: nothing can be written through it", p.title()))
	}
	l := &layout{}
	rows, err := s.texts(ctx, `SELECT coalesce(ENGINE, ''), TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`, p.schema, p.table)
	if err == nil && len(rows) != 1 {
		err = errChanged
	}
	if err != nil {
		return nil, fmt.Errorf("look up what %s is: %w", p.title(), err)
	}
	if l.engine = rows[0][0]; rows[0][1] != "BASE TABLE" && rows[0][1] != "SYSTEM VERSIONED" {
		l.view = rows[0][1]
	}
	rows, err = s.texts(ctx, `SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, coalesce(CHARACTER_MAXIMUM_LENGTH, 0), coalesce(CHARACTER_OCTET_LENGTH, 0),
			coalesce(NUMERIC_PRECISION, 0), coalesce(NUMERIC_SCALE, -1), coalesce(DATETIME_PRECISION, 0), coalesce(CHARACTER_SET_NAME, ''), coalesce(COLLATION_NAME, ''),
			coalesce(GENERATION_EXPRESSION, ''), EXTRA, VERSION()
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`, p.schema, p.table)
	if err != nil {
		return nil, fmt.Errorf("look up what %s keeps: %w", p.title(), err)
	}
	mariaDB := false
	for _, r := range rows {
		mariaDB = strings.Contains(r[13], "MariaDB")
		c, err := storedColumn(r, mariaDB)
		if err != nil {
			return nil, err
		}
		l.columns = append(l.columns, c)
	}
	return l, l.readChecks(ctx, s, p, mariaDB)
}

func storedColumn(r []string, mariaDB bool) (*stored, error) {
	c := &stored{name: r[0], declared: r[1], base: strings.ToLower(r[2]), notNull: r[3] == "NO", charset: r[9], collation: r[10], generated: r[11]}
	for i, into := range []*int64{&c.length, &c.octets, &c.digits, &c.scale, &c.fraction} {
		var err error
		if *into, err = strconv.ParseInt(r[4+i], 10, 64); err != nil {
			return nil, fmt.Errorf("read the type of column %s: %w", c.name, err)
		}
	}
	if c.base == "bit" {
		c.length = c.digits
	}
	c.unsigned = strings.Contains(strings.ToLower(c.declared), " unsigned")
	if c.base == "enum" || c.base == "set" {
		c.labels = labelsOf(c.declared)
	}
	c.renewed = strings.Contains(strings.ToLower(r[12]), "on update")
	if c.charset != "" {
		c.declared += " character set " + c.charset + " collate " + c.collation
	}
	if !mariaDB {
		c.generated = unescaped(c.generated)
	}
	return c, nil
}

// unescaped takes back the escapes with which MySQL, unlike MariaDB, shows the
// quotes of an expression.
func unescaped(expression string) string {
	return strings.NewReplacer(`\'`, `'`, `\\`, `\`).Replace(expression)
}

// labelsOf reads the labels of enum('a','it”s').
func labelsOf(declared string) (labels []string) {
	_, rest, _ := strings.Cut(declared, "'")
	for {
		var label strings.Builder
		for {
			text, after, found := strings.Cut(rest, "'")
			label.WriteString(text)
			rest = after
			if !found || !strings.HasPrefix(rest, "'") {
				break
			}
			label.WriteByte('\'')
			rest = rest[1:]
		}
		labels = append(labels, label.String())
		if !strings.HasPrefix(rest, ",'") {
			return labels
		}
		rest = rest[2:]
	}
}

// checksMySQL and checksMariaDB list a table's CHECK conditions; in MariaDB names
// are a table's own, and MySQL tells the table elsewhere.
const (
	checksMySQL = `SELECT k.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS k JOIN information_schema.TABLE_CONSTRAINTS t
			ON t.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK' AND t.ENFORCED = 'YES'
		WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ? ORDER BY k.CONSTRAINT_NAME`
	checksMariaDB = `SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ? ORDER BY CONSTRAINT_NAME`
)

// readChecks reads the conditions of the table's CHECK constraints, and which
// columns one keeps to JSON.
func (l *layout) readChecks(ctx context.Context, s *source, p *plan, mariaDB bool) error {
	query := checksMySQL
	if mariaDB {
		query = checksMariaDB
	}
	rows, err := s.texts(ctx, query, p.schema, p.table)
	if err != nil {
		return fmt.Errorf("look up the checks of %s: %w", p.title(), err)
	}
	for _, r := range rows {
		condition := r[0]
		if !mariaDB {
			condition = unescaped(condition)
		}
		l.checks = append(l.checks, condition)
		for _, c := range l.columns {
			c.json = c.json || strings.EqualFold(condition, "json_valid("+ident(c.name)+")")
		}
	}
	return nil
}

// layoutFor is what is known of the plan's table, read at first use, or anew.
func (p *plan) layoutFor(ctx context.Context, s *source, anew bool) (*layout, error) {
	if l := p.layout.Load(); l != nil && !anew {
		return l, nil
	}
	l, err := layoutOf(ctx, s, p)
	if err == nil {
		p.layout.Store(l)
	}
	return l, err
}

func (l *layout) column(name string) *stored {
	for _, c := range l.columns {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

// imaged are the columns that an image holds: all, or those of these names.
func (l *layout) imaged(names []string, whole bool) []*stored {
	if whole {
		return l.columns
	}
	return slices.DeleteFunc(slices.Clone(l.columns), func(c *stored) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, c.name) })
	})
}

// spelling is how what a column holds is written down.
type spelling uint8

const (
	spellPlain  spelling = iota // a number or a time: its digits
	spellFloat                  // 32 bits, whose digits the server would round
	spellBits                   // a bit column: the number that it counts
	spellText                   // the bytes of the column's own character set
	spellLabels                 // enum and set: the labels in UTF-8
	spellBytes                  // the bytes
	spellShape                  // a geometry: the server's own bytes of it
	spellOther                  // what the server writes as text: json, uuid, inet6
)

func (c *stored) spelling() spelling {
	switch c.base {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "numeric", "year", "date", "datetime", "timestamp", "time":
		return spellPlain
	case "float", "double", "real":
		return spellFloat
	case "bit":
		return spellBits
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
		return spellText
	case "enum", "set":
		return spellLabels
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return spellBytes
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		return spellShape
	}
	return spellOther
}

// output is the expression whose bytes are what the column holds: equal bytes
// exactly for equal contents.
func (c *stored) output() string {
	name := ident(c.name)
	if c.base == "year" || strings.Contains(c.declared, "zerofill") {
		name += " + 0" // the number, without the zeros it is shown with
	}
	switch c.spelling() {
	case spellFloat:
		if c.scale >= 0 { // double(9,3): just those digits, however the server came to them
			name = fmt.Sprintf("CAST(%s AS DECIMAL(%d,%d))", name, min(c.digits, 65), c.scale)
			break
		}
		name = "CAST(" + name + " AS DOUBLE)"
	case spellBits: // of a number, and of bytes that stand for it
		name = "CONV(HEX(" + name + "), 16, 10)"
	case spellLabels:
		name = "CONVERT(" + name + " USING utf8mb4)"
	case spellOther:
		name = "CAST(" + name + " AS CHAR)"
	}
	return "CAST(" + name + " AS BINARY)"
}

// holding is an expression of a place for a spelling: assigned to the column, it
// makes it hold just that.
func (c *stored) holding(place string) string {
	if c.base == "year" { // for which the text 0 is the year 2000
		return "CAST(CONVERT(" + place + " USING utf8mb4) AS UNSIGNED)"
	}
	switch c.spelling() {
	case spellText:
		return "CONVERT(" + place + " USING " + c.charset + ")"
	case spellLabels, spellOther:
		return "CONVERT(" + place + " USING utf8mb4)"
	case spellBits:
		return "CAST(CONVERT(" + place + " USING utf8mb4) AS UNSIGNED)"
	case spellBytes, spellShape:
		return place
	}
	return "CONVERT(" + place + " USING utf8mb4)"
}

// typed is an expression of a place for a spelling, of the column's own type as
// nearly as an expression can be.
func (c *stored) typed(place string) string {
	as := func(t string, args ...any) string {
		return "CAST(CONVERT(" + place + " USING utf8mb4) AS " + fmt.Sprintf(t, args...) + ")"
	}
	switch c.base {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		if c.unsigned {
			return as("UNSIGNED")
		}
		return as("SIGNED")
	case "year":
		return as("UNSIGNED")
	case "bit": // its bytes, as many as the number may have
		return fmt.Sprintf("UNHEX(LPAD(CONV(CONVERT(%s USING utf8mb4), 10, 16), %d, '0'))", place, 2*((c.length+7)/8))
	case "decimal", "numeric":
		return as("DECIMAL(%d,%d)", c.digits, max(c.scale, 0))
	case "float", "double", "real":
		return as("DOUBLE")
	case "date":
		return as("DATE")
	case "datetime", "timestamp":
		return as("DATETIME(%d)", c.fraction)
	case "time":
		return as("TIME(%d)", c.fraction)
	case "json":
		return as("JSON")
	case "uuid", "inet6", "inet4":
		return as("%s", strings.ToUpper(c.base))
	}
	switch c.spelling() {
	case spellLabels:
		return "CONVERT(" + c.holding(place) + " USING " + c.charset + ") COLLATE " + c.collation
	case spellText:
		return c.holding(place) + " COLLATE " + c.collation
	}
	return c.holding(place)
}
