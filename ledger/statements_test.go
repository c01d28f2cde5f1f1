package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"
)

// A statement that is kept answers as a new one does: while its own rows are
// read, after the tables changed, after an error, and when many are kept.
func TestRememberedStatements(t *testing.T) {
	t.Parallel()
	connector, err := sqlite.NewConnector("file:" + filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(remembering{connector})
	db.SetMaxOpenConns(1)
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE a (n INTEGER PRIMARY KEY, t TEXT); CREATE INDEX a_t ON a (t)`)
	for n := range 3 {
		exec(`INSERT INTO a (n, t) VALUES ($1, $2)`, n, fmt.Sprint(n))
	}
	if _, err := db.Exec(`INSERT INTO a (n, t) VALUES ($1, $2)`, 1, "again"); err == nil {
		t.Error("a key was taken twice")
	}
	exec(`INSERT INTO a (n, t) VALUES ($1, $2)`, 3, "3")

	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const query = `SELECT n FROM a WHERE n >= $1 ORDER BY n`
	outer, err := tx.Query(query, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := ""
	for outer.Next() {
		var n, m int
		if err := outer.Scan(&n); err != nil {
			t.Fatal(err)
		}
		if err := tx.QueryRow(query, n+1).Scan(&m); err != nil && n < 3 {
			t.Fatal(err)
		}
		seen += fmt.Sprint(n, m, " ")
	}
	if err := outer.Err(); err != nil || seen != "0 1 1 2 2 3 3 0 " {
		t.Errorf("read %q: %v", seen, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}

	const all = `SELECT * FROM a WHERE n = 0`
	for _, want := range []int{2, 3} {
		rows, err := db.Query(all)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil || len(columns) != want || !rows.Next() {
			t.Errorf("columns %v: %v", columns, err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if want == 2 {
			exec(`ALTER TABLE a ADD COLUMN more TEXT`)
		}
	}
	for i := range 3 * statementsKept {
		var n int
		if err := db.QueryRow(fmt.Sprintf(`SELECT %d`, i%(2*statementsKept))).Scan(&n); err != nil || n != i%(2*statementsKept) {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
