package mysql

import (
	"fmt"
	"net/url"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// one reads a single text.
func (d *database) one(text string, args ...any) string {
	d.t.Helper()
	rows := d.rows(text, args...)
	if len(rows) != 1 || len(rows[0]) != 1 {
		d.t.Fatalf("%.300s: %d rows", text, len(rows))
	}
	return rows[0][0]
}

// reader makes a role that may only read the database.
func (d *database) reader() *url.Userinfo {
	d.t.Helper()
	name := d.user + "_r"
	d.exec(fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", name, password))
	d.t.Cleanup(func() { d.exec(fmt.Sprintf("DROP USER '%s'@'%%'", name)) })
	d.exec(fmt.Sprintf("GRANT SELECT, EXECUTE ON %s.* TO '%s'@'%%'", ident(d.name), name))
	return url.UserPassword(name, password)
}
