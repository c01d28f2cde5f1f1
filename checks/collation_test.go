package checks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/checks"
	"plumbline/sources"
)

// Keys whose order depends on who sorts them: case, accents, hyphens, digits,
// spaces, emoji, and prefixes of one another.
func trickyKeys(r *rand.Rand, n int) []string {
	parts := []string{"a", "A", "ä", "á", "z", "Z", "ß", "-", "_", " ", "1", "10", "2", "é", "e\u0301", "co", "op", "résumé", "\U0001F600", "'", `"`, ";"}
	seen := map[string]bool{}
	var keys []string
	for len(keys) < n {
		key := ""
		for range 1 + r.IntN(5) {
			key += parts[r.IntN(len(parts))]
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// A database of linguistic collation: verdicts are right, and no page sorts the table.
func TestLinguisticCollation(t *testing.T) {
	t.Parallel()
	s := openStores(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	seed := seeds(t, 1)[0]
	r := rand.New(rand.NewPCG(seed, 5))
	keys := trickyKeys(r, 4_000)
	s.exec("CREATE TABLE owner_words (word text PRIMARY KEY, n int)")
	s.exec("CREATE TABLE replica_words (word text PRIMARY KEY, n int)")
	s.exec(`CREATE TABLE binary_words (word text COLLATE "C" PRIMARY KEY, n int)`)
	s.execLite("CREATE TABLE replica_words (word TEXT PRIMARY KEY NOT NULL, n INTEGER)")
	var want []string
	var documents []any
	var words []string
	var numbers []int32
	s.exec("INSERT INTO owner_words SELECT word, n - 1 FROM unnest($1::text[]) WITH ORDINALITY AS t(word, n)", keys)
	for i, key := range keys {
		n := i
		switch r.IntN(100) {
		case 0:
			want = append(want, "missing "+key)
			continue
		case 1:
			n = -i - 1
			want = append(want, "mismatch "+key)
		case 2:
			want = append(want, "extra "+key+"\u200b")
			documents = append(documents, bson.D{{Key: "_id", Value: key + "\u200b"}, {Key: "n", Value: 0}})
			words, numbers = append(words, key+"\u200b"), append(numbers, 0)
		}
		documents = append(documents, bson.D{{Key: "_id", Value: key}, {Key: "n", Value: n}})
		words, numbers = append(words, key), append(numbers, int32(n))
	}
	for _, table := range []string{"replica_words", "binary_words"} {
		s.exec("INSERT INTO "+table+" SELECT * FROM unnest($1::text[], $2::int[])", words, numbers)
	}
	s.execLite("BEGIN")
	for i := range words {
		s.execLite("INSERT INTO replica_words VALUES (?, ?)", words[i], numbers[i])
	}
	s.execLite("COMMIT")
	_, err := s.mongo.Collection("replica_words").InsertMany(context.Background(), documents)
	must(t, err)
	s.exec("ANALYZE")
	slices.Sort(want)

	for _, c := range []struct {
		replica, dataset, key string
		plan                  checks.PlanKind
	}{
		{"postgres", "replica_words", "word", checks.PlanKeys},
		{"postgres", "binary_words", "word", checks.PlanKeys},
		{"mongodb", "replica_words", "_id", checks.PlanKeys},
		{"sqlite", "replica_words", "word", checks.PlanKeys},
	} {
		for _, page := range []int{0, 31, 997} {
			s.limits = sources.Limits{PageRecords: page}
			s.open("postgres", "postgres", "", s.limits)
			s.open(c.replica, c.replica, "", s.limits)
			check := &checks.Check{Name: fmt.Sprintf("words in %s, pages of %d", c.dataset, page),
				Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: "owner_words", Key: []string{"word"}}},
				Edges: []checks.Edge{{Name: c.replica, Rules: []checks.Rule{field("n", "n")}, Replica: checks.Side{Source: c.replica, Kind: c.replica,
					Dataset: sources.Dataset{Name: c.dataset, Key: []string{c.key}}}}}}
			run := checks.Run(context.Background(), check, 0, s.find, checks.Options{Settle: noSettle()})
			expect(t, run, want)
			if run.Plan.Kind != c.plan {
				t.Errorf("%s: plan %s, want %s", check.Name, run.Plan.Words(), c.plan)
			}
		}
	}
	for _, table := range []string{"owner_words", "replica_words"} {
		reader, err := s.find("postgres")
		must(t, err)
		statements, err := reader.Explain(context.Background(), &sources.Dataset{Name: table, Key: []string{"word"}, Fields: []string{"n"}})
		must(t, err)
		purposes := map[string]bool{}
		for _, statement := range statements {
			purposes[statement.Purpose] = true
			if statement.Sorts || statement.Purpose == "scan" && statement.Index == "" {
				t.Errorf("%s of %s: sorts %v, index %q\n%s\n%s", statement.Purpose, table, statement.Sorts, statement.Index, statement.Text, statement.Plan)
			}
		}
		if !purposes["scan"] || !purposes["lookup"] {
			t.Errorf("explain shows %v", purposes)
		}
	}
}
