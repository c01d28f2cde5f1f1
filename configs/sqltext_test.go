package configs

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver that MariaDB is asked by
	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the reader of SQL that texts are tried on
)

// strayText tries to put an OR outside of the brackets it is put in, past what a
// store may read as quotes or comments.
func strayText(random *rand.Rand) string {
	signs := []string{"'", "'", "''", `"`, "`", "[", "]", "(", ")", "--", "/*", "*/", "/", "*", "\n", "\r", "$$", "$a$", "$1", "$", "E'", "e'", "xe'", "1E'", "U&'", "N'", "B'",
		`\`, `\'`, `\\`, "/*!", "/*M!", "-- ", "a", "1", "1$$", "é", "é$$", " ", ";", "::text", "||", "=", "-", "?", ":a", "@a", "#", " UESCAPE ", "||'x'", "IS NOT NULL", ","}
	some := func() string {
		var b strings.Builder
		for range random.IntN(4) {
			b.WriteString(signs[random.IntN(len(signs))])
		}
		return b.String()
	}
	before := []string{"", "1=1 AND 'q' <> ", "1=1 ", "'q' = ", "1=1 AND "}[random.IntN(5)]
	middle := []string{") OR (1=1", ") OR 1=1 OR (1=1", ") OR 1=1 --", ") OR 1=1 /*"}[random.IntN(4)]
	return before + some() + middle + some()
}

// A text that is accepted is a condition of its own to the store itself: beside
// one that never holds, it lets nothing through.
func TestAcceptedSQLStaysInItsBrackets(t *testing.T) {
	t.Parallel()
	postgres := os.Getenv("PLUMBLINE_TEST_POSTGRES_URL")
	if postgres == "" {
		t.Fatal("PLUMBLINE_TEST_POSTGRES_URL is not set: run `make test`, which starts the servers")
	}
	server, err := pgx.Connect(t.Context(), postgres)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	file, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	address, err := url.Parse(os.Getenv("PLUMBLINE_TEST_MYSQL_URL"))
	if err != nil || address.Host == "" {
		t.Fatal("PLUMBLINE_TEST_MYSQL_URL is not set: run `make test`, which starts the servers")
	}
	password, _ := address.User.Password()
	maria, err := sql.Open("mysql", address.User.Username()+":"+password+"@tcp("+address.Host+")"+address.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := maria.Close(); err != nil {
			t.Error(err)
		}
	})
	stores := map[string]func(query string) (rows int, err error){
		"mysql": func(query string) (rows int, err error) {
			err = maria.QueryRowContext(t.Context(), query).Scan(&rows)
			return rows, err
		},
		"sqlite": func(query string) (rows int, err error) {
			err = file.QueryRow(query).Scan(&rows)
			return rows, err
		},
		"postgres": func(query string) (rows int, err error) {
			result := server.PgConn().ExecParams(t.Context(), query, nil, nil, nil, nil).Read()
			return len(result.Rows), result.Err
		},
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for kind, ask := range stores {
		accepted, understood, strayed := 0, 0, 0
		texts := 60_000
		if kind == "mysql" { // which is asked over a line, for each text
			texts = 40_000
		}
		for range texts {
			text := strayText(random)
			fine := checkSQL(kind, text) == ""
			if !fine && random.IntN(4) > 0 {
				continue
			}
			rows, err := ask("SELECT 1 AS n FROM (SELECT 1 AS one) AS t WHERE 1=0 AND (" + text + "\n) ")
			if err != nil {
				rows = 0
			}
			switch {
			case fine:
				accepted++
				if err == nil || err == sql.ErrNoRows {
					understood++
				}
				if rows > 0 {
					t.Errorf("%s lets a row through for %q", kind, text)
				}
			case rows > 0:
				strayed++
			}
		}
		t.Logf("%s: %d texts accepted, of which it understood %d; it let a row through for %d of those refused", kind, accepted, understood, strayed)
		if understood < 50 || strayed < 20 {
			t.Errorf("%s: hardly any text tried anything", kind)
		}
	}
}
