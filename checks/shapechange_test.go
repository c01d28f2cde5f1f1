package checks

import (
	"strings"
	"testing"

	"plumbline/sources"
)

// shapeOf writes a shape as "name type, name type; constraint, constraint; identity".
func shapeOf(text string, kinds map[string]sources.Kind) *Shape {
	s := &Shape{Known: true, Kinds: kinds}
	parts := strings.Split(text, "; ")
	for _, f := range strings.Split(parts[0], ", ") {
		name, declared, _ := strings.Cut(f, " ")
		nullable := strings.HasSuffix(declared, "?")
		s.Schema.Fields = append(s.Schema.Fields, sources.SchemaField{Name: name, Declared: strings.TrimSuffix(declared, "?"), Nullable: nullable})
	}
	if len(parts) > 1 && parts[1] != "" {
		s.Schema.Constraints = strings.Split(parts[1], ", ")
	}
	if len(parts) > 2 {
		s.Schema.Identity = parts[2]
	}
	return s
}

func shapeComparison(rule Rule) *Comparison {
	rule.Precision = -1
	check := &Check{Owner: Side{Dataset: sources.Dataset{Name: "o", Key: []string{"id"}}},
		Edges: []Edge{{Replica: Side{Dataset: sources.Dataset{Name: "r", Key: []string{"id"}}}, Rules: []Rule{rule}}}}
	return &Comparison{Check: check, Edge: &check.Edges[0], Rules: check.Edges[0].Rules,
		Owner:   sources.Dataset{Name: "o", Key: []string{"id"}, Fields: []string{rule.Owner.Name}},
		Replica: sources.Dataset{Name: "r", Key: []string{"id"}, Fields: []string{rule.Replica.Name}}}
}

func told(changes []SchemaChange) (words []string) {
	for _, c := range changes {
		sign := ""
		if c.Breaks {
			sign = "! "
		}
		words = append(words, sign+c.Words())
	}
	return words
}

func sameWords(t *testing.T, what string, got []SchemaChange, want ...string) {
	t.Helper()
	if strings.Join(told(got), "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got %q\nwant %q", what, told(got), want)
	}
}

func TestChangesWithinARun(t *testing.T) {
	t.Parallel()
	c := shapeComparison(Rule{Owner: FieldRef{Name: "price"}, Replica: FieldRef{Name: "price"}})
	for _, x := range []struct{ was, is, want string }{
		{"id bigint, price numeric; PK; 1", "id bigint, price numeric; PK; 1", ""},
		{"id bigint, price numeric", "id bigint", "! price was dropped from s.o"},
		{"id bigint, price numeric", "id bigint, cost numeric", "cost is new in s.o\n! price is gone from s.o, where cost is new: it may have been renamed"},
		{"id bigint, price numeric", "id bigint, price text", "! price is now text in s.o, was numeric"},
		{"id bigint, price numeric", "id bigint, price numeric?", "price may be null in s.o"},
		{"id bigint, price varchar(10)", "id bigint, price varchar(20)", "price is now varchar(20) in s.o, was varchar(10)"},
		{"id bigint, price varchar(10)", "id bigint, price text", "price is now text in s.o, was varchar(10)"},
		{"id integer, price text", "id bigint, price text", "! id is now bigint in s.o, was integer"},
		{"id bigint, note text, price text", "id bigint, note integer, price text", "note is now integer in s.o, was text"},
		{"id bigint, note text, price text", "id bigint, price text", "note was dropped from s.o"},
		{"id bigint, price text; PK; 1", "id bigint, price text; PK, INDEX x; 2", "INDEX x is new in s.o"},
		{"id bigint, price text; PRIMARY KEY: id; 1", "id bigint, price text; ; 1", "! PRIMARY KEY: id is gone from s.o"},
		{"id bigint, price text; INDEX by_id ON o; 1", "id bigint, price text; ; 1", "! INDEX by_id ON o is gone from s.o"},
		{"id bigint, price text; INDEX by_price ON o; 1", "id bigint, price text; ; 1", "INDEX by_price ON o is gone from s.o"},
		{"id bigint, price text; PK; 1", "id bigint, price text; PK; 2", "! s.o was emptied, written anew or replaced by another"},
		{"id bigint, price text; PK; 1", "id bigint; PK; 2", "! price was dropped from s.o"},
	} {
		var want []string
		if x.want != "" {
			want = strings.Split(x.want, "\n")
		}
		was := shapeOf(x.was, nil)
		was.Indexes = []string{"by_id"}
		sameWords(t, x.was+" -> "+x.is, c.changesWithin(OwnerSide, "s.o", was, &shapeOf(x.is, nil).Schema), want...)
	}
}

func TestChangesBetweenRunsBreakOnlyWhatCannotBeCompared(t *testing.T) {
	t.Parallel()
	kinds := func(price sources.Kind) map[string]sources.Kind {
		return map[string]sources.Kind{"id": sources.KindInt, "price": price}
	}
	type names struct{ owner, replica FieldRef }
	plain := names{FieldRef{Name: "price"}, FieldRef{Name: "price"}}
	for _, x := range []struct {
		what           string
		names          names
		was, is, other sources.Kind
		breaks         bool
	}{
		{"the other side still has numbers", plain, sources.KindDecimal, sources.KindText, sources.KindDecimal, true},
		{"the other side has texts too", plain, sources.KindDecimal, sources.KindText, sources.KindText, false},
		{"numbers of another kind", plain, sources.KindDecimal, sources.KindInt, sources.KindDecimal, false},
		{"a uuid and its text", plain, sources.KindUUID, sources.KindText, sources.KindUUID, false},
		{"the other side declares nothing", plain, sources.KindDecimal, sources.KindText, sources.KindAbsent, false},
		{"the rule reads it as the other's", names{FieldRef{Name: "price", As: sources.KindDecimal}, FieldRef{Name: "price"}},
			sources.KindDecimal, sources.KindText, sources.KindDecimal, false},
		{"it cannot be read as the rule says", names{FieldRef{Name: "price", As: sources.KindDecimal}, FieldRef{Name: "price"}},
			sources.KindText, sources.KindUUID, sources.KindDecimal, true},
	} {
		c := shapeComparison(Rule{Owner: x.names.owner, Replica: x.names.replica})
		changes := c.changesBetween(OwnerSide, "s.o", shapeOf("id bigint, price a", kinds(x.was)), shapeOf("id bigint, price b; PK; 2", kinds(x.is)), kinds(x.other))
		if len(changes) != 2 || changes[0].Kind != FieldRetyped || changes[0].Breaks != x.breaks || changes[1].Breaks {
			t.Errorf("%s: %q", x.what, told(changes))
		}
	}
	c := shapeComparison(Rule{Owner: plain.owner, Replica: plain.replica})
	sameWords(t, "replaced between runs", c.changesBetween(OwnerSide, "s.o", shapeOf("id bigint, price a; PK; 1", nil), shapeOf("id bigint, price a; PK; 2", nil), nil))
}

func TestADottedFieldIsThatOfItsColumn(t *testing.T) {
	t.Parallel()
	c := shapeComparison(Rule{Owner: FieldRef{Name: "address.city"}, Replica: FieldRef{Name: "city"}})
	sameWords(t, "its column is gone", c.changesWithin(OwnerSide, "s.o", shapeOf("id bigint, address jsonb", nil), &shapeOf("id bigint", nil).Schema),
		"! address was dropped from s.o")
}
