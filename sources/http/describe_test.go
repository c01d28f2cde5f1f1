package http_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// shelf serves one page of records, and no single one.
func shelf(t *testing.T, body string) sources.Source {
	t.Helper()
	host := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/members" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		say(w, body)
	}))
	return open(t, sources.Options{Name: "loyalty", URL: sources.Secret("http://" + host)})
}

func TestTheFirstPageShowsTheKinds(t *testing.T) {
	t.Parallel()
	s := shelf(t, `[{"id":1,"n":1,"x":"a","when":null,"odd":1},{"id":2,"n":2.5,"x":null,"when":"2024-01-01","odd":"b"}]`)
	d := &sources.Dataset{Endpoint: &sources.Endpoint{List: &sources.Listing{Path: "/members"}}, Key: []string{"id"}, Fields: []string{"n", "x", "when", "odd", "levle", "a.b"}}
	desc, err := s.(sources.Describer).Describe(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]sources.Kind{"id": sources.KindInt, "n": sources.KindDecimal, "x": sources.KindText, "when": sources.KindText,
		"odd": sources.KindAbsent, "levle": sources.KindAbsent, "a.b": sources.KindAbsent} {
		if got := desc.Types[name]; got.Kind != want || got.Strict || got.Nullable != (name != "id") {
			t.Errorf("%s is %+v, want %s", name, got, want)
		}
	}
	warned := strings.Join(desc.Warnings, "\n")
	for _, want := range []string{"no record on the first page of /members has levle", "has a.b", "neither get nor batch"} {
		if !strings.Contains(warned, want) {
			t.Errorf("no warning says %q: %s", want, warned)
		}
	}
	var missing *sources.NotFoundError
	if _, err := s.(sources.Describer).Describe(t.Context(), &sources.Dataset{Endpoint: d.Endpoint, Key: []string{"idx"}}); !errors.As(err, &missing) || !strings.Contains(err.Error(), `"id"`) {
		t.Errorf("a key that no record has: %v", err)
	}
}

// A get that finds not even what the list has is found out before anything is compared.
func TestAWrongPathIsFoundOutAtOnce(t *testing.T) {
	t.Parallel()
	s := shelf(t, `[{"id":1}]`)
	d := members(&sources.Endpoint{List: &sources.Listing{Path: "/members"}, Get: &sources.Getting{Path: "/member/{id}"}})
	if _, err := s.(sources.Describer).Describe(t.Context(), d); err == nil || !strings.Contains(err.Error(), "is the path right?") {
		t.Error(err)
	}
}

// Without a list extras cannot be found, and the plan says so.
func TestWithoutAListAPlanIsBlindToExtras(t *testing.T) {
	t.Parallel()
	s := shelf(t, `[]`)
	d := members(&sources.Endpoint{Get: &sources.Getting{Path: "/members/{id}"}})
	desc, err := s.(sources.Describer).Describe(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	check := &checks.Check{Owner: checks.Side{Dataset: sources.Dataset{Name: "customers", Key: []string{"id"}}}, Edges: []checks.Edge{{Replica: checks.Side{Dataset: *d}}}}
	able := sources.NewReader("loyalty", s, sources.Limits{}, nil).Capabilities()
	owner := checks.SideFacts{Capabilities: sources.Capabilities{Scan: true, Describe: true}}
	plan, err := checks.NewPlan(checks.Compile(check, 0, time.Now()), owner, checks.SideFacts{Capabilities: able, Description: desc})
	if err != nil || len(plan.Passes) != 1 || len(plan.Blind) != 1 || !strings.Contains(plan.Blind[0], "extra records") {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := scan(t.Context(), s, d); err == nil || sources.FailureOf(err) != sources.FailureFinal {
		t.Errorf("scan: %v", err)
	}
}

func TestDatasetsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	s := shelf(t, `[]`)
	for want, d := range map[string]*sources.Dataset{
		"list, get or batch":     {Key: []string{"id"}},
		"declare the key":        {Endpoint: &sources.Endpoint{List: &sources.Listing{Path: "/x"}}},
		"no query":               {Query: "SELECT 1", Key: []string{"id"}},
		"is no field of the key": {Endpoint: &sources.Endpoint{Get: &sources.Getting{Path: "/x/{nr}"}}, Key: []string{"a"}},
		"stands neither":         {Endpoint: &sources.Endpoint{Get: &sources.Getting{Path: "/x/{a}"}}, Key: []string{"a", "b"}},
		"several fields":         {Endpoint: &sources.Endpoint{Batch: &sources.Batching{Path: "/x", Query: map[string]string{"ids": "{ids}"}}}, Key: []string{"a", "b"}},
		"where the keys go":      {Endpoint: &sources.Endpoint{Batch: &sources.Batching{Path: "/x"}}, Key: []string{"a"}},
		"no path into":           {Endpoint: &sources.Endpoint{List: &sources.Listing{Path: "/x", Items: "$.data[*]"}}, Key: []string{"a"}},
		"where: condition":       {Endpoint: &sources.Endpoint{List: &sources.Listing{Path: "/x"}}, Key: []string{"a"}, Where: "a =="},
	} {
		_, err := s.(sources.Explainer).Explain(t.Context(), d)
		if err == nil || !strings.Contains(err.Error(), want) || sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("%q: %v", want, err)
		}
	}
}
