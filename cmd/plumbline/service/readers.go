package service

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"plumbline/configs"
	"plumbline/sources"
	"plumbline/sources/all"
)

// ReaderOptions say how Readers read.
type ReaderOptions struct {
	// MaxRPS bounds the records that are read of each source a second; 0 is only
	// what the source's own limits say.
	MaxRPS int
	// OnWait hears of every pause, OnQuery of everything a store is asked; nil is nobody.
	OnWait  func(sources.Wait)
	OnQuery func(sources.Query)
}

// Readers open each source of a configuration once, when it is first read, for
// all edges to share. They are safe for many goroutines.
type Readers struct {
	declared map[string]configs.Source
	options  ReaderOptions

	mu     sync.Mutex
	opened map[string]*sources.Reader
	handed map[string]bool // to the Readers of a later configuration
}

// NewReaders makes the Readers of a configuration's sources; none is opened yet.
func NewReaders(declared map[string]configs.Source, o ReaderOptions) *Readers {
	return &Readers{declared: declared, options: o, opened: map[string]*sources.Reader{}, handed: map[string]bool{}}
}

// Find returns the reader of a source; it is a checks.Readers.
func (r *Readers) Find(name string) (*sources.Reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reader := r.opened[name]; reader != nil {
		return reader, nil
	}
	declared, ok := r.declared[name]
	if !ok {
		return nil, fmt.Errorf("source %s: is not declared under sources", name)
	}
	open := all.Kinds()[declared.Kind]
	if open == nil {
		return nil, fmt.Errorf("source %s: there is no kind %q", name, declared.Kind)
	}
	source, err := open(sources.Options{Name: name, URL: declared.URL, Headers: declared.Headers, Connections: declared.Limits.Connections,
		StatementTimeout: declared.Limits.StatementTimeout})
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	limits := sources.Limits{Page: declared.Limits.Page, RecordsPerSecond: declared.Limits.RecordsPerSecond, Statement: declared.Limits.StatementTimeout,
		MaxLag: declared.Limits.MaxLag, MaxActive: declared.Limits.MaxActive}
	if most := r.options.MaxRPS; most > 0 && (limits.RecordsPerSecond == 0 || most < limits.RecordsPerSecond) {
		limits.RecordsPerSecond = most
	}
	reader := sources.NewReader(name, source, limits, r.options.OnWait)
	if r.options.OnQuery != nil {
		reader.OnQuery(r.options.OnQuery)
	}
	r.opened[name] = reader
	return reader, nil
}

// All are the readers of all sources, by name. One that cannot even be opened,
// which reaches no store yet, is left out.
func (r *Readers) All() map[string]*sources.Reader {
	readers := map[string]*sources.Reader{}
	for name := range r.declared {
		if reader, err := r.Find(name); err == nil {
			readers[name] = reader
		}
	}
	return readers
}

// Next makes the Readers of a later configuration. Sources that are declared as
// they were keep their reader, with its connections and its pace; closing r then
// leaves those open.
func (r *Readers) Next(declared map[string]configs.Source) *Readers {
	next := NewReaders(declared, r.options)
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, reader := range r.opened {
		if now, ok := declared[name]; ok && now.Equal(r.declared[name]) {
			next.opened[name] = reader
			r.handed[name] = true
		}
	}
	return next
}

// Close gives every connection back that no later Readers took over. No read may
// be under way.
func (r *Readers) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for name, reader := range r.opened {
		if r.handed[name] {
			continue
		}
		if err := reader.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close source %s: %w", name, err))
		}
	}
	maps.DeleteFunc(r.opened, func(name string, _ *sources.Reader) bool { return !r.handed[name] })
	return errors.Join(errs...)
}
