package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"plumbline/sources"
)

// mostAlike bounds how many rows that the server calls equal to a key are looked
// at: which of them is meant, their own values say.
const mostAlike = 100

// Look reads one record of a table, and the text of each of its columns. A
// settled one first takes the lock that every Write of ours on the record holds
// until its transaction has ended.
func (s *source) Look(ctx context.Context, d *sources.Dataset, key, id sources.Key, how sources.Looking) (*sources.Image, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return nil, err
	}
	image, err := s.look(ctx, p, key, id, how)
	if err != nil {
		return nil, s.failed(p, err)
	}
	return image, nil
}

func (s *source) look(ctx context.Context, p *plan, key, id sources.Key, how sources.Looking) (*sources.Image, error) {
	l, err := p.layoutFor(ctx, s, how.Whole)
	if err != nil {
		return nil, err
	}
	imaged, err := l.imaged(p, how.Whole)
	if err != nil {
		return nil, err
	}
	st, err := p.lookAt(key, id, imaged)
	if err != nil {
		return nil, err
	}
	if how.Settled {
		st.setup = "SET LOCAL lock_timeout = " + milliseconds(settleTimeout) + "; " + p.recordLock(key, id)
	}
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, err
	}
	return p.found(res, key, id, imaged)
}

// recordLock is the statement that takes the lock of a record: among ourselves
// alone, and until the transaction ends. Two records that share it wait for each
// other, and no more.
func (p *plan) recordLock(key, id sources.Key) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %q %q", p.table.oid, canonical(key), canonical(id))
	return fmt.Sprintf("SELECT pg_advisory_xact_lock(%d, %d)", lockClass, int32(h.Sum32()))
}

// lockClass keeps our locks apart from others': the letters plum.
const lockClass = 0x706c756d

// identified are the conditions that lead to a record; ok is false where the
// table cannot hold such a key.
func (p *plan) identified(b *builder, key, id sources.Key) (conditions []string, ok bool) {
	parts := slices.Concat(key, id)
	if len(key) != p.keys || len(parts) != len(p.scanBy) {
		return nil, false
	}
	for i, c := range p.scanBy {
		if missing(parts[i]) {
			if i < p.keys {
				return nil, false
			}
			conditions = append(conditions, ident(c.name)+" IS NULL")
			continue
		}
		if _, _, ok := exactly(c.typ, parts[i]); !ok {
			return nil, false
		}
		conditions = append(conditions, b.scopeCondition(scopeTerm{column: c, value: parts[i]}))
	}
	return conditions, true
}

// lookAt reads the rows of a key and id, and the server's time even where there is none.
func (p *plan) lookAt(key, id sources.Key, imaged []*stored) (*statement, error) {
	b, st := &builder{}, &statement{formats: []int16{formatBinary, formatBinary}, types: []uint32{oidTimestamptz, oidBool}}
	conditions, ok := p.identified(b, key, id)
	if !ok {
		conditions = []string{"FALSE"}
	}
	conditions = append(conditions, b.scopeConditions(p.scope)...)
	if b.err != nil {
		return nil, b.err
	}
	list := p.imageList(st, imaged)
	st.text = fmt.Sprintf("SELECT clock_timestamp(), r.* FROM (SELECT 1) AS one LEFT JOIN (SELECT TRUE, %s FROM %s WHERE %s FETCH FIRST %d ROWS ONLY) AS r ON TRUE",
		list, p.from, join(conditions), mostAlike)
	st.params, st.keep = b.params, 2
	return st, nil
}

// imageList selects what makes an image: the record as every read delivers it,
// and behind it each column in its own text.
func (p *plan) imageList(st *statement, imaged []*stored) string {
	list := p.list(st, false)
	for _, c := range imaged {
		list += ", " + ident(c.name)
		st.formats = append(st.formats, formatText)
		st.types = append(st.types, c.typ.oid)
	}
	return list
}

// found makes an image of the one row that is meant.
func (p *plan) found(res *result, key, id sources.Key, imaged []*stored) (*sources.Image, error) {
	out, records, start := &sources.Image{}, 0, 0
	for i, end := range res.ends {
		row := res.data[start:end]
		start = end
		if _, big := res.big[i]; big {
			return nil, sources.Final(fmt.Errorf("the record is larger than %d MiB and is not read", sources.MaxRecordSize>>20))
		}
		clock, row, _ := cutColumn(row)
		at, err := decodeTime(6, false)(clock)
		if err != nil {
			return nil, fmt.Errorf("read the server's clock: %w", err)
		}
		_, row, none := cutColumn(row)
		image := &sources.Image{}
		if !none {
			if image, err = p.image(row, imaged); err != nil {
				return nil, err
			}
			if key != nil && (canonical(image.Record.Key) != canonical(key) || canonical(image.Record.ID) != canonical(id)) {
				image = &sources.Image{} // the server calls it equal, and we do not
			}
		}
		if image.ReadAt = at.AsTime(); image.Exists {
			records++
		}
		if image.Exists || !out.Exists {
			out = image
		}
	}
	if records > 1 {
		return nil, sources.Final(&sources.ManyError{In: p.title()})
	}
	return out, nil
}

// image reads a row of imageList.
func (p *plan) image(row []byte, imaged []*stored) (*sources.Image, error) {
	decoder := p.decoder(false)
	flags := 0
	for _, condition := range []string{p.dataset.Where, p.dataset.DeletedWhen} {
		if condition != "" {
			flags++
		}
	}
	rest := row
	for range len(p.columns) + flags {
		_, rest, _ = cutColumn(rest)
	}
	record, err := decoder.record(slices.Clone(row[:len(row)-len(rest)]))
	if err != nil {
		return nil, err
	}
	n := &native{table: p.table.place(), outOfScope: record.OutOfScope, deleted: record.Deleted}
	for _, c := range imaged {
		var text []byte
		var null bool
		text, rest, null = cutColumn(rest)
		n.columns = append(n.columns, nativeColumn{name: c.name, declared: c.declared, null: null, text: string(text)})
	}
	return &sources.Image{Exists: true, Record: record, Native: n.encode()}, nil
}
