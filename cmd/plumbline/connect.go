package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumbline/checks"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/sources"
)

// connecting checks a configuration against its stores.
type connecting struct {
	*cli
	config   *configs.Config
	readers  *service.Readers
	places   *places
	problems []problem
	down     map[string]bool // sources that did not answer, told once
}

// The severities of problems. Only what is wrong keeps a check from running.
const (
	wrong   = "error"
	warning = "warning"
	note    = "note"
)

// vetAll asks every source who it is, and every edge whether it can run.
func (c *connecting) vetAll(ctx context.Context) []problem {
	c.problems, c.down = []problem{}, map[string]bool{}
	for _, name := range sourceNames(c.config) {
		if len(usedBy(c.config, name)) > 0 {
			c.probe(ctx, name)
		}
	}
	for i := range c.config.Checks {
		check := &c.config.Checks[i]
		for e := range check.Edges {
			c.vetEdge(ctx, check, e)
		}
	}
	slices.SortStableFunc(c.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.problems
}

// told says a problem at the first of paths that stands in the configuration.
func (c *connecting) told(severity, message string, paths ...string) {
	p := c.places.of(paths...)
	p.Severity, p.Message = severity, message
	for _, earlier := range c.problems { // an owner is met once for each of its replicas
		if earlier == p {
			return
		}
	}
	c.problems = append(c.problems, p)
}

func (c *connecting) probe(ctx context.Context, name string) {
	path := "sources." + name
	reader, err := c.readers.Find(name)
	if err == nil {
		var facts sources.Facts
		if facts, _, err = reader.Probe(ctx); err == nil {
			c.facts(path, facts)
			return
		}
	}
	c.down[name] = true
	c.told(wrong, strings.TrimPrefix(err.Error(), "source "+name+": "), path)
}

func (c *connecting) facts(path string, facts sources.Facts) {
	if facts.CanWrite {
		c.told(warning, "the role may write: give it one that may only read", path)
	}
	if facts.Standby {
		c.told(warning, "a replication standby answers: what it lacks may merely be late, so settle must outlast its lag", path)
	}
	for _, fact := range facts.Notes {
		c.told(note, fact, path)
	}
}

// vetEdge describes both sides of an edge and compares what they declare.
func (c *connecting) vetEdge(ctx context.Context, check *checks.Check, i int) {
	comparison := checks.Compile(check, i, c.now())
	base := "checks." + check.Name
	replicaBases := []string{fmt.Sprintf("%s.replicas[%d]", base, i), base + ".replica"}
	owner, ok := c.learn(ctx, check.Owner.Source, &comparison.Owner, &check.Edges[i], "owner", []string{base + ".owner"}, base)
	replica, replicaOK := c.learn(ctx, comparison.Edge.Replica.Source, &comparison.Replica, &check.Edges[i], "replica", replicaBases, base)
	if !ok || !replicaOK {
		return
	}
	for _, p := range checks.Vet(comparison, owner.Description, replica.Description) {
		severity := wrong
		if p.Warning {
			severity = warning
		}
		c.told(severity, p.Message, pathsOf(base, replicaBases, p.Path)...)
	}
	plan, err := planOf(comparison, owner, replica)
	if err != nil {
		c.told(wrong, err.Error(), base)
		return
	}
	severity := warning
	if plan.Sampled != "" { // a sample that cannot find what it does not draw is what was asked for
		severity = note
	}
	for _, blind := range plan.Blind {
		c.told(severity, "cannot find "+blind, replicaBases...)
	}
}

// pathsOf are where a path below a check may stand in the configuration: a
// replica's fields under it, under the check, or under defaults.
func pathsOf(base string, replicaBases []string, path string) []string {
	rest, ofReplica := strings.CutPrefix(path, "replica")
	var paths []string
	for _, replica := range replicaBases {
		switch {
		case ofReplica:
			paths = append(paths, replica+rest)
		case strings.HasPrefix(path, "fields"):
			paths = append(paths, replica+"."+path)
		}
	}
	if ofReplica {
		return paths
	}
	return append(paths, base+"."+path, "defaults."+path)
}

// learn asks one side what it declares, and whether it can run our statements.
func (c *connecting) learn(ctx context.Context, name string, d *sources.Dataset, edge *checks.Edge, role string, bases []string, base string) (facts checks.SideFacts, ok bool) {
	if c.down[name] {
		return facts, false
	}
	reader, err := c.readers.Find(name)
	if err == nil {
		facts.Capabilities = reader.Capabilities()
		facts.Description, err = reader.Describe(ctx, d)
	}
	if err == nil {
		_, err = reader.Explain(ctx, d) // finds a where or a query that the store cannot run
	}
	if err == nil {
		facts.Estimate, _, err = reader.Count(ctx, d)
	}
	if err == nil {
		return facts, true
	}
	paths := append(blamed(err, d, edge, role, bases, base), bases...)
	c.told(wrong, err.Error(), paths...)
	return facts, false
}

// blamed are where the name stands that a store does not know.
func blamed(err error, d *sources.Dataset, edge *checks.Edge, role string, bases []string, base string) []string {
	var missing *sources.NotFoundError
	if !errors.As(err, &missing) {
		return nil
	}
	var paths []string
	below := func(format string, args ...any) {
		for _, b := range bases {
			paths = append(paths, b+"."+fmt.Sprintf(format, args...))
		}
	}
	if missing.What == "table" || missing.What == "collection" {
		below("dataset")
		return paths
	}
	for i, name := range d.Key {
		if name == missing.Name {
			below("key[%d]", i)
		}
	}
	for i, name := range d.ID {
		if name == missing.Name {
			below("id[%d]", i)
		}
	}
	for _, condition := range d.Scope {
		if condition.Field == missing.Name {
			below("scope.%s", condition.Field)
		}
	}
	for i := range edge.Rules {
		rule := &edge.Rules[i]
		if role == "replica" && rule.Replica.Name == missing.Name {
			below("fields[%d]", i)
			paths = append(paths, fmt.Sprintf("%s.fields[%d]", base, i))
		}
		if role == "owner" && rule.Owner.Name == missing.Name {
			paths = append(paths, fmt.Sprintf("%s.fields[%d]", base, i))
		}
	}
	if role == "owner" && slices.Contains(d.Fields, missing.Name) {
		below("version") // or an invariant
	}
	return paths
}
