package mongodb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// dataset is a dataset as it is read: its texts parsed, its paths sorted.
type dataset struct {
	*sources.Dataset
	database                   string
	filter, where, deletedWhen any // bson.Raw, or nil
	pipeline                   []bson.Raw
	// scope is the condition of the scope; nil when it has none. The server's
	// notion of equality is wider than ours (collations, arrays that hold the
	// value), so records are checked again.
	scope any
	// never says why no record can satisfy the scope: BSON has no such value.
	never bool
	// whole and keys are what to read: everything, and keys and ids alone.
	whole, keys shape
	// documentSize and documentRecords are recent means, to size batches by.
	documentSize, documentRecords atomic.Int64

	mu    sync.Mutex // guards facts
	facts *facts
}

// shape says which parts of documents are read, and where they go in a record.
type shape struct {
	// levels[0] reads the document; levels[i] an element of the i-th array on the
	// way that Unwind names.
	levels []*node
	// projection asks the server for these parts alone; nil asks for whole documents.
	projection bson.D
	width      int // slots: key, id, fields, scope
}

// reservedName begins the names of fields that this package adds to what a
// pipeline puts out.
const reservedName = "__plumbline"

// maxDatasets bounds how many datasets are remembered: one that is forgotten is
// prepared anew. A service opens its checks again and again.
const maxDatasets = 1000

// prepared returns d ready for reading, made at first use.
func (s *source) prepared(d *sources.Dataset) (*dataset, error) {
	if known, ok := s.datasets.Load(d); ok {
		return known.(*dataset), nil
	}
	made, err := prepare(d)
	if err != nil {
		return nil, sources.Final(err)
	}
	made.database = s.database
	if s.remembered.Add(1) >= maxDatasets {
		s.datasets.Clear()
		s.remembered.Store(0)
	}
	known, _ := s.datasets.LoadOrStore(d, made)
	return known.(*dataset), nil
}

func prepare(d *sources.Dataset) (*dataset, error) {
	p := &dataset{Dataset: d}
	switch {
	case d.Query != "":
		return nil, errors.New("MongoDB has no SQL query: name a collection, with filter or pipeline")
	case d.Name == "":
		return nil, errors.New("name the collection")
	case d.Filter != "" && d.Pipeline != "":
		return nil, errors.New("declare filter or pipeline, not both: a $match stage filters in a pipeline")
	case d.Unwind != "" && d.Pipeline != "":
		return nil, errors.New("declare unwind or pipeline, not both: a $unwind stage unwinds in a pipeline")
	case len(d.Key) == 0:
		return nil, errors.New("declare the key")
	}
	var err error
	if p.filter, err = parseCondition("filter", d.Filter); err != nil {
		return nil, err
	}
	if p.where, err = parseCondition("where", d.Where); err != nil {
		return nil, err
	}
	if p.deletedWhen, err = parseCondition("deleted_when", d.DeletedWhen); err != nil {
		return nil, err
	}
	if p.pipeline, err = parsePipeline(d.Pipeline); err != nil {
		return nil, err
	}
	if err := p.checkUnwind(); err != nil {
		return nil, err
	}
	if err := p.prepareScope(); err != nil {
		return nil, err
	}
	p.whole = p.shape(d.Fields)
	p.keys = p.shape(nil)
	return p, nil
}

// flattened is an unwound dataset over a view, as the pipeline that it amounts to.
func (p *dataset) flattened() *dataset {
	d := *p.Dataset
	d.Unwind = ""
	flat := &dataset{Dataset: &d, database: p.database, where: p.where, deletedWhen: p.deletedWhen, scope: p.scope, never: p.never}
	stage := func(name string, value any) {
		raw, err := bson.Marshal(doc(name, value))
		if err != nil { // made of strings and of documents parsed before
			panic(err)
		}
		flat.pipeline = append(flat.pipeline, raw)
	}
	if p.filter != nil {
		stage("$match", p.filter)
	}
	for _, step := range p.steps() {
		stage("$unwind", "$"+step)
	}
	flat.whole, flat.keys = flat.shape(d.Fields), flat.shape(nil)
	return flat
}

