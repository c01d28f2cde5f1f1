package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"plumbline/sources"
)

const (
	connectTimeout = 10 * time.Second
	lockTimeout    = 2 * time.Second
	idleTimeout    = 30 * time.Second // between the messages of a transaction of ours, which come together
)

// settings are what a session of ours must have. They are asked for when
// connecting; where something between us and the server refuses or drops them,
// they are set in each transaction instead (see conn.begin).
func settings(statementTimeout time.Duration) map[string]string {
	return map[string]string{
		"application_name":                    "plumbline",
		"bytea_output":                        "hex",
		"client_encoding":                     "UTF8",
		"DateStyle":                           "ISO, YMD",
		"default_transaction_read_only":       "on",
		"extra_float_digits":                  "3",
		"idle_in_transaction_session_timeout": milliseconds(idleTimeout),
		"IntervalStyle":                       "postgres",
		"lock_timeout":                        milliseconds(lockTimeout),
		"standard_conforming_strings":         "on",
		"statement_timeout":                   milliseconds(statementTimeout),
		"TimeZone":                            "UTC",
	}
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(1, d.Milliseconds()), 10)
}

// poolWords are parameters of a URL that pgx and its pool know and a server does not.
func poolWords() []string {
	return []string{"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
		"pool_max_conns", "pool_min_conns", "pool_min_idle_conns", "pool_max_conn_lifetime",
		"pool_max_conn_idle_time", "pool_health_check_period", "pool_max_conn_lifetime_jitter"}
}

// parseURL makes a connection's configuration. Every default_query_exec_mode is
// served alike: no statement is ever kept prepared.
func parseURL(o sources.Options) (*pgconn.Config, error) {
	text := o.URL.Reveal()
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "postgres" && parsed.Scheme != "postgresql" {
		return nil, errors.New("url is not of the form postgres://user:password@host:5432/database?sslmode=require")
	}
	config, err := pgconn.ParseConfig(text)
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner
		}
		return nil, fmt.Errorf("url: %s", secretsOf(parsed).Replace(err.Error()))
	}
	for _, word := range poolWords() {
		delete(config.RuntimeParams, word)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	maps.Copy(config.RuntimeParams, settings(o.StatementTimeout))
	return config, nil
}

// secretsOf hides what of a URL may be secret.
func secretsOf(u *url.URL) *strings.Replacer {
	hidden := []string{u.String()}
	if password, ok := u.User.Password(); ok {
		hidden = append(hidden, password, url.QueryEscape(password), url.PathEscape(password), u.User.String())
	}
	for _, name := range []string{"password", "sslpassword"} {
		hidden = append(hidden, u.Query().Get(name), url.QueryEscape(u.Query().Get(name)))
	}
	var pairs []string
	for _, h := range hidden {
		if h != "" {
			pairs = append(pairs, h, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

// setLocal writes one statement that makes params hold until the transaction ends.
func setLocal(params map[string]string) string {
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name == "default_transaction_read_only" || forConnecting(name) { // BEGIN READ ONLY says the first
			continue
		}
		calls = append(calls, fmt.Sprintf("set_config(%s, %s, true)", literal(name), literal(params[name])))
	}
	return "SELECT " + strings.Join(calls, ", ")
}

// forConnecting says whether a parameter is for who takes the connection, and no setting.
func forConnecting(name string) bool { return name == "application_name" || name == "options" }

// hasSettings says whether a new session is as it was asked to be. A pooler may
// accept settings and drop them.
func hasSettings(ctx context.Context, c *conn, want map[string]string) (bool, error) {
	res, err := c.run(ctx, textStatement(`SELECT current_setting('TimeZone') = $1 AND current_setting('default_transaction_read_only')::bool
		AND current_setting('extra_float_digits') = $2 AND current_setting('standard_conforming_strings')::bool
		AND (SELECT setting FROM pg_settings WHERE name = 'statement_timeout') = $3
		AND (SELECT setting FROM pg_settings WHERE name = 'lock_timeout') = $4
		AND current_setting('client_encoding') = 'UTF8'`,
		[]string{want["TimeZone"], want["extra_float_digits"], want["statement_timeout"], want["lock_timeout"]}))
	if err != nil {
		return false, err
	}
	return res.texts()[0][0] == "t", nil
}
