package deploy_test

import (
	"context"
	"database/sql"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql" // the driver the test fills MariaDB with
	"github.com/redis/go-redis/v9"
)

// fillMariaDB runs shop/mariadb as the image's entry point does.
func (s *shop) fillMariaDB(t *testing.T, secrets, suffix string) {
	t.Helper()
	ctx := context.Background()
	server := testServer(t, "PLUMBLINE_TEST_MYSQL_URL")
	database, reader := "billing_"+suffix, "plumbline_reader_"+suffix
	open := func(database string) *sql.DB {
		password, _ := server.User.Password()
		db, err := sql.Open("mysql", server.User.Username()+":"+password+"@tcp("+server.Host+")/"+database+"?multiStatements=true")
		must(t, err)
		return db
	}
	admin := open("")
	t.Cleanup(func() {
		_, err := admin.Exec("DROP DATABASE IF EXISTS " + database + "; DROP USER IF EXISTS " + reader)
		must(t, err)
		must(t, admin.Close())
	})
	_, err := admin.ExecContext(ctx, "CREATE DATABASE "+database+" CHARACTER SET utf8mb4") // as MARIADB_DATABASE does
	must(t, err)
	db := open(database)
	_, err = db.ExecContext(ctx, read(t, "shop/mariadb/10-billing.sql"))
	must(t, err)
	script := strings.NewReplacer("/run/secrets", secrets, "plumbline_reader", reader, "billing.*", database+".*").Replace(read(t, "shop/mariadb/20-reader.sh"))
	statements, err := exec.CommandContext(ctx, "bash", "-c", "docker_process_sql() { cat; }\n"+script).Output()
	must(t, err)
	_, err = db.ExecContext(ctx, string(statements))
	must(t, err)
	must(t, db.Close())
	s.addresses["billing_url"] = s.at(t, *server, reader, secrets, "/"+database)
}

// fillRedis runs shop/redis in a database of its own, and makes the user that
// docker-compose.yml makes.
func (s *shop) fillRedis(t *testing.T, secrets, suffix string) {
	t.Helper()
	ctx := context.Background()
	server := testServer(t, "PLUMBLINE_TEST_REDIS_URL")
	reader := "plumbline_reader_" + suffix
	var client *redis.Client
	for database := 1; ; database++ { // the first that nobody uses
		server.Path = "/" + strconv.Itoa(database)
		o, err := redis.ParseURL(server.String())
		must(t, err)
		client = redis.NewClient(o)
		mine, err := client.SetNX(ctx, "used by", suffix, 0).Result()
		must(t, err)
		if mine {
			break
		}
		must(t, client.Close())
	}
	t.Cleanup(func() {
		must(t, client.Do(ctx, "ACL", "DELUSER", reader).Err())
		must(t, client.FlushDB(ctx).Err())
		must(t, client.Close())
	})
	for line := range strings.Lines(read(t, "shop/redis/prices.redis")) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(words) != 3 || words[0] != "SET" {
			t.Fatalf("redis-cli is given %q", line)
		}
		must(t, client.Set(ctx, words[1], strings.Trim(words[2], "'"), 0).Err())
	}
	user := regexp.MustCompile(`--user plumbline_reader ([^\n]*)\n`).FindStringSubmatch(read(t, "../docker-compose.yml"))
	if user == nil {
		t.Fatal("docker-compose.yml makes no user for Redis")
	}
	rules := strings.NewReplacer(`"`, "", "$$(cat /run/secrets/reader_password)", strings.TrimSpace(read(t, filepath.Join(secrets, "reader_password")))).Replace(user[1])
	arguments := []any{"ACL", "SETUSER", reader}
	for _, rule := range strings.Fields(rules) {
		arguments = append(arguments, rule)
	}
	must(t, client.Do(ctx, arguments...).Err())
	s.addresses["prices_url"] = s.at(t, *server, reader, secrets, server.Path)
}

// at is the address of a database for the user who may only read.
func (s *shop) at(t *testing.T, server url.URL, user, secrets, path string) string {
	t.Helper()
	server.User, server.Path = url.UserPassword(user, strings.TrimSpace(read(t, filepath.Join(secrets, "reader_password")))), path
	return server.String()
}
