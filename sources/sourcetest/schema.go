package sourcetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"plumbline/sources"
)

// Change is something that Harness.Alter does to the table of testSchema, whose
// columns besides its key are price, a decimal, and note, a text.
type Change string

// The changes, in the order in which the suite asks for them.
const (
	WriteRow    Change = "write to a row"     // its note is another
	IndexField  Change = "index a field"      // note
	AddField    Change = "add a field"        // added, a text that may be null
	RetypeField Change = "retype a field"     // price becomes a text
	RenameField Change = "rename a field"     // note becomes remark
	DropField   Change = "drop a field"       // price
	Replace     Change = "replace by another" // of the same name and columns, without rows
)

// testSchema asks for the shape of a table while the table changes beneath.
func (s *suite) testSchema(t *testing.T) {
	table := Table{Name: "t_shape", Key: []string{"k"}, Unique: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: "price", Kind: sources.KindDecimal}, {Name: "note", Kind: sources.KindText}, {Name: serial, Kind: sources.KindInt, NotNull: true}}}
	for i := range 3 {
		price, err := sources.ParseDecimal(fmt.Sprintf("%d.50", i))
		if err != nil {
			t.Fatal(err)
		}
		table.Rows = append(table.Rows, []sources.Value{sources.Int(int64(i)), price, sources.Text("note"), sources.Int(int64(i))})
	}
	d := s.load(t, table).dataset
	is := s.schema(t, &d)
	if len(is.Constraints) == 0 {
		t.Error("no constraint says that the key is unique")
	}
	if is.Identity == "" && s.Cannot[CannotIdentify] == "" {
		t.Error("nothing tells the table from another of its name")
	}
	if s.Cannot[CannotDeclare] == "" {
		s.checkDeclared(t, &d, table, is)
	}
	page, err := s.lookup(t.Context(), &d, []sources.Key{{sources.Int(1)}}, nil, sources.Limit{Records: 10, Bytes: plenty})
	if err != nil || page.Len() != 1 {
		t.Errorf("lookup: %d records, %v", page.Len(), err)
	}
	if again := s.schema(t, &d); !reflect.DeepEqual(is, again) {
		t.Errorf("after reading it is %+v, not %+v", again, is)
	}
	s.Alter(t, d, WriteRow)
	if again := s.schema(t, &d); !reflect.DeepEqual(is, again) {
		t.Errorf("after a write it is %+v, not %+v", again, is)
	}
	s.Alter(t, d, IndexField)
	indexed := s.schema(t, &d)
	if slices.Equal(indexed.Constraints, is.Constraints) || indexed.Identity != is.Identity {
		t.Errorf("with a new index it is %+v, without %+v", indexed, is)
	}
	if s.Cannot[CannotDeclare] == "" {
		s.checkAltered(t, &d)
	}
	s.Alter(t, d, Replace)
	if again := s.schema(t, &d); s.Cannot[CannotIdentify] == "" && again.Identity == is.Identity {
		t.Errorf("a table of the same name has the identity %s too", is.Identity)
	}
	s.checkNoSchema(t, d)
}

// schema asks for a shape and looks at what holds of every one.
func (s *suite) schema(t *testing.T, d *sources.Dataset) sources.Schema {
	t.Helper()
	schema, err := s.source.(sources.Shaper).Schema(t.Context(), d)
	if err != nil {
		t.Fatalf("schema: %v", s.note(err))
	}
	names := namesOf(schema)
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(schema.Fields) || !slices.IsSorted(schema.Constraints) {
		t.Errorf("fields or constraints are in no order, or twice: %+v", schema)
	}
	s.noSecret(t, fmt.Sprintf("%+v", schema))
	return schema
}

func namesOf(schema sources.Schema) (names []string) {
	for _, f := range schema.Fields {
		names = append(names, f.Name)
	}
	return names
}

// checkDeclared compares a shape with what the table was made of. A key's
// null is the store's own matter.
func (s *suite) checkDeclared(t *testing.T, d *sources.Dataset, table Table, is sources.Schema) {
	t.Helper()
	want := slices.Sorted(slices.Values(slices.Concat(d.Key, d.Fields)))
	if got := namesOf(is); !slices.Equal(got, want) {
		t.Errorf("the fields are %q, not %q", got, want)
	}
	for _, f := range is.Fields {
		if f.Declared == "" {
			t.Errorf("%s has no type", f.Name)
		}
		if !slices.Contains(d.Key, f.Name) && f.Nullable == table.Columns[table.Column(f.Name)].NotNull {
			t.Errorf("%s is said to be nullable: %v", f.Name, f.Nullable)
		}
	}
}

// checkAltered has the fields changed one after the other: what is said is of the
// table as it is now, whatever fields the dataset names.
func (s *suite) checkAltered(t *testing.T, d *sources.Dataset) {
	t.Helper()
	for _, change := range []Change{AddField, RetypeField, RenameField, DropField} {
		was := s.schema(t, d)
		s.Alter(t, *d, change)
		is := s.schema(t, d)
		price, hasPrice := is.Field("price")
		note, hasNote := was.Field("note")
		remark, hasRemark := is.Field("remark")
		added, hasAdded := is.Field("added")
		wasPrice, _ := was.Field("price")
		switch change {
		case AddField:
			if !hasAdded || !added.Nullable || len(is.Fields) != len(was.Fields)+1 {
				t.Errorf("%s: %+v, before %+v", change, is, was)
			}
		case RetypeField:
			if !hasPrice || price.Declared == wasPrice.Declared || len(is.Fields) != len(was.Fields) {
				t.Errorf("%s: %+v, before %+v", change, is, was)
			}
		case RenameField:
			if !hasNote || !hasRemark || remark.Declared != note.Declared || len(is.Fields) != len(was.Fields) {
				t.Errorf("%s: %+v, before %+v", change, is, was)
			}
		case DropField:
			if hasPrice || len(is.Fields) != len(was.Fields)-1 {
				t.Errorf("%s: %+v, before %+v", change, is, was)
			}
		}
	}
}

// checkNoSchema asks for the shape of what is not there.
func (s *suite) checkNoSchema(t *testing.T, d sources.Dataset) {
	t.Helper()
	if s.Cannot[CannotMissTables] != "" {
		return
	}
	if d.Name += "x"; s.Misnamed != nil {
		d = s.Misnamed(d)
	}
	_, err := s.source.(sources.Shaper).Schema(t.Context(), &d)
	if _, missing := errors.AsType[*sources.NotFoundError](s.note(err)); !missing || sources.FailureOf(err) != sources.FailureFinal {
		t.Errorf("the shape of %s: %v; it is no final NotFoundError", d.Name, err)
	}
}
