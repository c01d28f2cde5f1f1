package checks

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// TestWhatAReplicaIsToHold says, in the words of the table of rules, what a
// replica's field becomes: owner | replica | rule | declared | what it becomes, or "none".
func TestWhatAReplicaIsToHold(t *testing.T) {
	t.Parallel()
	for _, row := range []string{
		`int 12 | int 13 | exact | | int 12`,
		`decimal 12.50 | int 13 | exact | | decimal 12.50`,
		`decimal 12.00 | int 13 | exact | | int 12`,
		`decimal 12.50 | float 13 | exact | | float 12.5`,
		`decimal 12.50 | text "13" | exact | decimal | decimal 12.50`,
		`decimal 12.50 | int 13 | exact | int | none`,
		`text "a" | text "b" | exact | text | text "a"`,
		`text "a" | null | exact | text | text "a"`,
		`null | text "b" | exact | text | null`,
		`null | text "b" | exact | text not null | none`,
		`null | text "b" | null_equals "" | text not null | text ""`,
		`text "" | int 5 | null_equals "" | int | null`,
		`absent | int 5 | exact | | absent`,
		`text "12" | int 5 | as owner int | int | int 12`,
		`int 12 | text "5" | as replica int | text | text "12"`,
		`uuid 6ba7b810-9dad-11d1-80b4-00c04fd430c8 | text "x" | exact | text | text "6ba7b810-9dad-11d1-80b4-00c04fd430c8"`,
		`text "6BA7B810-9dad-11d1-80b4-00c04fd430c8" | null | exact | uuid | uuid 6ba7b810-9dad-11d1-80b4-00c04fd430c8`,
		`text "Ann " | text "Bob" | fold case | text | text "Ann "`,
		`bool true | int 0 | as replica bool | int | int 1`,
		`time 2026-01-01T10:00:00.123456Z | time 2026-01-01T09:00:00.123Z | exact | | time 2026-01-01T10:00:00.123456Z`,
	} {
		cells := strings.Split(row, "|")
		owner, err := parseValue(strings.TrimSpace(cells[0]))
		if err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		replica, err := parseValue(strings.TrimSpace(cells[1]))
		if err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		rule, err := parseRule(strings.Fields(cells[2]))
		if err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		declared := sources.FieldType{}
		if word, notNull := strings.CutSuffix(strings.TrimSpace(cells[3]), " not null"); word != "" {
			kind, _ := sources.KindByName(word)
			declared = sources.FieldType{Declared: word, Kind: kind, Strict: true, Nullable: !notNull}
		}
		got, err := rule.wanted(owner, replica, declared)
		want := strings.TrimSpace(cells[4])
		if want == "none" {
			if err == nil {
				t.Errorf("%s: became %s %v", row, got.Kind(), got)
			}
			continue
		}
		value, perr := parseValue(want)
		if perr != nil {
			t.Fatalf("%s: %v", row, perr)
		}
		if err != nil || !got.Equal(value) {
			t.Errorf("%s: became %s %v, %v", row, got.Kind(), got, err)
		}
	}
}

func TestATimeWithoutAZoneIsWrittenAsItsClocksShowIt(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	rule := &Rule{Precision: -1, Replica: FieldRef{Zone: berlin}}
	naive := sources.FieldType{Declared: "timestamp", Kind: sources.KindTime, Strict: true, Naive: true, Nullable: true}
	owner := sources.Time(time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC), 6)
	got, err := rule.wanted(owner, sources.Null(), naive)
	if err != nil || !got.Equal(sources.NaiveTime(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), 6)) {
		t.Fatalf("became %v, %v", got, err)
	}
	// A text stays as whoever keeps it writes it.
	rule.Replica.As = sources.KindTime
	got, err = rule.wanted(owner, sources.Text("2026-06-30 09:15:00"), sources.FieldType{Declared: "TEXT"})
	if err != nil || got.AsText() != "2026-07-01 12:00:00" {
		t.Fatalf("became %v, %v", got, err)
	}
	rule.Replica.As = sources.KindAbsent
	// Of a clock reading that a change of the clocks repeats, one is the other hour.
	first, second := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)
	_, ferr := rule.wanted(sources.Time(first, 6), sources.Null(), naive)
	_, serr := rule.wanted(sources.Time(second, 6), sources.Null(), naive)
	if (ferr == nil) == (serr == nil) {
		t.Fatalf("both hours of one reading have a form, or neither: %v, %v", ferr, serr)
	}
}

