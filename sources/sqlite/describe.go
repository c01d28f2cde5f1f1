package sqlite

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/sources"
)

// Describe implements sources.Describer.
func (s *source) Describe(ctx context.Context, d *sources.Dataset) (desc sources.Description, err error) {
	err = s.readDataset(ctx, d, func(r reading, c *compiled) error {
		desc = c.describe()
		s.begin(d, begun{file: r.file.number, described: true})
		return nil
	})
	return desc, err
}

func (c *compiled) describe() sources.Description {
	d := c.dataset
	desc := sources.Description{Types: map[string]sources.FieldType{}, ScanBy: slices.Concat(d.Key, d.ID),
		ScanIndex: c.scanName, KeyIndex: c.keyName, Unique: c.unique}
	names := slices.Concat(d.Key, d.ID, d.Fields)
	for _, condition := range d.Scope {
		names = append(names, condition.Field)
	}
	for _, name := range names {
		column := c.object.column(name)
		if column == nil { // a path into a column
			desc.Types[name] = sources.FieldType{Nullable: true}
			continue
		}
		t := sources.FieldType{Declared: column.declared, Kind: column.kind(), Strict: name == c.object.rowid, Nullable: !column.notNull}
		if column.collation != "BINARY" {
			t.Collation = column.collation
		}
		desc.Types[name] = t
	}
	if c.exact() {
		desc.Order = sources.OrderExact
	}
	if desc.KeyIndex == "" {
		desc.Warnings = append(desc.Warnings, fmt.Sprintf("no index serves lookups by %s: every lookup would read the whole of %s; create an index on (%s)",
			strings.Join(d.Key, ", "), d.Title(), quoted(d.Key)))
	}
	if desc.ScanIndex == "" {
		desc.Warnings = append(desc.Warnings, fmt.Sprintf("no index has the order of %s: every page of a scan would read the whole of %s",
			strings.Join(desc.ScanBy, ", "), d.Title()))
	}
	for _, k := range c.keys {
		if k.refine == decimal {
			desc.Warnings = append(desc.Warnings, fmt.Sprintf("key %s is %s: it is matched as it is stored, as an integer, float or text", k.name, k.declared))
		}
	}
	return desc
}

// Split implements sources.Splitter. Only numbers can be cut, evenly between
// the least and the greatest: SQLite keeps no histogram.
func (s *source) Split(ctx context.Context, d *sources.Dataset, parts int) (cuts []sources.Position, err error) {
	err = s.readDataset(ctx, d, func(tx reading, c *compiled) error {
		if c.scanName == "" || c.keys[0].class != numberClass || parts < 2 {
			return nil
		}
		least, ok, err := c.extreme(tx, "")
		if err != nil || !ok {
			return err
		}
		greatest, _, err := c.extreme(tx, " DESC")
		if err != nil {
			return err
		}
		cuts = c.cut(least, greatest, parts)
		return nil
	})
	return cuts, err
}

func (c *compiled) extreme(tx reading, direction string) (v float64, ok bool, err error) {
	k := c.keys[0]
	regular := k.regular()
	if regular == "" {
		regular = "1"
	}
	text := fmt.Sprintf("SELECT +%s FROM %s WHERE %s ORDER BY %s%s LIMIT 1", quote(k.name), c.from(c.scan), regular, quote(k.name), direction)
	err = tx.each(text, nil, func(values []any) (bool, error) {
		switch raw := values[0].(type) {
		case int64:
			v, ok = float64(raw), true
		case float64:
			v, ok = raw, true
		}
		return true, nil
	})
	return v, ok, err
}

// cut makes positions whose first parts lie evenly, each before every row that
// has the same first part.
func (c *compiled) cut(least, greatest float64, parts int) (cuts []sources.Position) {
	step := greatest/float64(parts) - least/float64(parts)
	for i := 1; i < parts; i++ {
		at := math.Floor(least + float64(i)*step)
		if at < -1<<62 || at > 1<<62 || math.IsNaN(at) || len(cuts) > 0 && int64(at) <= cuts[len(cuts)-1][0].AsInt() {
			continue
		}
		p := sources.Position{sources.Int(int64(at))}
		for _, k := range c.keys[1:] {
			switch k.class {
			case numberClass:
				p = append(p, sources.Int(math.MinInt64))
			case blobClass:
				p = append(p, sources.Bytes(nil))
			default:
				p = append(p, sources.Text(""))
			}
		}
		cuts = append(cuts, p)
	}
	return cuts
}

// Count implements sources.Counter: from ANALYZE's statistics, else from the
// greatest rowid, which counts deleted rows too, and from the size of the file
// where ids are sparse. 0 is unknown.
func (s *source) Count(ctx context.Context, d *sources.Dataset) (n int64, err error) {
	err = s.readDataset(ctx, d, func(tx reading, c *compiled) error {
		o := c.object
		if !o.table {
			return nil
		}
		analyzed := false
		err := tx.each("SELECT 1 FROM "+quote(o.schema)+".sqlite_schema WHERE name = 'sqlite_stat1'", nil, func([]any) (bool, error) {
			analyzed = true
			return false, nil
		})
		if err != nil {
			return err
		}
		text, args := "SELECT min((SELECT max(rowid) FROM "+o.from+"), "+roomIn(o.schema)+")", []any(nil)
		if analyzed {
			text, args = "SELECT CAST(stat AS INTEGER) FROM "+quote(o.schema)+".sqlite_stat1 WHERE tbl = ?", []any{o.name}
		} else if o.wr {
			return nil
		}
		return tx.each(text, args, func(v []any) (bool, error) {
			if i, ok := v[0].(int64); ok {
				n = max(n, i)
			}
			return true, nil
		})
	})
	return n, err
}

// roomIn is how many rows a database has room for, if each took but the four
// bytes that the smallest does.
func roomIn(schema string) string {
	return "(SELECT page_count * page_size / 4 FROM pragma_page_count(" + quoteText(schema) + "), pragma_page_size)"
}

// Probe implements sources.Prober.
func (s *source) Probe(ctx context.Context) (sources.Facts, error) {
	facts := sources.Facts{Product: "SQLite"}
	err := s.read(ctx, func(tx reading) error {
		journal := ""
		err := tx.each("SELECT sqlite_version(), (SELECT count(*) FROM sqlite_schema), (SELECT journal_mode FROM pragma_journal_mode)", nil, func(v []any) (bool, error) {
			facts.Version, journal = v[0].(string), v[2].(string)
			return true, nil
		})
		if journal != "wal" {
			facts.Notes = append(facts.Notes, fmt.Sprintf("journal mode is %s: reading a page makes writers wait; with PRAGMA journal_mode=WAL it would not", journal))
		}
		return err
	})
	return facts, err
}
