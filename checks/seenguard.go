package checks

import (
	"context"
	"sync"
	"time"

	"plumbline/sources"
)

// seenGuard tells, of stores that declare no types, a field that came to be of
// another kind from records that differ: by what records showed before, in runs
// that read everything and in this one.
type seenGuard struct {
	mu   sync.Mutex
	run  Seen                   // what this run has accepted
	new  Seen                   // the part of it that nobody took yet
	kept map[Role]*keptRecords  // the first records met, to be looked at again
	all  map[Role]time.Time     // when records from all over were last looked at
	read map[Role]map[string]at // the fields that are watched
}

// at says where a watched field is.
type at struct {
	i    int // in the dataset's fields
	rule *Rule
}

// keptRecords are records as they were when they were first met.
type keptRecords struct {
	keys  []sources.Key
	kinds map[string][]sources.Kind // by encoded key: of each watched field, in the order of names
	names []string
}

// keptMost is how many records of a side are kept.
const keptMost = 20

// watch finds the fields that a side's store keeps to no kind.
func (e *edge) watch() {
	e.fields.read, e.fields.kept, e.fields.all = map[Role]map[string]at{}, map[Role]*keptRecords{}, map[Role]time.Time{}
	for _, s := range []*side{e.owner, e.replica} {
		fields := map[string]at{}
		var names []string
		for i := range e.comparison.Rules {
			if name := s.dataset.Fields[i]; !s.facts.Description.Types[name].Strict {
				fields[name] = at{i, &e.comparison.Rules[i]}
				names = append(names, name)
			}
		}
		e.fields.read[s.role] = fields
		e.fields.kept[s.role] = &keptRecords{kinds: map[string][]sources.Kind{}, names: names}
	}
}

// pageSeen is what the records behind one Part showed.
type pageSeen struct {
	seen    Seen
	records map[Role][]*sources.Record
}

// observe takes a side's records into what a page showed.
func (e *edge) observe(p *pageSeen, role Role, records []*sources.Record) {
	watched := e.fields.read[role]
	if len(watched) == 0 {
		return
	}
	fields := p.seen.Of(role)
	if fields == nil {
		fields = SeenFields{}
	}
	for _, r := range records {
		if r == nil || len(r.Fields) == 0 || r.Deleted || r.OutOfScope || r.Skipped != "" || r.Unreadable != "" {
			continue
		}
		for name, where := range watched {
			fields.take(name, r.Fields[where.i])
		}
		if p.records == nil {
			p.records = map[Role][]*sources.Record{}
		}
		if len(p.records[role]) < keptMost {
			p.records[role] = append(p.records[role], r)
		}
	}
	if role == OwnerSide {
		p.seen.Owner = fields
	} else {
		p.seen.Replica = fields
	}
}

// observePage takes a page whose records are decoded.
func (e *edge) observePage(p *pageSeen, role Role, page *sources.Page) {
	if len(e.fields.read[role]) == 0 || page.Records == nil {
		return
	}
	records := make([]*sources.Record, len(page.Records))
	for i := range page.Records {
		records[i] = &page.Records[i]
	}
	e.observe(p, role, records)
}

// observeGroups takes what both sides hold for some keys.
func (e *edge) observeGroups(p *pageSeen, g *groups) {
	for _, one := range g.groups {
		e.observe(p, OwnerSide, one.owners)
		e.observe(p, ReplicaSide, one.replicas)
	}
}

// familiar accepts what a page showed, unless a field of all its records is of
// another kind than it was, or gone. Records may differ from part to part of a
// dataset, so a page alone tells nothing: where it is not like what runs before
// saw, others from all over are looked at too; where it is not like what this run
// saw, those met first again, which have changed or have not.
func (e *edge) familiar(ctx context.Context, p *pageSeen) error {
	if p == nil || p.seen.Empty() {
		return nil
	}
	g := &e.fields
	g.mu.Lock()
	defer g.mu.Unlock()
	var changes []SchemaChange
	for _, s := range []*side{e.owner, e.replica} {
		again, elsewhere := false, false
		for name, is := range p.seen.Of(s.role) {
			elsewhere = elsewhere || e.turnedFrom(s, name, is, e.options.Seen.Of(s.role)[name], seenEnough) != nil
			again = again || e.turnedFrom(s, name, is, g.run.Of(s.role)[name], seenEnough) != nil
		}
		found, err := e.lookInDoubt(ctx, s, again, elsewhere)
		if err != nil {
			return err
		}
		changes = append(changes, found...)
	}
	if err := e.brokenBy(changes); err != nil {
		return err
	}
	g.run.Add(&p.seen)
	g.new.Add(&p.seen)
	for role, records := range p.records {
		e.keepRecords(role, records)
	}
	return nil
}

// brokenBy makes changes that were seen the guard's.
func (e *edge) brokenBy(changes []SchemaChange) error {
	err := broken(changes)
	if err == nil {
		return nil
	}
	e.guard.mu.Lock()
	defer e.guard.mu.Unlock()
	e.guard.keep(changes)
	e.guard.broken = err
	return err
}