// TestARemedyLeadsToAgreement: whatever the rules and values, what Remedy sets
// makes the records agree, or it says that it cannot.
func TestARemedyLeadsToAgreement(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 11))
	remedied, refused := 0, 0
	for range 4_000 {
		c := randomComparison(r)
		owner := &sources.Record{Key: sources.Key{sources.Int(1)}, Fields: randomFields(r, len(c.Owner.Fields))}
		replica := &sources.Record{Key: sources.Key{sources.Int(1)}, Fields: randomFields(r, len(c.Replica.Fields))}
		types := map[string]sources.FieldType{}
		for _, name := range c.Replica.Fields {
			if r.IntN(2) == 0 {
				kind := randomValue(r).Kind()
				types[name] = sources.FieldType{Declared: "x", Kind: kind, Strict: r.IntN(2) == 0 && kind > sources.KindNull, Nullable: r.IntN(2) == 0}
			}
		}
		remedy, err := c.Remedy(owner, replica, types)
		switch {
		case err != nil && !errors.Is(err, ErrNoRemedy):
			t.Fatal(err)
		case err != nil:
			refused++
			continue
		case remedy.Kind == "":
			if c.Agree(owner, replica) != "" {
				t.Fatalf("nothing to be done about %v and %v, which do not agree", owner, replica)
			}
			continue
		}
		after := *replica
		after.Fields = append([]sources.Value(nil), replica.Fields...)
		for _, a := range remedy.Set {
			for i, name := range c.Replica.Fields {
				if name == a.Field {
					after.Fields[i] = a.Value
				}
			}
		}
		if differ := c.Agree(owner, &after); differ != "" {
			t.Fatalf("after the remedy %v: %s differs\nowner %v\nreplica %v\nrules %+v", remedy.Set, differ, owner.Fields, after.Fields, c.Rules)
		}
		remedied++
	}
	if remedied < 1000 || refused < 100 {
		t.Fatalf("only %d remedied and %d refused", remedied, refused)
	}
}

func randomComparison(r *rand.Rand) *Comparison {
	check := &Check{Name: "c", Owner: Side{Dataset: sources.Dataset{Name: "o", Key: []string{"id"}}}}
	edge := Edge{Name: "e", Replica: Side{Dataset: sources.Dataset{Name: "r", Key: []string{"id"}}}}
	for i := range 1 + r.IntN(3) {
		name := string(rune('a' + i))
		rule := Rule{Owner: FieldRef{Name: name}, Replica: FieldRef{Name: name}, Precision: -1}
		switch r.IntN(8) {
		case 0:
			rule.FoldCase, rule.FoldSpace = true, true
		case 1:
			rule.NullEquals = []sources.Value{sources.Text(""), sources.Int(0)}
		case 2:
			rule.Map = []MapPair{{sources.Text("a"), sources.Int(1)}, {sources.Int(1), sources.Text("b")}, {sources.Null(), sources.Text("none")}}
		case 3:
			rule.Replica.As = sources.KindText
			rule.Owner.As = sources.KindText
		case 4:
			rule.AnyOrder = true
		case 5:
			rule.Precision = r.IntN(4)
		case 6:
			rule.TrimLeft, rule.NFC = true, true
		}
		edge.Rules = append(edge.Rules, rule)
	}
	check.Edges = []Edge{edge}
	return Compile(check, 0, time.Unix(0, 0))
}

func randomFields(r *rand.Rand, n int) []sources.Value {
	fields := make([]sources.Value, n)
	for i := range fields {
		fields[i] = randomValue(r)
	}
	return fields
}

func randomValue(r *rand.Rand) sources.Value {
	switch r.IntN(11) {
	case 0:
		return sources.Null()
	case 1:
		return sources.Value{}
	case 2:
		return sources.Int(int64(r.IntN(3)))
	case 3:
		return sources.Decimal([]string{"0", "1", "15", "-25"}[r.IntN(4)], -int64(r.IntN(3)), 2)
	case 4:
		return sources.Float(float64(r.IntN(5)) / 2)
	case 5:
		return sources.Bool(r.IntN(2) == 0)
	case 6:
		return sources.Time(time.Unix(int64(r.IntN(3)), int64(r.IntN(3))*123_456_789), r.IntN(10))
	case 7:
		return sources.ListOf([]sources.Value{sources.Int(int64(r.IntN(3))), sources.Int(int64(r.IntN(3)))})
	case 8:
		return sources.UUID([16]byte{byte(r.IntN(2))})
	}
	return sources.Text([]string{"", "a", "A ", "1", "0", "b", "00000000-0000-0000-0000-000000000000"}[r.IntN(7)])
}

func TestARemedyDoesNotMakeARecordAnother(t *testing.T) {
	t.Parallel()
	rule := func(owner, replica string) Rule {
		return Rule{Owner: FieldRef{Name: owner}, Replica: FieldRef{Name: replica}, Precision: -1}
	}
	for _, c := range []struct {
		rules []Rule
		want  string
	}{
		{[]Rule{rule("name", "id")}, "known by"},
		{[]Rule{rule("name", "tenant")}, "known by"},
		{[]Rule{rule("name", "title"), rule("other", "title")}, "two values"},
		{[]Rule{rule("name", "title"), rule("other", "title.text")}, "in one another"},
		{[]Rule{rule("name", "title"), rule("name", "title")}, ""},
	} {
		check := &Check{Owner: Side{Dataset: sources.Dataset{Key: []string{"id"}}}, Edges: []Edge{{Rules: c.rules,
			Replica: Side{Dataset: sources.Dataset{Key: []string{"id"}, Scope: []sources.Condition{{Field: "tenant"}}}}}}}
		comparison := Compile(check, 0, time.Unix(0, 0))
		owner, replica := &sources.Record{}, &sources.Record{}
		for _, r := range c.rules {
			owner.Fields = append(owner.Fields, sources.Text(r.Owner.Name))
			replica.Fields = append(replica.Fields, sources.Text("old"))
		}
		remedy, err := comparison.Remedy(owner, replica, nil)
		if c.want == "" && (err != nil || len(remedy.Set) != 1) || c.want != "" && (!errors.Is(err, ErrNoRemedy) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, %v", c.rules, remedy.Set, err)
		}
	}
}
