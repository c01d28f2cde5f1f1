package mongodb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline/sources"
)

// Describe says what sampling tells of a dataset's types, and which indexes serve
// it. A field that no sampled document has is a warning: the store has no schema
// to which it could be missing.
func (s *source) Describe(ctx context.Context, d *sources.Dataset) (sources.Description, error) {
	known, err := s.prepared(d)
	if err != nil {
		return sources.Description{}, err
	}
	known.forget()
	p, f, err := s.ready(ctx, d)
	if err != nil {
		return sources.Description{}, err
	}
	var warnings []string
	found, err := s.sample(ctx, p, f)
	if sources.FailureOf(err) == sources.FailureTimeout {
		warnings = append(warnings, "sampling took longer than the statement timeout: no index serves the filter or the pipeline, and every kind is unknown")
		found, err = &sampled{}, nil
	}
	if err != nil {
		return sources.Description{}, err
	}
	desc := sources.Description{Types: map[string]sources.FieldType{}, ScanBy: []string{"_id"}, Warnings: warnings}
	for _, name := range p.names() {
		desc.Types[name] = found.fieldType(name)
	}
	if f.sorted {
		desc.ScanBy = slices.Concat(p.Key, p.ID)
		desc.Warnings = append(desc.Warnings, sortedWarning(p))
	} else if err := s.describeIndexes(ctx, p, f, &desc); err != nil {
		return sources.Description{}, err
	}
	desc.Warnings = append(desc.Warnings, found.warnings(p)...)
	desc.Warnings = append(desc.Warnings, nameWarnings(p)...)
	return desc, nil
}

func sortedWarning(p *dataset) string {
	what := "a view"
	if p.pipeline != nil {
		what = "a pipeline's output"
	}
	return fmt.Sprintf("%s has no index: for every page the server computes it anew and sorts it by %s",
		what, strings.Join(slices.Concat(p.Key, p.ID), ", "))
}

func (f *sampled) fieldType(name string) sources.FieldType {
	t := sources.FieldType{Nullable: true}
	kinds := f.kinds[name]
	switch kind, n := f.kind(name); {
	case n > 0:
		t.Kind, t.Declared = kind, fmt.Sprintf("%s (sampled %d)", kind, n)
	case len(kinds) > 1:
		var words []string
		for _, k := range slices.Sorted(maps.Keys(kinds)) {
			words = append(words, fmt.Sprintf("%s %d", k, kinds[k]))
		}
		t.Declared = "mixed (sampled: " + strings.Join(words, ", ") + ")"
	}
	return t
}

// warnings are about fields that no sampled document had, and keys of a kind that is hard to look up.
func (f *sampled) warnings(p *dataset) (all []string) {
	if f.records == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(f.names))
	seen := map[string]bool{}
	for _, name := range p.names() {
		if f.met[name] || seen[name] {
			continue
		}
		seen[name] = true
		warning := fmt.Sprintf("field %q is in none of the %d documents sampled", name, f.documents)
		if near := sources.Nearest(name, names); near != "" && near != name {
			warning += fmt.Sprintf(" (did you mean %q?)", near)
		}
		all = append(all, warning)
	}
	for _, name := range p.Key {
		if f.kinds[name][sources.KindDocument] > 0 {
			all = append(all, fmt.Sprintf("key %q holds documents: name their members as the key (%s.…), which also finds them in any order of members", name, name))
		}
	}
	return all
}

func nameWarnings(p *dataset) (all []string) {
	for _, name := range p.names() {
		if !plainPath(name) {
			all = append(all, fmt.Sprintf("field %q: the server takes no such name in a projection, so whole documents are read", name))
		}
	}
	return slices.Compact(all)
}

// describeIndexes says which indexes serve scans and lookups, and whether the
// order of a scan is one that other stores share.
func (s *source) describeIndexes(ctx context.Context, p *dataset, f *facts, desc *sources.Description) error {
	all, err := s.indexes(ctx, p.Name)
	if codeOf(err) == codeUnauthorized {
		desc.ScanIndex = "_id_"
		desc.Warnings = append(desc.Warnings, "the role may not list indexes, so whether one serves look-ups by key is unknown: grant listIndexes")
		return nil
	}
	if err != nil {
		return err
	}
	id, ok := onID(all)
	desc.ScanIndex = id.name
	desc.KeyIndex = byKey(all, p.Key, id.collation)
	desc.Unique = unique(all, p.Dataset)
	if !ok {
		desc.Warnings = append(desc.Warnings, "the collection has no index on _id: it cannot be scanned")
	}
	if desc.KeyIndex == "" {
		desc.Warnings = append(desc.Warnings, fmt.Sprintf("no index serves look-ups by key, so every one would read the whole collection: create an index on {%s: 1}",
			strings.Join(p.Key, ": 1, ")))
	}
	if id.collation != "" {
		desc.Warnings = append(desc.Warnings, fmt.Sprintf("the collection's default collation is %s: filter, where and deleted_when compare texts by it; keys and scope are compared byte by byte all the same", id.collation))
		for name, t := range desc.Types {
			if t.Kind == sources.KindText {
				t.Collation = id.collation
				desc.Types[name] = t
			}
		}
	}
	if slices.Equal(p.Key, []string{"_id"}) && len(p.ID) == 0 && p.Unwind == "" && exact(f, id) {
		desc.Order = sources.OrderExact
	}
	return nil
}

// exact says whether the index on _id has the order of its values that others have.
func exact(f *facts, id index) bool {
	switch f.kind {
	case sources.KindInt, sources.KindUUID, sources.KindObjectID, sources.KindTime:
		return true
	case sources.KindText:
		return id.collation == ""
	}
	return f.ids == 0
}
