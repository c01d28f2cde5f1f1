package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline/sources"
)

// mostAlike bounds how many rows that the server calls equal to a key are looked
// at: which of them is meant, their own values say.
const mostAlike = 100

// looked is an image, and nothing more.
type looked struct{ sources.Image }

// Look reads one record of a table, and the spelling of each of its columns. A
// settled one waits for the lock that every Write of ours on the record holds
// until its transaction has ended, and gives it back at once.
func (s *source) Look(ctx context.Context, d *sources.Dataset, key, id sources.Key, how sources.Looking) (*sources.Image, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return nil, err
	}
	image, err := s.look(ctx, p, key, id, how)
	if err != nil {
		return nil, s.failed(p, err)
	}
	return &image.Image, nil
}

func (s *source) look(ctx context.Context, p *plan, key, id sources.Key, how sources.Looking) (*looked, error) {
	l, err := p.layoutFor(ctx, s, how.Whole)
	if err != nil {
		return nil, err
	}
	imaged := l.imaged(p.columnNames(), how.Whole)
	if how.Settled {
		return s.settled(ctx, p, key, id, imaged)
	}
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.release(c)
	return c.lookAt(ctx, p, key, id, imaged, false)
}

// settled looks at a record once it has its lock, in a session that ends with that.
func (s *source) settled(ctx context.Context, p *plan, key, id sources.Key, imaged []*stored) (*looked, error) {
	if s.writers == nil {
		return nil, sources.Final(fmt.Errorf("look for what is settled: %w", errNotWritable))
	}
	c, err := s.writers.acquire(ctx)
	if err != nil {
		return nil, err
	}
	w := &writing{pool: s.writers, conn: c}
	defer w.end()
	err = c.exec(ctx, fmt.Sprintf("SET SESSION innodb_lock_wait_timeout = %d, SESSION wait_timeout = %d; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ WRITE",
		int(settleTimeout.Seconds()), int(writeIdle.Seconds())))
	if err != nil {
		return nil, fmt.Errorf("begin to look: %w", err)
	}
	return c.lookAt(ctx, p, key, id, imaged, true)
}

// clock is the server's time.
func (c *conn) clock(ctx context.Context) (time.Time, error) {
	rows, err := c.facts(ctx, "SELECT SYSDATE(6) AS AT")
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the server's time: %w", err)
	}
	at, err := time.Parse("2006-01-02 15:04:05.000000", rows[0]["AT"])
	if err != nil {
		return time.Time{}, fmt.Errorf("read the server's time: %w", err)
	}
	return at, nil
}

// lookAt reads the one record of a key and id, and keeps its row locked where
// lock is set and a transaction is open.
func (c *conn) lookAt(ctx context.Context, p *plan, key, id sources.Key, imaged []*stored, lock bool) (*looked, error) {
	at, err := c.clock(ctx)
	if err != nil {
		return nil, err
	}
	none := &looked{sources.Image{ReadAt: at}}
	b := &builder{}
	conditions, ok := p.identified(b, key, id)
	if !ok {
		return none, nil
	}
	conditions = append(conditions, b.scopeConditions(p.scope)...)
	if b.err != nil {
		return nil, b.err
	}
	st := &statement{}
	st.text = fmt.Sprintf("SELECT %s FROM %s WHERE %s LIMIT %d", p.imageList(st, imaged), p.from, strings.Join(conditions, " AND "), mostAlike)
	if lock {
		st.text += " FOR UPDATE"
	}
	res, err := c.run(ctx, st)
	if err != nil {
		return nil, err
	}
	return p.found(res, key, id, imaged, none)
}

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
		if _, _, ok := exactly(c, parts[i]); !ok {
			return nil, false
		}
		conditions = append(conditions, b.scopeCondition(scopeTerm{column: c, value: parts[i]}))
	}
	return conditions, true
}

// imageList selects what makes an image: the spelling of each column, and behind
// them the record as every read delivers it.
func (p *plan) imageList(st *statement, imaged []*stored) string {
	var list []string
	var columns []*column
	for _, c := range imaged {
		list = append(list, c.output())
		columns = append(columns, &column{name: c.name, form: columnForm{append: appendText}})
	}
	list = append(list, p.list(st, false))
	st.columns, st.layout = append(columns, st.columns...), nil
	return strings.Join(list, ", ")
}

// found makes an image of the one row that is meant.
func (p *plan) found(res *result, key, id sources.Key, imaged []*stored, none *looked) (*looked, error) {
	out, records, start := none, 0, 0
	for i, end := range res.ends {
		row := res.data[start:end]
		start = end
		if _, big := res.big[i]; big {
			return nil, sources.Final(fmt.Errorf("the record is too large to be put back (%d MiB and more)", sources.MaxRecordSize>>21))
		}
		image, err := p.image(row, imaged)
		if err != nil {
			return nil, err
		}
		if canonical(image.Record.Key) != canonical(key) || canonical(image.Record.ID) != canonical(id) {
			continue // the server calls it equal, and we do not
		}
		image.ReadAt = none.ReadAt
		out, records = image, records+1
	}
	if records > 1 {
		return nil, sources.Final(&sources.ManyError{In: p.title()})
	}
	return out, nil
}

// image reads a row of imageList.
func (p *plan) image(row []byte, imaged []*stored) (*looked, error) {
	n := &native{table: p.place()}
	for _, c := range imaged {
		var text []byte
		var null bool
		text, row, null = cutColumn(row)
		n.columns = append(n.columns, nativeColumn{name: c.name, declared: c.declared, null: null, text: string(text)})
	}
	record, err := p.decoder(false).record(slices.Clone(row))
	if err != nil {
		return nil, err
	}
	n.outOfScope, n.deleted = record.OutOfScope, record.Deleted
	return &looked{sources.Image{Exists: true, Record: record, Native: n.encode()}}, nil
}

// columnNames are the columns that the dataset names, those of its scope apart.
func (p *plan) columnNames() (names []string) {
	for _, c := range p.columns {
		names = append(names, c.name)
	}
	return names
}

// keyColumns are the columns of the key and id.
func (p *plan) keyColumns() (names []string) {
	for _, c := range p.scanBy {
		names = append(names, c.name)
	}
	return names
}

// place names the table that an image is of.
func (p *plan) place() string { return p.from }