// steps are the arrays that Unwind passes: a.items passes a, should a be an array, and a.items.
func (p *dataset) steps() []string {
	if p.Unwind == "" {
		return nil
	}
	var steps []string
	for i, c := range p.Unwind {
		if c == '.' {
			steps = append(steps, p.Unwind[:i])
		}
	}
	return append(steps, p.Unwind)
}

func (p *dataset) checkUnwind() error {
	if p.Unwind == "" {
		return nil
	}
	if !plainPath(p.Unwind) {
		return fmt.Errorf("unwind %q: no part of the path may be empty or begin with $", p.Unwind)
	}
	steps := p.steps()
	for _, name := range p.names() {
		if slices.Contains(steps[:len(steps)-1], name) {
			return fmt.Errorf("field %q holds the unwound array %s: name the fields that are wanted", name, p.Unwind)
		}
	}
	return nil
}

// names are all names the dataset declares, each as often as it does.
func (p *dataset) names() []string {
	names := slices.Concat(p.Key, p.ID, p.Fields)
	for _, c := range p.Scope {
		names = append(names, c.Field)
	}
	return names
}

func (p *dataset) prepareScope() error {
	var all bson.A
	for _, c := range p.Scope {
		forms, err := keyForms(c.Value)
		if err != nil {
			return fmt.Errorf("scope %s: %w", c.Field, err)
		}
		p.never = p.never || len(forms) == 0
		if plainPath(c.Field) {
			all = append(all, doc(c.Field, anyOf(forms)))
		}
	}
	if len(all) > 0 {
		p.scope = doc("$and", all)
	}
	return nil
}

// inScope says whether a record's scope values are the declared ones.
func (p *dataset) inScope(values []sources.Value) bool {
	for i, c := range p.Scope {
		v := values[len(values)-len(p.Scope)+i]
		if c.Value.IsNull() && v.IsAbsent() {
			continue // MongoDB's own reading of null
		}
		if !sources.Canonical(v).Equal(sources.Canonical(c.Value)) {
			return false
		}
	}
	return true
}

// plainPath says whether the server takes a dotted path as such.
func plainPath(path string) bool {
	for part := range strings.SplitSeq(path, ".") {
		if part == "" || part[0] == '$' || strings.ContainsRune(part, 0) {
			return false
		}
	}
	return true
}

// shape lays out a record: the key's slots first, then id, fields and scope.
func (p *dataset) shape(fields []string) shape {
	steps := p.steps()
	s := shape{levels: make([]*node, len(steps)+1)}
	for i := range s.levels {
		s.levels[i] = &node{}
	}
	names := slices.Concat(p.Key, p.ID, fields)
	for _, c := range p.Scope {
		names = append(names, c.Field)
	}
	paths := []string{"_id"}
	for slot, name := range names {
		level := 0
		for i, step := range steps {
			if name == step || strings.HasPrefix(name, step+".") {
				level = i + 1
			}
		}
		paths = append(paths, name)
		if level > 0 {
			name = strings.TrimPrefix(strings.TrimPrefix(name, steps[level-1]), ".")
		}
		if level > 0 && name == "" { // the element itself
			s.levels[level].slots = append(s.levels[level].slots, slot)
			continue
		}
		s.levels[level].add(name, slot)
	}
	s.width = len(names)
	if len(steps) > 0 {
		// The first array is read whole: asking for parts of its elements would
		// drop the elements that are no documents, and move the others' indexes.
		paths = append(paths, steps[0])
	}
	s.projection = projectionOf(paths)
	return s
}

// projectionOf asks for paths, and for the parent alone of a path and its parent,
// which the server would refuse to project both. It is nil where a path is none
// that can be projected; then the whole document is read.
func projectionOf(paths []string) bson.D {
	slices.Sort(paths)
	var projection bson.D
	for _, path := range slices.Compact(paths) {
		if !plainPath(path) {
			return nil
		}
		covered := slices.ContainsFunc(paths, func(other string) bool { return strings.HasPrefix(path, other+".") })
		if !covered {
			projection = append(projection, bson.E{Key: path, Value: int32(1)})
		}
	}
	return projection
}
