package sourcetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"plumbline/sources"
)

func (s *suite) describe(t *testing.T, d *sources.Dataset) (sources.Description, error) {
	t.Helper()
	desc, err := s.source.(sources.Describer).Describe(t.Context(), d)
	return desc, s.note(err)
}

func (s *suite) testDescribe(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		d := f.dataset
		d.Scope = []sources.Condition{{Field: serial, Value: sources.Int(1)}}
		desc, err := s.describe(t, &d)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(append(append([]string{serial}, d.Key...), d.ID...), d.Fields...) {
			if _, ok := desc.Types[name]; !ok {
				t.Errorf("Types says nothing of %s", name)
			}
		}
		for i, c := range f.table.Key {
			column, got := f.table.Columns[f.table.Column(c)], desc.Types[d.Key[i]]
			if got.Kind != sources.KindAbsent && column.Kind != sources.KindAbsent && got.Kind != column.Kind {
				t.Errorf("%s is described as %s, not %s", c, got.Kind, column.Kind)
			}
			if !column.NotNull && !got.Nullable && got.Declared != "" {
				t.Errorf("%s is described as not nullable", c)
			}
		}
		if len(desc.ScanBy) == 0 && s.Cannot[CannotScan] == "" {
			t.Error("ScanBy is empty")
		}
		if desc.Unique != f.table.Unique && (desc.Unique || s.Cannot[CannotKnowUnique] == "") {
			t.Errorf("Unique is %v, the table's constraint %v", desc.Unique, f.table.Unique)
		}
		indexed := f.table.Indexed || f.table.Unique
		scanIndexed := indexed || !s.scansByKey(t, f)
		if s.Cannot[CannotIndex] != "" { // the index there is serves some keys, whatever the table asks for
			indexed = desc.KeyIndex != ""
		}
		if (desc.KeyIndex != "") != indexed || (desc.ScanIndex != "") != scanIndexed {
			t.Errorf("KeyIndex %q, ScanIndex %q; the table has an index: %v", desc.KeyIndex, desc.ScanIndex, indexed)
		}
		if !indexed && len(desc.Warnings) == 0 {
			t.Error("no warning says that no index serves the key")
		}
		s.noSecret(t, fmt.Sprintf("%+v", desc))
	})
}

func (s *suite) noSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range s.Secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows the secret %q", text, secret)
		}
	}
}

func (s *suite) testMissing(t *testing.T) {
	f, ok := s.shape(t, s.allShapes()[0])
	if !ok {
		t.Fatal("the store holds no ints as keys")
	}
	type missing struct {
		what   string
		d      sources.Dataset
		onRead bool
	}
	table := f.dataset
	if table.Name += "x"; s.Misnamed != nil {
		table = s.Misnamed(f.dataset)
	}
	var tests []missing
	if s.Cannot[CannotMissTables] == "" {
		tests = append(tests, missing{"table", table, s.Cannot[CannotMissOnRead] == ""})
	}
	if s.Cannot[CannotMissFields] == "" {
		field, key, scope := f.dataset, f.dataset, f.dataset
		field.Fields = []string{"nota", serial}
		key.Key = []string{f.dataset.Key[0] + "k"}
		scope.Scope = []sources.Condition{{Field: "nott", Value: sources.Int(1)}}
		tests = append(tests, missing{"field", field, true}, missing{"key", key, true}, missing{"scope", scope, true})
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			if s.Cannot[CannotDescribe] == "" {
				_, err := s.describe(t, &test.d)
				var nf *sources.NotFoundError
				if !errors.As(err, &nf) {
					t.Fatalf("describe: %v; it is no NotFoundError", err)
				}
				if sources.Nearest(nf.Name, nf.Candidates) == "" && s.Cannot[CannotNameNear] == "" {
					t.Errorf("none of the candidates %q is near to %q", nf.Candidates, nf.Name)
				}
				if sources.FailureOf(err) != sources.FailureFinal {
					t.Errorf("describe: %v; it is not final", err)
				}
			}
			if !test.onRead {
				t.Logf("conformance: %s cannot %s: %s", s.Adapter, CannotMissOnRead, s.Cannot[CannotMissOnRead])
				return
			}
			limit := sources.Limit{Records: 10, Bytes: plenty}
			_, err := s.lookup(t.Context(), &test.d, []sources.Key{{sources.Int(1)}}, nil, limit)
			if err == nil || sources.FailureOf(err) != sources.FailureFinal {
				t.Errorf("lookup: %v; it is no final error", err)
			}
			if s.Cannot[CannotScan] == "" {
				if _, err := s.scan(t.Context(), s.source, &test.d, sources.ScanRequest{Limit: limit}); err == nil || sources.FailureOf(err) != sources.FailureFinal {
					t.Errorf("scan: %v; it is no final error", err)
				}
			}
		})
	}
}

func (s *suite) testBadCondition(t *testing.T) {
	f, ok := s.shape(t, s.allShapes()[0])
	if !ok {
		t.Fatal("the store holds no ints as keys")
	}
	bad := s.Condition(Condition{Field: serial, Test: Broken})
	where, deleted := f.dataset, f.dataset
	where.Where, deleted.DeletedWhen = bad, bad
	for _, d := range []*sources.Dataset{&where, &deleted} {
		limit := sources.Limit{Records: 10, Bytes: plenty}
		if _, err := s.lookup(t.Context(), d, []sources.Key{f.rows[0].Key}, nil, limit); err == nil || sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("lookup with the condition %q: %v; it is no final error", bad, err)
		}
		if s.Cannot[CannotScan] == "" {
			if _, err := s.scan(t.Context(), s.source, d, sources.ScanRequest{Limit: limit}); err == nil || sources.FailureOf(err) != sources.FailureFinal {
				t.Errorf("scan with the condition %q: %v; it is no final error", bad, err)
			}
		}
	}
}

func (s *suite) testExtras(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		if counter, ok := s.source.(sources.Counter); ok {
			n, err := counter.Count(t.Context(), &f.dataset)
			if err != nil || n < 0 {
				t.Errorf("count: %d, %v", n, s.note(err))
			}
		}
		if explainer, ok := s.source.(sources.Explainer); ok {
			s.checkExplain(t, f, explainer)
		}
	})
	if prober, ok := s.source.(sources.Prober); ok {
		facts, err := prober.Probe(t.Context())
		if err != nil || facts.Product == "" || facts.Version == "" {
			t.Errorf("probe: %+v, %v", facts, s.note(err))
		}
		s.noSecret(t, fmt.Sprintf("%+v", facts))
		t.Logf("conformance: %s is %s %s", s.Adapter, facts.Product, facts.Version)
	}
}

func (s *suite) checkExplain(t *testing.T, f *fixture, explainer sources.Explainer) {
	t.Helper()
	statements, err := explainer.Explain(t.Context(), &f.dataset)
	if err != nil {
		t.Errorf("explain: %v", s.note(err))
		return
	}
	purposes := map[string]bool{}
	for _, st := range statements {
		purposes[st.Purpose] = true
		if st.Text == "" {
			t.Errorf("the statement for %s has no text", st.Purpose)
		}
		if st.Purpose == "scan" && f.table.Unique && st.Sorts {
			t.Errorf("a scan over a unique index sorts: %s\n%s", st.Text, st.Plan)
		}
		s.noSecret(t, fmt.Sprintf("%+v", st))
	}
	if !purposes["lookup"] || !purposes["scan"] && s.Cannot[CannotScan] == "" {
		t.Errorf("explain tells the purposes %v", purposes)
	}
}
