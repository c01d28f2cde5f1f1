package http

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"plumbline/sources"
)

// asked is a key that a look-up asks for.
type asked struct {
	key   sources.Key
	id    string   // its canonical form, encoded: the same for keys that match alike
	texts []string // each part as an API is asked for it
}

// chunk is the keys of one request, or the few that follow from it.
type chunk struct {
	keys []asked
	read func(context.Context, *dataset, []asked) (*found, error)
}

// found is what a chunk gave.
type found struct {
	records []sources.Record
	absent  []asked
	// alive: some of it was there, so the API finds records at all.
	alive bool
	// divided: it took several requests, none of which says anything of the others' keys.
	divided bool
	// unwitnessed: nothing was known to be there that could have been asked for along
	// with what is absent.
	unwitnessed bool
}

// longestKey bounds the text of a key in an address.
const longestKey = 2048

// Lookup asks for the keys by batch, else by get, else reads the whole list. A key
// that an address cannot hold, or that was answered with another record, comes as
// a skipped record: nobody knows whether the service has it.
func (s *source) Lookup(ctx context.Context, d *sources.Dataset, keys []sources.Key, after sources.Position, limit sources.Limit) (sources.Page, error) {
	p, err := s.ready(d)
	if err != nil {
		return sources.Page{}, err
	}
	if err := ctx.Err(); err != nil {
		return sources.Page{}, err
	}
	at, err := lookupPlaceOf(after)
	if err != nil {
		return sources.Page{}, err
	}
	chunks := s.chunks(p, distinct(keys))
	var page sources.Page
	for begun := at.chunk; at.chunk < len(chunks); {
		parts, err := s.readChunks(ctx, p, chunks[at.chunk:], at, limit.Records-len(page.Records))
		if err != nil && at.chunk > begun && ctx.Err() == nil {
			page.Next = at.position() // what came before is whole, and need not be asked for again
			return page, nil
		}
		if err != nil {
			return sources.Page{}, err
		}
		for _, part := range parts {
			if part.print != at.print {
				at.offset = 0
			}
			for ; at.offset < len(part.records); at.offset++ {
				r := part.records[at.offset]
				size := sizeOf(&r)
				if n := len(page.Records); n >= limit.Records || n > 0 && page.Size+size > limit.Bytes {
					at.held, at.print = s.held.keep(part), part.print
					page.Next = at.position()
					return page, nil
				}
				page.Records, page.Size = append(page.Records, r), page.Size+size
			}
			at = lookupPlace{chunk: at.chunk + 1}
		}
		if at.chunk < len(chunks) && (len(page.Records) >= limit.Records || page.Size >= limit.Bytes) {
			page.Next = at.position()
			return page, nil
		}
	}
	page.Done = true
	return page, nil
}

// lookupPlace is a position of a look-up: so many records into what a chunk of
// its keys gave. Held and print find that again as it was.
type lookupPlace struct {
	chunk, offset int
	held, print   int64
}

func (at lookupPlace) position() sources.Position {
	return sources.Position{sources.Int(int64(at.chunk)), sources.Int(int64(at.offset)), sources.Int(at.held), sources.Int(at.print)}
}

func lookupPlaceOf(p sources.Position) (lookupPlace, error) {
	if len(p) == 0 {
		return lookupPlace{}, nil
	}
	if len(p) != 4 || p[0].AsInt() < 0 || p[1].AsInt() < 0 {
		return lookupPlace{}, sources.Final(errPosition)
	}
	return lookupPlace{int(p[0].AsInt()), int(p[1].AsInt()), p[2].AsInt(), p[3].AsInt()}, nil
}

// held is what a chunk gave, kept for a look-up that goes on in its midst.
type held struct {
	of      *dataset
	first   string // the first of the keys
	records []sources.Record
	print   int64
}

