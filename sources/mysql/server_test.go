package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"plumbline/sources"
)

// database is a database of a test's own, with a user who may do all to it.
type database struct {
	t    testing.TB
	name string
	url  *url.URL // as the server's root
	user string
	sql  *sql.DB // other hands: connections of the test's own, in UTC
}

// password is the user's: no error may show it.
const password = "hidden!word"

func newDatabase(t testing.TB) *database {
	t.Helper()
	server := os.Getenv("PLUMBLINE_TEST_MYSQL_URL")
	if server == "" {
		t.Fatal("PLUMBLINE_TEST_MYSQL_URL is not set: run the tests through withservers")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	d := &database{t: t, name: fmt.Sprintf("test_%08x", rand.Uint32()), url: u}
	d.user = d.name
	admin := d.connect(u.User, "")
	for _, statement := range []string{"CREATE DATABASE " + d.name + " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
		fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", d.user, password), fmt.Sprintf("GRANT ALL PRIVILEGES ON *.* TO '%s'@'%%'", d.user)} {
		if _, err := admin.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	d.sql = d.connect(u.User, d.name)
	t.Cleanup(func() {
		for _, statement := range []string{"DROP DATABASE " + d.name, fmt.Sprintf("DROP USER '%s'@'%%'", d.user)} {
			if _, err := admin.Exec(statement); err != nil {
				t.Error(err)
			}
		}
		for _, db := range []*sql.DB{admin, d.sql} {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return d
}

func (d *database) connect(user *url.Userinfo, database string) *sql.DB {
	d.t.Helper()
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.DBName = user.Username(), "tcp", d.url.Host, database
	config.Passwd, _ = user.Password()
	config.Params = map[string]string{"time_zone": "'+00:00'", "sql_mode": "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'"}
	config.ClientFoundRows = true
	config.MaxAllowedPacket = 64 << 20
	connector, err := mysql.NewConnector(config)
	if err != nil {
		d.t.Fatal(err)
	}
	return sql.OpenDB(connector)
}

// as is the database's URL for a user, whose password is in it.
func (d *database) as(user *url.Userinfo) sources.Secret {
	u := *d.url
	u.User, u.Path = user, "/"+d.name
	return sources.Secret(u.String())
}

func (d *database) own() *url.Userinfo { return url.UserPassword(d.user, password) }

func (d *database) open(o sources.Options) *source {
	d.t.Helper()
	if o.Name == "" {
		o.Name = "mysql"
	}
	if o.URL == "" {
		o.URL = d.as(d.own())
	}
	opened, err := Open(o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			d.t.Errorf("close: %v", err)
		}
	})
	return opened.(*source)
}

func (d *database) exec(statement string, args ...any) {
	d.t.Helper()
	if _, err := d.sql.ExecContext(context.Background(), statement, args...); err != nil {
		d.t.Fatalf("%s: %v", strings.TrimSpace(statement[:min(len(statement), 300)]), err)
	}
}

// rows are the texts of what a query returns, null as NULL.
func (d *database) rows(query string, args ...any) (all [][]string) {
	d.t.Helper()
	rows, err := d.sql.QueryContext(context.Background(), query, args...)
	if err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		d.t.Fatal(err)
	}
	for rows.Next() {
		texts, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range texts {
			into[i] = &texts[i]
		}
		if err := rows.Scan(into...); err != nil {
			d.t.Fatal(err)
		}
		row := make([]string, len(names))
		for i, text := range texts {
			if row[i] = "NULL"; text.Valid {
				row[i] = text.String
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return all
}