// turnedFrom says what became of a field, by at least so many records; nil where
// it is as before.
func (e *edge) turnedFrom(s *side, name string, is, before SeenField, least int64) *SchemaChange {
	where, watched := e.fields.read[s.role][name]
	if !watched {
		return nil
	}
	change := &SchemaChange{Side: s.role, Dataset: s.title(), Field: name, Was: before.kind().String(), Breaks: true}
	ref := where.rule.Owner
	if s.role == ReplicaSide {
		ref = where.rule.Replica
	}
	switch {
	case is.vanished(before, least):
		change.Kind = FieldVanished
		return change
	case is.turned(before, ref.As, least) && !e.meetsOther(s, where, orAs(is.kind(), ref.As)):
		change.Kind, change.Is = FieldRetyped, is.kind().String()
		return change
	}
	return nil
}

// meetsOther says whether values of a kind can be equal to what the other side has:
// then the field came to be what it should have been.
func (e *edge) meetsOther(s *side, where at, kind sources.Kind) bool {
	other, ref := e.replica, where.rule.Replica
	if s.role == ReplicaSide {
		other, ref = e.owner, where.rule.Owner
	}
	theirs := other.facts.Description.Types[ref.Name].Kind
	if seen := e.fields.run.Of(other.role)[ref.Name]; seen.Values > 0 {
		theirs = seen.kind()
	}
	theirs = orAs(theirs, ref.As)
	return theirs != sources.KindAbsent && canEqual(kind, theirs)
}

// keepRecords keeps the first records of a side with all their kinds. The guard is held.
func (e *edge) keepRecords(role Role, records []*sources.Record) {
	kept := e.fields.kept[role]
	s := e.owner
	if role == ReplicaSide {
		s = e.replica
	}
	for _, r := range records {
		if len(kept.keys) >= keptMost {
			return
		}
		key, err := s.canonical(r)
		if err != nil || kept.kinds[key.Encode()] != nil {
			continue
		}
		own, _, err := sources.DecodeKey([]byte(key.Encode()), len(key)) // the record lies in the memory of its whole page
		if err != nil {
			continue
		}
		kept.keys = append(kept.keys, own)
		kept.kinds[key.Encode()] = e.kindsOf(role, kept.names, r)
	}
}

func (e *edge) kindsOf(role Role, names []string, r *sources.Record) []sources.Kind {
	kinds := make([]sources.Kind, len(names))
	for i, name := range names {
		kinds[i] = r.Fields[e.fields.read[role][name].i].Kind()
	}
	return kinds
}

// lookAgain reads the kept records of a side and says which fields are of another
// kind in a quarter of them or more, or gone: so many do not change by the way.
func (e *edge) lookAgain(ctx context.Context, s *side) (changes []SchemaChange, err error) {
	kept := e.fields.kept[s.role]
	found, turned, before := 0, SeenFields{}, SeenFields{}
	err = s.lookup(ctx, kept.keys, func(key string, r *sources.Record) {
		was := kept.kinds[key]
		if was == nil || len(r.Fields) == 0 {
			return
		}
		found++
		for i, name := range kept.names {
			v := r.Fields[e.fields.read[s.role][name].i]
			if was[i] > sources.KindNull && v.Kind() != was[i] && !v.IsNull() && !canEqual(v.Kind(), was[i]) {
				turned.take(name, v)
				before[name] = before[name].of(was[i])
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, name := range kept.names {
		n := turned[name].Records
		if n == 0 || 4*n < int64(found) {
			continue
		}
		if c := e.turnedFrom(s, name, turned[name], before[name], 1); c != nil {
			changes = append(changes, *c)
		}
	}
	return changes, nil
}

// stillFamiliar makes sure, before suspects that were read again are judged, that
// no field of theirs has become another one. Suspects are no fair part of all
// records: others are looked at.
func (e *edge) stillFamiliar(ctx context.Context, g *groups) error {
	p := &pageSeen{}
	e.observeGroups(p, g)
	if p.seen.Empty() {
		return nil
	}
	e.fields.mu.Lock()
	defer e.fields.mu.Unlock()
	var changes []SchemaChange
	for _, s := range []*side{e.owner, e.replica} {
		kept := e.fields.kept[s.role]
		before := e.fields.run.Of(s.role)
		if len(kept.keys) == 0 {
			before = e.options.Seen.Of(s.role)
		}
		if !odd(p.seen.Of(s.role), before) {
			continue
		}
		look := e.lookAgain
		if len(kept.keys) == 0 {
			look = e.lookAtOthers
		}
		found, err := look(ctx, s)
		if err != nil {
			return err
		}
		changes = append(changes, found...)
	}
	return e.brokenBy(changes)
}

// odd says whether any record lacks a field that all had, or has it of another kind.
func odd(is, before SeenFields) bool {
	for name, now := range is {
		was := before[name]
		if now.Records > now.Present && was.always() {
			return true
		}
		for kind := range now.Kinds {
			if was.Values >= seenEnough && kind != was.kind() {
				return true
			}
		}
	}
	return false
}
