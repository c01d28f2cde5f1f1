package main

import (
	"fmt"
	"slices"
	"sync"

	"plumbline/checks"
	"plumbline/configs"
	"plumbline/sources"
	"plumbline/sources/all"
)

// readers opens each source once, when it is first read, for all edges to share.
type readers struct {
	config *configs.Config
	maxRPS int // bounds each source where it is set
	onWait func(sources.Wait)

	mu     sync.Mutex
	opened map[string]*sources.Reader
}

func newReaders(config *configs.Config, maxRPS int, onWait func(sources.Wait)) *readers {
	return &readers{config: config, maxRPS: maxRPS, onWait: onWait, opened: map[string]*sources.Reader{}}
}

// find is a checks.Readers.
func (r *readers) find(name string) (*sources.Reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reader := r.opened[name]; reader != nil {
		return reader, nil
	}
	declared, ok := r.config.Sources[name]
	if !ok {
		return nil, fmt.Errorf("source %s: is not declared under sources", name)
	}
	open := all.Kinds()[declared.Kind]
	if open == nil {
		return nil, fmt.Errorf("source %s: there is no kind %q", name, declared.Kind)
	}
	source, err := open(sources.Options{Name: name, URL: declared.URL, Connections: declared.Limits.Connections,
		StatementTimeout: declared.Limits.StatementTimeout})
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	limits := sources.Limits{Page: declared.Limits.Page, RecordsPerSecond: declared.Limits.RecordsPerSecond, Statement: declared.Limits.StatementTimeout}
	if r.maxRPS > 0 && (limits.RecordsPerSecond == 0 || r.maxRPS < limits.RecordsPerSecond) {
		limits.RecordsPerSecond = r.maxRPS
	}
	r.opened[name] = sources.NewReader(name, source, limits, r.onWait)
	return r.opened[name], nil
}

// close gives every connection back and tells what went wrong with that, which
// changes nothing of what was read.
func (c *cli) close(r *readers) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, reader := range r.opened {
		if err := reader.Close(); err != nil {
			c.console.Note(c.scrub(fmt.Sprintf("plumbline: close source %s: %v", name, err)))
		}
	}
}

// usedBy lists the checks that read a source, sorted.
func usedBy(config *configs.Config, source string) []string {
	names := []string{}
	for i := range config.Checks {
		check := &config.Checks[i]
		reads := check.Owner.Source == source ||
			slices.ContainsFunc(check.Edges, func(e checks.Edge) bool { return e.Replica.Source == source })
		if reads {
			names = append(names, check.Name)
		}
	}
	return names
}
