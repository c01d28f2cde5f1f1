package mysql

import (
	"context"
	"database/sql"
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

// zeros is a connection on which dates may be zero.
func (d *database) zeros() (c *sql.Conn, done func()) {
	d.t.Helper()
	c, err := d.sql.Conn(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, mode := range []string{"SET sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES'", "SET NAMES utf8mb4"} {
		if _, err := c.ExecContext(context.Background(), mode); err != nil {
			d.t.Fatal(err)
		}
	}
	return c, func() {
		if err := c.Close(); err != nil {
			d.t.Error(err)
		}
	}
}
