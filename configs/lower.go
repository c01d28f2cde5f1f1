package configs

import (
	"cmp"
	"slices"
	"time"

	"plumbline/checks"
	"plumbline/reconciler"
	"plumbline/sources"
)

// lowering turns what was read into sources and checks.
type lowering struct {
	*reader
	sources  map[string]Source
	defaults *setting // nil where none are declared
	notes    Problems
	// policies are how differences may be put right, by check and replica; dataKey
	// says whether what fixes keep is encrypted by a key of the configuration's.
	policies map[string]map[string]reconciler.Policy
	dataKey  bool
	// doubtful are sources whose fix_url could not be read.
	doubtful map[string]bool
}

// lower merges the documents and lowers them; what it returns is whole only
// where no problem was reported.
func lower(r *reader, roots []*setting) *Config {
	l := &lowering{reader: r, sources: map[string]Source{}, policies: map[string]map[string]reconciler.Policy{}, doubtful: map[string]bool{}}
	l.defaults = l.once(roots, "defaults")
	c := &Config{Ledger: l.ledger(roots), Server: l.server(roots), Access: l.access(roots), Sources: l.sources, Schedules: map[string]string{}, Fixes: l.policies}
	l.dataKey = c.Access.DataKey != ""
	for _, s := range l.merge(roots, "sources") {
		l.sources[s.name] = l.source(s.name, s.setting)
		l.apart(c.Ledger, roots, s.name, s.setting)
	}
	declared := l.merge(roots, "checks")
	for _, s := range declared {
		c.Checks = append(c.Checks, l.check(s.name, s.setting))
		if spec := l.schedule(s.setting); spec != "" {
			c.Schedules[s.name] = spec
		}
	}
	c.Alerts = l.alerts(c, roots, declared)
	c.Notes = l.notes.sorted()
	if len(declared) == 0 && len(r.problems) == 0 {
		r.problems = append(r.problems, roots[0].problem("", "declares no checks: add one under checks, so that something is compared"))
	}
	return c
}

// once finds a key that may stand in one document only.
func (l *lowering) once(roots []*setting, name string) *setting {
	var first *setting
	for _, root := range roots {
		switch s := root.get(name); {
		case s == nil:
		case first == nil:
			first = s
		default:
			l.problems = append(l.problems, s.key.problem(name, "is declared twice, first at %s: keep one", first.key))
		}
	}
	return first
}

type named struct {
	name    string
	setting *setting
}

