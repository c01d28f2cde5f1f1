package http

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// Describe says what an API lets us know: which ways of reading are declared, and
// of what kind the values on the list's first page are. It reads that page and,
// where keys can be asked for, one record that is on it.
func (s *source) Describe(ctx context.Context, d *sources.Dataset) (sources.Description, error) {
	p, err := s.ready(d)
	if err != nil {
		return sources.Description{}, err
	}
	desc := sources.Description{Types: map[string]sources.FieldType{}, ScanBy: []string{"page"}, NoScan: p.list == nil, Unique: p.get != nil && p.Unwind == ""}
	for _, name := range p.names() {
		desc.Types[name] = sources.FieldType{Nullable: p.nullable(name)}
	}
	switch {
	case p.batch != nil:
		desc.KeyIndex = "batch"
	case p.get != nil:
		desc.KeyIndex = "get"
	default:
		desc.Warnings = append(desc.Warnings, fmt.Sprintf("the API offers neither get nor batch: a look-up reads the whole list, which may be %s old", youngSnapshot))
	}
	if p.list == nil {
		desc.ScanBy = nil
		desc.Warnings = append(desc.Warnings, "the API offers no list to compare with: a wrong path may look like missing records")
		return desc, nil
	}
	desc.ScanIndex = "list"
	return desc, s.observe(ctx, p, &desc)
}

// names are all names the dataset declares.
func (p *dataset) names() []string {
	names := slices.Concat(p.Key, p.ID, p.Fields)
	for _, c := range p.Scope {
		names = append(names, c.Field)
	}
	return names
}

// observe learns from the first page, which shows what is wrong with the declared paths too.
func (s *source) observe(ctx context.Context, p *dataset, desc *sources.Description) error {
	whole := *p.Dataset
	whole.Where, whole.DeletedWhen, whole.Scope = "", "", nil
	whole.Fields = p.names()
	shape, err := jsonrecord.New(&whole)
	if err != nil {
		return err
	}
	at, err := s.listAddress(p.list, "")
	if err != nil {
		return err
	}
	got, err := s.get(ctx, p.list.what, at)
	if err != nil {
		return gone(err, p.list.Path)
	}
	raw, err := find(got.body, p.list.items)
	if err != nil {
		return fmt.Errorf("%s: %w", p.list.what, err)
	}
	items, err := itemsOf(raw, p.list.what, p.list.items)
	if err != nil {
		return err
	}
	kinds, records := map[string]sources.Kind{}, 0
	for i, item := range items {
		read, err := shape.Records(item)
		if err != nil {
			return fmt.Errorf("%s: %s[%d]: %w", p.list.what, spelled(p.list.items), i, err)
		}
		for _, r := range read {
			if r.Skipped != "" || r.Unreadable != "" {
				continue
			}
			records++
			for j, v := range r.Fields {
				if before, seen := kinds[whole.Fields[j]]; !v.IsAbsent() {
					kinds[whole.Fields[j]] = widened(before, seen, v)
				}
			}
		}
	}
	if records == 0 {
		return nil
	}
	p.mu.Lock()
	p.filled = time.Now()
	p.mu.Unlock()
	for _, name := range whole.Fields {
		kind, seen := kinds[name]
		switch {
		case seen && kind > sources.KindNull:
			desc.Types[name] = sources.FieldType{Kind: kind, Nullable: p.nullable(name)}
		case !seen && slices.Contains(p.Key, name):
			return sources.Final(&sources.NotFoundError{What: "field", Name: name, In: p.list.Path, Candidates: membersOf(items[0])})
		case !seen:
			desc.Warnings = append(desc.Warnings, fmt.Sprintf("no record on the first page of %s has %s%s", p.list.Path, name, meant(name, membersOf(items[0]))))
		}
	}
	sort.Strings(desc.Warnings)
	desc.Warnings = slices.Compact(desc.Warnings)
	if p.get == nil && p.batch == nil {
		return nil
	}
	return s.believe(ctx, p, []*found{{absent: []asked{{}}}})
}

