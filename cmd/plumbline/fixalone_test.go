package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Where people have accounts, a command without a plumbline serve beside it may no
// more than one beside it: it acts, and to approve takes a token of somebody's own.
func TestACommandOfItsOwnApprovesForNobody(t *testing.T) {
	t.Parallel()
	f := &fixer{t, t.TempDir()}
	execute(t, filepath.Join(f.dir, "catalog.db"), `CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER NOT NULL) WITHOUT ROWID; INSERT INTO products VALUES (1, 3), (2, 4)`)
	execute(t, filepath.Join(f.dir, "basket.db"), `CREATE TABLE items (id INTEGER PRIMARY KEY, price INTEGER NOT NULL) WITHOUT ROWID; INSERT INTO items VALUES (1, 3), (2, 44)`)
	for name, text := range map[string]string{"plumbline.yaml": fixedShop, "password": "correct horse battery"} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tokens := map[string]string{}
	for _, who := range [][3]string{{"root", "admin", "view,values,act,approve"}, {"otto", "operator", "view,values,act"}, {"bob", "approver", "view,values,act,approve"}} {
		command(t, f.dir, "user", "add", who[0], "--role", who[1], "--password-file", "password")
		made := command(t, f.dir, "token", "add", who[0], "--for", who[0], "--scopes", who[2])
		tokens[who[0]] = string(regexp.MustCompile(`plb_[a-z2-7]+`).Find(made))
	}
	s := serveIn(t, f.dir)
	until := time.Now().Add(30 * time.Second)
	for {
		if _, out := f.as(tokens["otto"], "findings", "list"); strings.Contains(out, "id=2") {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("nothing was found\n%s", s.logged())
		}
	}
	if code, _ := s.stop(os.Interrupt); code != 0 {
		t.Fatalf("it ended with %d\n%s", code, s.logged())
	}

	f.wants(2, "no token", "plb_nothing", "fix", "list")
	out := f.wants(0, "by otto (token otto)", tokens["otto"], "fix", "plan", "prices")
	plan := regexp.MustCompile(`P-[0-9]+`).FindString(out)
	f.wants(2, "may not", "", "fix", "approve", plan)
	f.wants(2, "may not", tokens["otto"], "fix", "approve", plan)
	f.wants(0, "frozen", "", "fix", "freeze", "--reason", "a look first")
	f.wants(2, "may not", "", "fix", "unfreeze")
	f.wants(0, "not frozen any more", tokens["bob"], "fix", "unfreeze")
	f.wants(0, "approved by bob (token bob)", tokens["bob"], "fix", "approve", plan)
	f.wants(0, plan+"  prices in basket is applied: 1 ", "", "fix", "apply", plan)
}
