package mysql

import (
	"encoding/binary"
	"fmt"

	"plumbline/sources"
)

// decoder turns rows of one statement into records.
type decoder struct {
	plan     *plan
	columns  []*column
	keysOnly bool
	direct   bool // each field is one whole column, in order
}

func (p *plan) decoder(keysOnly bool) *decoder {
	d := &decoder{plan: p, columns: p.columns, keysOnly: keysOnly, direct: true}
	if keysOnly {
		d.columns = p.columns[:len(p.scanBy)]
		return d
	}
	for i, f := range p.fields {
		d.direct = d.direct && f.path == "" && f.column == len(p.scanBy)+i
	}
	return d
}

// record decodes a row. A value without a canonical form makes the record
// unreadable; only bytes that are no row are an error.
func (d *decoder) record(row []byte) (r sources.Record, err error) {
	values := make([]sources.Value, len(d.columns))
	for i, c := range d.columns {
		var raw []byte
		var null bool
		if len(row) < 4 || int64(int32(binary.BigEndian.Uint32(row))) > int64(len(row)-4) {
			return r, fmt.Errorf("a row ends at column %s", c.name)
		}
		if raw, row, null = cutColumn(row); null {
			values[i] = sources.Null()
			continue
		}
		if values[i], err = c.form.decode(raw); err != nil {
			values[i] = sources.Value{}
			if r.Unreadable == "" {
				r.Unreadable = fmt.Sprintf("%s: %s", c.name, err)
			}
		}
	}
	d.arrange(&r, values)
	return r, d.flags(&r, row)
}

func (d *decoder) arrange(r *sources.Record, values []sources.Value) {
	k, n := d.plan.keys, len(d.plan.scanBy)
	r.Key = values[:k:k]
	if n > k {
		r.ID = values[k:n:n]
	}
	switch {
	case d.keysOnly:
	case d.direct:
		r.Fields = values[n:]
	default:
		r.Fields = make([]sources.Value, len(d.plan.fields))
		for i, f := range d.plan.fields {
			r.Fields[i] = values[f.column].Get(f.path)
		}
	}
}

// flags reads what follows the columns: out of scope, deleted.
func (d *decoder) flags(r *sources.Record, row []byte) error {
	for _, flag := range []struct {
		condition string
		to        *bool
	}{{d.plan.dataset.Where, &r.OutOfScope}, {d.plan.dataset.DeletedWhen, &r.Deleted}} {
		if flag.condition == "" {
			continue
		}
		if len(row) == 0 {
			return fmt.Errorf("a row lacks the result of %q", flag.condition)
		}
		*flag.to = row[0] != 0
		row = row[1:]
	}
	return nil
}

// skipped is the record of a row too large to read: what identifies it was kept.
func (d *decoder) skipped(row []byte, size int) (r sources.Record, err error) {
	values := make([]sources.Value, len(d.columns))
	position, err := d.position(row)
	if err != nil {
		r.Unreadable = err.Error()
	}
	copy(values, position)
	d.arrange(&r, values)
	r.Skipped = fmt.Sprintf("larger than %d MiB: %d bytes", sources.MaxRecordSize>>20, size)
	for range d.columns {
		_, row, _ = cutColumn(row)
	}
	return r, d.flags(&r, row)
}

// position decodes the columns of ScanBy, which come first in a row.
func (d *decoder) position(row []byte) (sources.Position, error) {
	position := make(sources.Position, len(d.plan.scanBy))
	for i, c := range d.plan.scanBy {
		raw, rest, null := cutColumn(row)
		row = rest
		position[i] = sources.Null()
		if null {
			continue
		}
		var err error
		if position[i], err = c.form.decode(raw); err != nil {
			return nil, sources.Final(fmt.Errorf("key %s: %w", c.name, err))
		}
	}
	return position, nil
}

// records decodes all rows of a result.
func (d *decoder) records(res *result) ([]sources.Record, error) {
	records := make([]sources.Record, len(res.ends))
	start := 0
	for i, end := range res.ends {
		var err error
		if size, big := res.big[i]; big {
			records[i], err = d.skipped(res.data[start:end], size)
		} else {
			records[i], err = d.record(res.data[start:end])
		}
		if err != nil {
			return nil, err
		}
		start = end
	}
	return records, nil
}

// last is the position of a result's last row.
func (d *decoder) last(res *result) (sources.Position, error) {
	start := 0
	if n := len(res.ends); n > 1 {
		start = res.ends[n-2]
	}
	return d.position(res.data[start:])
}
