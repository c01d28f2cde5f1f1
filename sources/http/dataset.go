package http

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// dataset is a dataset as it is read: its texts parsed, its paths ready.
type dataset struct {
	*sources.Dataset
	shape *jsonrecord.Shape
	list  *listing
	get   *getting
	batch *batching

	outside outside

	finding  sync.Mutex
	readings int64 // the number of the readings that look-ups make for want of get and batch

	*memory
}

type listing struct {
	*sources.Listing
	items, next []string
	cursor      string // the parameter that goes on, where next is no address
	holed       bool   // a parameter of query holds {next}: what begins with a slash is a cursor too
	what        string
}

type getting struct {
	*sources.Getting
	path   sources.Pattern
	query  map[string]sources.Pattern
	item   []string
	absent []int
	what   string
}

type batching struct {
	*sources.Batching
	items []string
	ids   string // the parameter that holds the keys
	size  int
	what  string
}

// ready returns d ready for reading, made at first use.
func (s *source) ready(d *sources.Dataset) (*dataset, error) {
	if known, ok := s.datasets.Load(d); ok {
		return known.(*dataset), nil
	}
	made, err := prepare(d)
	if err != nil {
		return nil, sources.Final(err)
	}
	remembered, _ := s.memories.LoadOrStore(made.identity(), &memory{})
	made.memory, _ = remembered.(*memory)
	if s.prepared.Add(1) >= mostDatasets {
		s.datasets.Clear()
		s.memories.Clear()
		s.prepared.Store(0)
	}
	known, _ := s.datasets.LoadOrStore(d, made)
	return known.(*dataset), nil
}

// identity is the same for datasets that are asked for the same records in the
// same way, whichever of their fields: each run describes its datasets anew.
func (p *dataset) identity() string {
	e := p.Endpoint
	words := []any{p.Key, p.Unwind}
	for _, c := range p.Scope {
		words = append(words, c.Field, c.Value.Kind(), c.Value.String())
	}
	if e.List != nil {
		words = append(words, "list", *e.List)
	}
	if e.Get != nil {
		words = append(words, "get", *e.Get)
	}
	if e.Batch != nil {
		words = append(words, "batch", *e.Batch)
	}
	return fmt.Sprintf("%q", words)
}

func prepare(d *sources.Dataset) (*dataset, error) {
	switch {
	case d.Query != "" || d.Filter != "" || d.Pipeline != "":
		return nil, errors.New("an http source has no query, filter or pipeline: declare list, get or batch")
	case d.Endpoint == nil || d.Endpoint.List == nil && d.Endpoint.Get == nil && d.Endpoint.Batch == nil:
		return nil, errors.New("declare how the API gives its records: list, get or batch")
	case len(d.Key) == 0:
		return nil, errors.New("declare the key")
	}
	p := &dataset{Dataset: d}
	var err error
	if p.shape, err = jsonrecord.New(d); err != nil {
		return nil, err
	}
	if err := p.prepareOutside(); err != nil {
		return nil, err
	}
	if err := p.prepareList(d.Endpoint.List); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	if err := p.prepareGet(d.Endpoint.Get); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	if err := p.prepareBatch(d.Endpoint.Batch); err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	return p, nil
}

func (p *dataset) prepareList(l *sources.Listing) error {
	if l == nil {
		return nil
	}
	p.list = &listing{Listing: l, what: "GET " + l.Path}
	var err error
	if p.list.items, err = answerPath(l.Items); err != nil {
		return err
	}
	if l.Next == "" {
		return nil
	}
	if p.list.next, err = answerPath(l.Next); err != nil {
		return err
	}
	if len(p.list.next) == 0 {
		return errors.New("next is the whole answer: write where in it the next page is named")
	}
	p.list.cursor = p.list.next[len(p.list.next)-1]
	for name, value := range l.Query {
		if strings.Contains(value, "{next}") {
			p.list.cursor, p.list.holed = name, true
		}
	}
	return nil
}

func (p *dataset) prepareGet(g *sources.Getting) error {
	if g == nil {
		return nil
	}
	p.get = &getting{Getting: g, absent: g.Absent, query: map[string]sources.Pattern{}, what: "GET " + g.Path}
	if len(p.get.absent) == 0 {
		p.get.absent = []int{404}
	}
	var err error
	if p.get.item, err = answerPath(g.Item); err != nil {
		return err
	}
	if p.get.path, err = sources.ParsePattern(g.Path); err != nil {
		return fmt.Errorf("path %w", err)
	}
	named := map[string]bool{}
	for _, f := range p.get.path.Fields {
		named[f] = true
	}
	for name, value := range g.Query {
		if p.get.query[name], err = sources.ParsePattern(value); err != nil {
			return fmt.Errorf("query %s %w", name, err)
		}
		for _, f := range p.get.query[name].Fields {
			named[f] = true
		}
	}
	for f := range named {
		if p.keyPart(f) < 0 {
			return fmt.Errorf("{%s} is no field of the key", f)
		}
	}
	for i := range p.Key {
		if !named[p.Key[i]] && !named["id"] {
			return fmt.Errorf("the key's field {%s} stands neither in the path nor in the query", p.Key[i])
		}
	}
	return nil
}

// keyPart is the part of the key that a name in braces stands for: that of the
// field, or {id} for the only one; -1 for none.
func (p *dataset) keyPart(name string) int {
	for i, k := range p.Key {
		if k == name {
			return i
		}
	}
	if name == "id" && len(p.Key) == 1 {
		return 0
	}
	return -1
}

func (p *dataset) prepareBatch(b *sources.Batching) error {
	if b == nil {
		return nil
	}
	p.batch = &batching{Batching: b, size: b.Size, what: "GET " + b.Path}
	if p.batch.size == 0 {
		p.batch.size = 100
	}
	if len(p.Key) != 1 {
		return errors.New("keys of several fields cannot be asked for at once: declare get")
	}
	for _, value := range b.Query {
		for _, hole := range []string{"{ids}", "{" + p.Key[0] + "s}"} {
			if strings.Contains(value, hole) {
				p.batch.ids = hole
			}
		}
	}
	if p.batch.ids == "" {
		return errors.New("no parameter of query holds {ids}, where the keys go")
	}
	var err error
	p.batch.items, err = answerPath(b.Items)
	return err
}
