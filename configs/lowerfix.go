package configs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/checks"
	"plumbline/reconciler"
	"plumbline/sources"
)

// fix lowers how an edge's differences may be put right. The check and the edge
// are lowered by then, and so are sources.
func (l *lowering) fix(check *checks.Check, edge *checks.Edge, s, replica *setting) {
	fix := l.fixOf(s, replica)
	if fix == nil {
		return
	}
	p := l.policy(check, edge, fix)
	if p.Mode == reconciler.ModeOff {
		return
	}
	if l.policies[check.Name] == nil {
		l.policies[check.Name] = map[string]reconciler.Policy{}
	}
	l.policies[check.Name][edge.Name] = p
}

// fixOf is the fix of a replica: what it does not say, its check says, and then
// defaults, key by key. nil where none says anything.
func (l *lowering) fixOf(check, replica *setting) *setting {
	levels := []*setting{replica.under["fix"], check.under["fix"]}
	if check.fallback != nil {
		levels = append(levels, check.fallback.under["fix"])
	}
	levels = slices.DeleteFunc(levels, func(s *setting) bool { return s == nil || s.under == nil })
	if len(levels) == 0 {
		return nil
	}
	whole := &setting{position: levels[0].position, path: levels[0].path, key: levels[0].key, record: fix(), under: map[string]*setting{}}
	for n, level := range levels {
		whole.bad = whole.bad || level.bad
		for _, name := range level.names {
			if whole.under[name] == nil {
				whole.under[name] = level.under[name]
			}
		}
		if request := level.under["request"]; request != nil && byOf(levels[n:]) == reconciler.Write && !request.bad {
			l.problems = append(l.problems, request.key.problem(request.path, "belongs to by: request: add that, or remove request"))
			whole.bad = true
		}
	}
	return whole
}

// byOf is the route that settings say, the first that says one.
func byOf(levels []*setting) reconciler.Route {
	for _, s := range levels {
		if s.under["by"] != nil {
			return reconciler.Route(valueOf[string](s, "by"))
		}
	}
	return reconciler.Write
}

func (l *lowering) policy(check *checks.Check, edge *checks.Edge, s *setting) reconciler.Policy {
	p := reconciler.Policy{
		Mode: reconciler.Mode(valueOf[string](s, "mode")), By: reconciler.Route(valueOf[string](s, "by")),
		MaxRecords: valueOf[int](s, "max_records"), Approvals: valueOf[int](s, "approvals"),
	}
	if share := valueOf[*apd.Decimal](s, "max_share"); share != nil {
		p.MaxShare, _ = share.Float64() // at most 100, and never out of range
	}
	if p.Allow = words[reconciler.Allow](s.get("allow")); p.Allow == nil {
		p.Allow = []reconciler.Allow{reconciler.Allow(sources.Update)}
	}
	if s.bad {
		return p
	}
	switch p.By {
	case reconciler.Request:
		p.Request = l.template(check, edge, s)
	case reconciler.Write:
		l.fitsWriting(edge, &p, s)
	}
	if p.Mode != reconciler.ModeOff && masked(check, edge) && !l.dataKey {
		l.report(at(s, "mode"), "check %s masks values, and a fix keeps what records held: set access.data_key, which encrypts it, or write mode: off", check.Name)
	}
	return p
}

// fitsWriting refuses what writing to a replica's store cannot do.
func (l *lowering) fitsWriting(edge *checks.Edge, p *reconciler.Policy, s *setting) {
	if allow := s.get("allow"); p.AllowsChange(sources.Insert) && allow != nil {
		for _, item := range allow.items {
			if item.value == string(sources.Insert) {
				l.report(item, "only a service knows how a whole record is made: remove insert, or let fixes ask it (by: request)")
				break
			}
		}
	}
	if p.Mode == reconciler.ModeOff {
		return
	}
	dataset, source := &edge.Replica.Dataset, l.sources[edge.Replica.Source]
	const instead = "or let fixes ask its service (by: request)"
	switch {
	case dataset.Query != "":
		l.report(at(s, "mode"), "replica %s is a query, into which nothing can be written: compare a table, %s", edge.Name, instead)
	case dataset.Pipeline != "":
		l.report(at(s, "mode"), "replica %s is a pipeline, into which nothing can be written: compare a collection, %s", edge.Name, instead)
	case source.Name != "" && source.FixURL == "" && !l.doubtful[source.Name]:
		l.report(at(s, "mode"), "writing to replica %s needs credentials that may write: add fix_url to source %s, %s", edge.Name, source.Name, instead)
	}
}

// template lowers a request, and has it hold only places that the edge can fill.
func (l *lowering) template(check *checks.Check, edge *checks.Edge, s *setting) *reconciler.RequestTemplate {
	request := s.get("request")
	if request == nil {
		l.report(at(s, "by"), "%q is missing: say what the service is asked, with a url", "request")
		return nil
	}
	if request.bad || request.under == nil {
		return nil
	}
	t := &reconciler.RequestTemplate{Method: valueOf[string](request, "method"), URL: valueOf[string](request, "url"), Body: valueOf[string](request, "body"),
		Accepted: []int{200, 201, 202, 204}, Timeout: valueOf[time.Duration](request, "timeout"), Tries: valueOf[int](request, "tries"),
		Headers: map[string]sources.Secret{}}
	if accepted := request.get("accepted"); accepted != nil {
		t.Accepted = valuesOf[int](accepted)
	}
	if headers := request.get("headers"); headers != nil {
		for _, name := range headers.names {
			t.Headers[name], _ = headers.under[name].value.(sources.Secret)
		}
	}
	switch err := t.Check(check, edge); {
	case err == nil:
	case expanded(request, "url") || expanded(request, "body"):
		l.report(request, "is no request of this check with what ${…} stands for: write url and body out to see why")
	default:
		l.report(request, "%v", err)
	}
	if inClear(t.URL) {
		l.note(request.get("url"), "is http: what is asked can be read on its way")
	}
	return t
}

// expanded says whether ${…} stands in a key's value.
func expanded(s *setting, name string) bool {
	own := s.get(name)
	return own != nil && own.raw.expanded
}

// at is where a key is written, or where its record is.
func at(s *setting, name string) *setting {
	if own := s.get(name); own != nil {
		return own
	}
	return s
}

// words are what a list of words holds; nil where it is not written.
func words[T ~string](s *setting) (list []T) {
	if s == nil {
		return nil
	}
	for _, word := range valuesOf[string](s) {
		list = append(list, T(word))
	}
	return list
}

// masked says whether anything that a fix of an edge keeps is masked.
func masked(check *checks.Check, edge *checks.Edge) bool {
	hides := func(m checks.Mask) bool { return m != checks.MaskNone }
	return slices.ContainsFunc(check.Owner.Masks, hides) || slices.ContainsFunc(edge.Replica.Masks, hides) ||
		slices.ContainsFunc(edge.Rules, func(r checks.Rule) bool { return hides(r.Mask) })
}

// headerName refuses what is no header, and those that are set here.
func headerName(s string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	switch {
	case s == "" || !only(s, letters):
		return fmt.Errorf("is refused: write it with letters, digits and hyphens")
	case slices.Contains([]string{"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "accept-encoding", "idempotency-key"}, strings.ToLower(s)):
		return fmt.Errorf("is refused: it is set by Plumbline")
	}
	return nil
}