// readChunks reads the next few chunks at once, as many as the page may need. Where
// one fails, those before it stand: a service that now and then says 429 would else
// never get through a page of many requests.
func (s *source) readChunks(ctx context.Context, p *dataset, chunks []chunk, at lookupPlace, room int) ([]*held, error) {
	if kept, ok := s.held.find(at.held); ok && at.offset > 0 && kept.of == p && kept.first == chunks[0].keys[0].id && kept.print == at.print {
		return []*held{kept}, nil
	}
	n, keys := 0, 0
	for n < len(chunks) && n < 2*cap(s.slots) && (n == 0 || keys < room) {
		keys += len(chunks[n].keys)
		n++
	}
	all := make([]*found, n)
	group, bounded := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.slots))
	for i := range n {
		group.Go(func() error {
			var err error
			all[i], err = chunks[i].read(bounded, p, chunks[i].keys)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if all = all[:max(0, slices.Index(all, nil))]; len(all) == 0 {
			return nil, err
		}
	}
	if err := s.believe(ctx, p, all); err != nil {
		return nil, err
	}
	for i, f := range all { // what was asked for before anything was known
		if _, known := p.witness(f.absent); f.unwitnessed && known && p.batch.size > 1 {
			var err error
			if all[i], err = chunks[i].read(ctx, p, chunks[i].keys); err != nil {
				return nil, err
			}
		}
	}
	parts := make([]*held, len(all))
	for i, f := range all {
		parts[i] = &held{of: p, first: chunks[i].keys[0].id, records: f.records, print: printOf(f.records)}
	}
	return parts, nil
}

// printOf is the same for the same records in the same order.
func printOf(records []sources.Record) int64 {
	digest := sha256.New()
	for i := range records {
		r := &records[i]
		for _, part := range []sources.Key{r.Key, r.ID, r.Fields} {
			encoded := part.Encode()
			digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(encoded))))
			digest.Write([]byte(encoded))
		}
	}
	return int64(binary.BigEndian.Uint64(digest.Sum(nil)))
}

// sizeOf is about how many bytes a record takes.
func sizeOf(r *sources.Record) (size int) {
	for _, part := range []sources.Key{r.Key, r.ID, r.Fields} {
		for _, v := range part {
			size += 8 + sizeOfValue(v)
		}
	}
	return size
}

func sizeOfValue(v sources.Value) (size int) {
	for _, item := range v.Items() {
		size += 8 + sizeOfValue(item)
	}
	for _, f := range v.Fields() {
		size += 8 + len(f.Name) + sizeOfValue(f.Value)
	}
	return size + len(v.AsText())
}

// distinct drops keys that match alike, and those of kinds that JSON does not
// have: no record of an API holds them.
func distinct(keys []sources.Key) []asked {
	var out []asked
	seen := map[string]bool{}
	for _, k := range keys {
		a := asked{key: k, id: canonical(k)}
		for _, part := range k {
			if text, ok := textOf(part); ok {
				a.texts = append(a.texts, text)
			}
		}
		if len(a.texts) == len(k) && len(k) > 0 && !seen[a.id] {
			seen[a.id] = true
			out = append(out, a)
		}
	}
	return out
}

func canonical(k sources.Key) string {
	out := make(sources.Key, len(k))
	for i, v := range k {
		out[i] = sources.Canonical(v).WithPrecision(0)
	}
	return out.Encode()
}

// textOf is a key part as it is written in an address; ok is false where JSON has
// no such value.
func textOf(v sources.Value) (text string, ok bool) {
	switch v.Kind() {
	case sources.KindText:
		return v.AsText(), true
	case sources.KindInt, sources.KindBool, sources.KindUUID, sources.KindObjectID:
		return v.String(), true
	case sources.KindDecimal:
		_, exponent, finite := v.DecimalParts()
		return plain(v), finite && exponent < 400 && exponent > -400
	case sources.KindFloat:
		return plain(v), !v.NaN() && v.Infinite() == 0 && math.Abs(v.AsFloat()) < math.MaxFloat64
	}
	return "", false
}

// plain writes a number without zeros that count nothing.
func plain(v sources.Value) string { return sources.Canonical(v).WithPrecision(0).String() }

// chunks divides keys into what is asked at once.
func (s *source) chunks(p *dataset, keys []asked) (out []chunk) {
	if p.batch == nil && p.get == nil {
		if len(keys) > 0 {
			out = append(out, chunk{keys, s.fromList})
		}
		return out
	}
	var together []asked
	for _, a := range keys {
		switch {
		case p.batch != nil && batchable(a):
			together = append(together, a)
		case p.get != nil:
			out = append(out, chunk{[]asked{a}, s.getOne})
		case a.texts[0] == "":
		default:
			out = append(out, chunk{[]asked{a}, unaskable})
		}
	}
	for len(together) > 0 {
		n := min(len(together), p.batch.size)
		out = append(out, chunk{together[:n:n], s.getMany})
		together = together[n:]
	}
	return out
}

// batchable says whether a key can stand in a list that commas divide.
func batchable(a asked) bool {
	return a.texts[0] != "" && !strings.Contains(a.texts[0], ",") && len(a.texts[0]) <= longestKey
}

func unaskable(_ context.Context, _ *dataset, keys []asked) (*found, error) {
	return &found{records: skipped(keys, "the API cannot be asked for this key: it is too long, or holds a comma"), alive: true}, nil
}

// skipped are records of which nobody knows whether the service has them.
func skipped(keys []asked, why string) []sources.Record {
	records := make([]sources.Record, len(keys))
	for i, a := range keys {
		records[i] = sources.Record{Key: a.key, Skipped: why}
	}
	return records
}