// widened is the kind that all values of a field have, one more taken in;
// KindAbsent where they have several. Ints and decimals are numbers alike, and
// null is of every kind.
func widened(before sources.Kind, seen bool, v sources.Value) sources.Kind {
	now := v.Kind()
	switch {
	case !seen || before == now || before == sources.KindNull:
		return now
	case v.IsNull():
		return before
	case before.Number() && now.Number():
		return sources.KindDecimal
	}
	return sources.KindAbsent
}

// membersOf are the names in a document.
func membersOf(item []byte) (names []string) {
	if err := jsonrecord.Members(item, func(name string, _ []byte) error {
		names = append(names, name)
		return nil
	}); err != nil {
		return nil
	}
	return names
}

func meant(name string, candidates []string) string {
	if near := sources.Nearest(name, candidates); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// Explain shows the requests of a run, without what the url and the headers add.
func (s *source) Explain(_ context.Context, d *sources.Dataset) ([]sources.Statement, error) {
	p, err := s.ready(d)
	if err != nil {
		return nil, err
	}
	var out []sources.Statement
	if p.list != nil {
		query := map[string]string{}
		for name, value := range p.list.Query {
			query[name] = value
		}
		if p.list.PageSize > 0 {
			query["page_size"] = "{page_size}"
		}
		out = append(out, sources.Statement{Purpose: "scan", Text: p.list.what + queryWords(query), Plan: "page by page, in the service's own order", Index: "list"})
	}
	switch {
	case p.batch != nil:
		out = append(out, sources.Statement{Purpose: "lookup", Text: p.batch.what + queryWords(p.batch.Query), Plan: fmt.Sprintf("%d keys at once", p.batch.size), Index: "batch"})
	case p.get != nil:
		out = append(out, sources.Statement{Purpose: "lookup", Text: p.get.what + queryWords(p.get.Query), Plan: fmt.Sprintf("key by key, %d at a time", cap(s.slots)), Index: "get"})
	default:
		out = append(out, sources.Statement{Purpose: "lookup", Text: p.list.what, Plan: "the whole list for each look-up"})
	}
	return out, nil
}

func queryWords(query map[string]string) string {
	if len(query) == 0 {
		return ""
	}
	var words []string
	for name, value := range query {
		if !strings.Contains(value, "{") {
			value = "…" // it may be a secret
		}
		words = append(words, name+"="+value)
	}
	sort.Strings(words)
	return "?" + strings.Join(words, "&")
}

// nullable says whether a field may be null: an item without a key is no record,
// and its answer an error, unless items are elements of an unwound array.
func (p *dataset) nullable(name string) bool { return p.Unwind != "" || !slices.Contains(p.Key, name) }

// Probe asks for the url itself: whatever answers is there, though an API may well
// have nothing at that place.
func (s *source) Probe(ctx context.Context) (sources.Facts, error) {
	facts := sources.Facts{Product: "JSON API", Notes: []string{"only GET is ever sent; whether the credentials may do more is not known"}}
	what := "GET " + (&url.URL{Path: cmp.Or(s.base.Path, "/")}).EscapedPath()
	leave, err := s.enter(ctx)
	if err != nil {
		return facts, err
	}
	defer leave()
	at := *s.base
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return facts, sources.Final(fmt.Errorf("probe: the address cannot be made"))
	}
	request.Header = s.headers.Clone()
	response, err := s.client.Do(request)
	if err != nil {
		return facts, s.unreached(ctx, ctx, what, err)
	}
	defer drain(response.Body)
	facts.Version = "over " + response.Proto
	if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
		facts.Notes = append(facts.Notes, fmt.Sprintf("the url itself answers %d: check the source's headers, unless the API has nothing there", response.StatusCode))
	}
	if response.StatusCode >= 500 {
		return facts, refusal(what, response)
	}
	return facts, nil
}
