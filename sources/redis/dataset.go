package redis

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// dataset is a sources.Dataset made ready.
type dataset struct {
	*sources.Dataset
	pattern sources.Pattern
	glob    string // what SCAN matches
	format  sources.Format
	// shape reads whole records, bare their keys and ids alone.
	shape, bare *jsonrecord.Shape
	// written says for each field of the pattern where it is in Key; nil where not
	// all of them are, so that a key does not say which keys of Redis it is.
	written []int

	mu sync.Mutex
	// kinds are the kinds that fields of the pattern were last seen to have in
	// documents. The key of a record that cannot be read is taken for one of them.
	kinds map[string]sources.Kind
}

// maxPrepared is how many datasets are kept ready.
const maxPrepared = 256

// ready prepares a dataset at its first use.
func (s *source) ready(d *sources.Dataset) (*dataset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.prepared[d]; p != nil {
		return p, nil
	}
	p, err := prepare(d)
	if err != nil {
		return nil, sources.Final(fmt.Errorf("read dataset %s: %w", d.Title(), err))
	}
	if len(s.prepared) >= maxPrepared { // most are of checks that ran long ago
		clear(s.prepared)
	}
	s.prepared[d] = p
	return p, nil
}

func prepare(d *sources.Dataset) (*dataset, error) {
	p := &dataset{Dataset: d, format: d.Format, kinds: map[string]sources.Kind{}}
	if p.format == "" {
		p.format = sources.FormatJSON
	}
	var err error
	if p.pattern, err = sources.ParsePattern(d.Name); err != nil {
		return nil, fmt.Errorf("the pattern %w", err)
	}
	for _, name := range p.pattern.Fields {
		if strings.Contains(name, ".") {
			return nil, fmt.Errorf("the pattern holds {%s}: a field of the pattern has no points in its name", name)
		}
	}
	if d.Unwind != "" && p.format != sources.FormatJSON {
		return nil, fmt.Errorf("format %s holds no array to unwind", p.format)
	}
	p.glob = globOf(p.pattern)
	if p.shape, err = jsonrecord.New(d); err != nil {
		return nil, err
	}
	bare := *d
	bare.Fields = nil
	if p.bare, err = jsonrecord.New(&bare); err != nil {
		return nil, err
	}
	for _, name := range p.pattern.Fields {
		at := slices.Index(d.Key, name)
		if at < 0 {
			p.written = nil
			return p, nil
		}
		p.written = append(p.written, at)
	}
	return p, nil
}

// direct says whether a record's key says at which key of Redis it is.
func (p *dataset) direct() bool { return p.written != nil || len(p.pattern.Fields) == 0 }

// globOf writes a pattern for SCAN. What a glob understands stands for itself in
// the texts between the fields.
func globOf(pattern sources.Pattern) string {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
	parts := make([]string, len(pattern.Literals))
	for i, literal := range pattern.Literals {
		parts[i] = escape.Replace(literal)
	}
	return strings.Join(parts, "*")
}

// saw keeps the kind that a field of the pattern has in a document.
func (p *dataset) saw(name string, kind sources.Kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kinds[name] = kind
}

func (p *dataset) kindOf(name string) sources.Kind {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kinds[name]
}
