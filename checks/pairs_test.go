package checks_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/checks"
	"plumbline/sources"
)

// The pairs of testdata/pairs.txt, stored in real stores and judged by a run: of a
// line that compares three forms or more with as many, every third, so that each
// form occurs.
func TestPairsOfStores(t *testing.T) {
	t.Parallel()
	testPairs(t, func(line, owner, replica int) bool { return (line+owner+replica)%3 == 0 }, 500)
}

func TestSoakPairsOfStores(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	testPairs(t, func(_, _, _ int) bool { return true }, 1_500)
}

// testPairs judges the pairs, of long lines those that are chosen by the line and
// their places in it.
func testPairs(t *testing.T, chosen func(line, owner, replica int) bool, least int) {
	s := openStores(t, "")
	s.openOthers()
	must(t, s.mongo.CreateCollection(context.Background(), "values"))
	file, err := os.Open("testdata/pairs.txt")
	must(t, err)
	defer file.Close()
	pairs, stored := 0, map[string]int{}
	byStores := map[string]int{}
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := strings.ReplaceAll(lines.Text(), `\|`, "\x00")
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			t.Fatalf("testdata/pairs.txt:%d has %d cells", number, len(cells))
		}
		rule, err := checks.ParseTableRule(strings.Fields(cells[2]))
		must(t, err)
		verdict, words, _ := strings.Cut(strings.TrimSpace(cells[3]), ": ")
		owners, replicas := forms(cells[0]), forms(cells[1])
		for i, owner := range owners {
			for j, replica := range replicas {
				if min(len(owners), len(replicas)) > 2 && !chosen(number, i, j) {
					continue
				}
				pairs++
				ownerSide, replicaSide := s.store(stored, owner), s.store(stored, replica)
				byStores[ownerSide.Kind+" → "+replicaSide.Kind]++
				rule.Owner.Name, rule.Replica.Name = "v", "v"
				check := &checks.Check{Name: "pair", Owner: ownerSide, Edges: []checks.Edge{{Name: "replica", Rules: []checks.Rule{rule}, Replica: replicaSide}}}
				run := checks.Run(context.Background(), check, 0, s.find, checks.Options{Settle: noSettle()})
				got, note := judged(run)
				if got != verdict || !strings.Contains(note, words) {
					t.Errorf("testdata/pairs.txt:%d: %s | %s | %s: %s %s, want %s", number, owner, replica, strings.TrimSpace(cells[2]), got, note, cells[3])
				}
			}
		}
	}
	must(t, lines.Err())
	t.Logf("figure: %d pairs of stored values: %v", pairs, byStores)
	if pairs < least || len(byStores) < 36 {
		t.Errorf("%d pairs over %d pairs of stores", pairs, len(byStores))
	}
}

func forms(cell string) (list []string) {
	for _, form := range strings.Split(cell, ";;") {
		list = append(list, strings.TrimSpace(strings.ReplaceAll(form, "\x00", "|")))
	}
	return list
}

func judged(run checks.EdgeRun) (verdict, note string) {
	switch {
	case run.Result == checks.Clean:
		return "equal", ""
	case run.Result != checks.Drift || len(run.Differences) != 1:
		return string(run.Result), strings.Join(run.ReasonList(), "; ")
	}
	d := run.Differences[0]
	for _, f := range d.Fields {
		note += fmt.Sprintf("%s ≠ %s %s", f.OwnerValue, f.ReplicaValue, f.Note)
	}
	return string(d.Kind), note + d.Reason
}

// store puts a form into its store, once, as the only record of a table of its own.
func (s *stores) store(stored map[string]int, form string) checks.Side {
	s.t.Helper()
	kind, literal, _ := strings.Cut(form, " ")
	n, done := stored[form]
	if !done {
		n = len(stored)
		stored[form] = n
	}
	name := fmt.Sprintf("v%d", n)
	side := checks.Side{Dataset: sources.Dataset{Name: name, Key: []string{"id"}}}
	switch kind {
	case "pg":
		side.Source, side.Kind = "postgres", "postgres"
		if !done {
			s.exec(fmt.Sprintf("CREATE TABLE %s AS SELECT 1 AS id, %s AS v", name, literal))
		}
	case "lite":
		side.Source, side.Kind = "sqlite", "sqlite"
		declared, expr, _ := strings.Cut(literal, " = ")
		if !done {
			s.execLite(fmt.Sprintf("CREATE TABLE %s (id INTEGER PRIMARY KEY, v %s)", name, declared))
			s.execLite(fmt.Sprintf("INSERT INTO %s VALUES (1, %s)", name, expr))
		}
	case "mongo":
		side.Source, side.Kind, side.Dataset.Key = "mongodb", "mongodb", []string{"_id"}
		document := `{"_id":1}`
		if literal != "absent" {
			document = `{"_id":1,"v":` + literal + `}`
		}
		if !done {
			var d bson.D
			must(s.t, bson.UnmarshalExtJSON([]byte(document), false, &d))
			_, err := s.mongo.Collection(name).InsertOne(context.Background(), d)
			must(s.t, err)
		}
	case "my":
		side.Source, side.Kind = "mysql", "mysql"
		declared, expr, _ := strings.Cut(literal, " = ")
		if !done {
			s.execMy(fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, v %s NULL)", name, declared))
			s.execMy(fmt.Sprintf("INSERT INTO %s VALUES (1, %s)", name, expr))
		}
	case "redis", "http":
		side = s.documents(kind, name)
		document := `{"id":1}`
		if literal != "absent" {
			document = `{"id":1,"v":` + literal + `}`
		}
		if !done {
			s.putDocument(kind, name, "1", []byte(document))
		}
	default:
		s.t.Fatalf("unknown store %q", kind)
	}
	return side
}