// merge gathers what all documents declare under a key, sorted by name.
func (l *lowering) merge(roots []*setting, name string) []named {
	var all []named
	first := map[string]*setting{}
	for _, root := range roots {
		group := root.get(name)
		if group == nil {
			continue
		}
		for _, n := range group.names {
			s := group.under[n]
			if earlier := first[n]; earlier != nil {
				l.problems = append(l.problems, s.key.problem(s.path, "is declared twice, first at %s: rename or remove one", earlier.key))
				continue
			}
			first[n] = s
			all = append(all, named{n, s})
		}
	}
	slices.SortFunc(all, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	return all
}

func (l *lowering) source(name string, s *setting) Source {
	if s.under == nil { // not even a mapping
		return Source{Name: name}
	}
	out := Source{Name: name, Kind: valueOf[string](s, "kind"), URL: valueOf[sources.Secret](s, "url"), FixURL: valueOf[sources.Secret](s, "fix_url"),
		Team: valueOf[string](s, "team")}
	out.Headers = l.headers(&out, s.get("headers"))
	if written := s.get("fix_url"); written != nil && written.bad {
		l.doubtful[name] = true
	}
	if out.FixURL != "" && out.FixURL == out.URL {
		l.note(s.get("fix_url"), "is the url: then all that Plumbline reads by may write too; give url credentials that may only read")
	}
	written := s.get("limits")
	if written == nil || written.under == nil {
		written = &setting{record: limits()}
	}
	out.Limits = Limits{
		Connections:      valueOf[int](written, "connections"),
		Page:             valueOf[time.Duration](written, "page"),
		StatementTimeout: valueOf[time.Duration](written, "statement_timeout"),
		RecordsPerSecond: valueOf[int](written, "records_per_second"),
		MaxLag:           valueOf[time.Duration](written, "max_lag"),
		MaxActive:        valueOf[int](written, "max_active"),
	}
	if out.Limits.Page >= out.Limits.StatementTimeout && !written.bad {
		l.report(written, "page (%s) must be shorter than statement_timeout (%s)", durationText(out.Limits.Page), durationText(out.Limits.StatementTimeout))
	}
	return out
}

func (l *lowering) check(name string, s *setting) checks.Check {
	if s.under == nil {
		return checks.Check{Name: name}
	}
	s.fallback = l.defaults
	c := checks.Check{
		Name: name, Description: valueOf[string](s, "description"), Severity: valueOf[string](s, "severity"),
		Team: valueOf[string](s, "team"), Runbook: valueOf[string](s, "runbook"), AllowEmpty: valueOf[bool](s, "allow_empty"),
	}
	owner := s.get("owner")
	if owner == nil {
		l.report(s, "%q is missing: name the dataset that is the truth", "owner")
	} else {
		c.Owner = l.side(owner, nil)
	}
	c.Sample = l.sample(s.get("sample"))
	invariants := l.invariants(s.get("invariants"))
	taken := map[string]bool{}
	for _, replica := range l.replicas(s) {
		if replica.under == nil {
			continue
		}
		e := l.edge(s, owner, replica, invariants)
		if e.Name != "" && taken[e.Name] {
			l.report(replica, "two replicas of the check are named %q: give this one another name", e.Name)
		}
		taken[e.Name] = true
		c.Edges = append(c.Edges, e)
		l.fix(&c, &e, s, replica)
		l.reachable(owner, &c.Owner, replica, &e)
	}
	return c
}

// replicas are the entries of replica or replicas. What the check says itself
// beats what defaults say, whichever of the two keys it uses.
func (l *lowering) replicas(s *setting) []*setting {
	one, many := s.under["replica"], s.under["replicas"]
	if one == nil && many == nil {
		one, many = s.get("replica"), s.get("replicas")
	}
	switch {
	case one != nil && many != nil:
		l.problems = append(l.problems, many.key.problem(many.path, "a check has replica or replicas, not both: move replica into the list"))
		return append([]*setting{one}, many.items...)
	case one != nil:
		return []*setting{one}
	case many != nil:
		return many.items
	}
	l.report(s, "%q is missing: name the dataset that holds the copy, or several under replicas", "replica")
	return nil
}

func (l *lowering) edge(check, owner, replica *setting, invariants []checks.Invariant) checks.Edge {
	e := checks.Edge{Name: valueOf[string](replica, "name"), Replica: l.side(replica, owner), Invariants: invariants}
	if e.Name == "" {
		e.Name = e.Replica.Source
	}
	if own := replica.get("settle"); own != nil {
		e.Settle = valueOf[time.Duration](replica, "settle")
	} else {
		e.Settle = valueOf[time.Duration](check, "settle")
	}
	e.IgnoreMissing = e.Copies()
	if missing := valueOf[string](replica, "missing"); missing != "" {
		e.IgnoreMissing = missing == "ignore"
	}
	e.IgnoreExtra = valueOf[string](replica, "extra") == "ignore"
	if key := replica.get("key"); owner != nil && key != nil && !key.bad {
		if other := owner.get("key"); other != nil && !other.bad && len(other.items) != len(key.items) {
			l.report(key, "the key's fields are %d here and %d in the owner: name the same number on both sides, in the same order",
				len(key.items), len(other.items))
		}
	}
	fields := replica.get("fields")
	if fields == nil {
		fields = check.get("fields")
	}
	if fields == nil {
		l.report(check, "%q is missing: list what is compared, or write [] to compare existence only", "fields")
		return e
	}
	e.Rules = l.rules(fields, owner, replica)
	if len(fields.items)+len(invariants) == 0 && !fields.bad && e.IgnoreMissing && e.IgnoreExtra {
		l.report(replica, "compares nothing: no fields, and both missing and extra records are ignored; name fields, or report what is missing or extra")
	}
	return e
}
