package sqlite_test

import (
	"testing"

	"plumbline/sources"
)

// How many records a table holds, as far as the file itself tells.
func TestCount(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, insert string
		least, most  int64
	}{
		{"nothing", "SELECT 1", 0, 0},
		{"dense ids", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO k SELECT i FROM n", 10_000, 10_000},
		{"one id far away says nothing of a million million others", "INSERT INTO k VALUES (1), (9007199254740993)", 2, 10_000},
		{"analyzed", "INSERT INTO k VALUES (1), (2), (9007199254740993); ANALYZE", 3, 3},
	} {
		s := newStore(t, "CREATE TABLE k (id INTEGER PRIMARY KEY)", row.insert)
		n, err := s.source.(sources.Counter).Count(t.Context(), &sources.Dataset{Name: "k", Key: []string{"id"}})
		if err != nil || n < row.least || n > row.most {
			t.Errorf("%s: %d records, %v; want %d to %d", row.name, n, err, row.least, row.most)
		}
	}
}
