package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"plumbline/sources"
)

const (
	connectTimeout = 10 * time.Second
	lockTimeout    = 2 * time.Second
	// sortLength is how many bytes of a key are sorted by. It is more than a key of
	// an index has: keys that are sorted as equal, and are not, would be lost
	// between two pages.
	sortLength = 8192
	// listLength is how long a list that a query makes of several rows may be: more
	// than a record, for one that is cut short looks equal to another.
	listLength = 4 * sources.MaxRecordSize
)

// errURL is told instead of what the URL's parser says, which quotes the URL.
var errURL = errors.New("url is not of the form mysql://user:password@host:3306/database?tls=true")

// parseURL makes a connection's configuration. What it does not know, it refuses.
func parseURL(o sources.Options) (*driver.Config, error) {
	u, err := url.Parse(o.URL.Reveal())
	if err != nil || u.Scheme != "mysql" && u.Scheme != "mariadb" || u.Opaque != "" || u.Fragment != "" {
		return nil, errURL
	}
	config := driver.NewConfig()
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	config.Net, config.Addr = "tcp", address(u)
	config.Timeout = connectTimeout
	config.Logger = &driver.NopLogger{}
	config.ConnectionAttributes = "program_name:plumbline"
	config.Loc = time.UTC
	config.ClientFoundRows = true
	config.MaxAllowedPacket = maxPacket
	config.CheckConnLiveness = false // every statement is one exchange; a dead connection fails it
	if strings.Contains(config.DBName, "/") || u.Hostname() == "" && u.Query().Get("socket") == "" {
		return nil, errURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errURL
	}
	return config, options(config, u.Hostname(), query)
}

// maxPacket bounds what we send in one statement.
const maxPacket = 64 << 20

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// options reads what follows the question mark.
func options(config *driver.Config, host string, query url.Values) error {
	for name, values := range query {
		if len(values) != 1 {
			return fmt.Errorf("url: %s is given more than once", name)
		}
		value := values[0]
		switch name {
		case "tls":
			if err := useTLS(config, host, value, query.Get("tls_ca")); err != nil {
				return err
			}
		case "tls_ca": // read with tls
			if query.Get("tls") != "true" {
				return errors.New("url: tls_ca goes with tls=true")
			}
		case "socket":
			config.Net, config.Addr = "unix", value
		case "connect_timeout":
			d, err := time.ParseDuration(value)
			if err != nil || d <= 0 {
				return errors.New("url: connect_timeout is no span of time like 10s")
			}
			config.Timeout = d
		case "cleartext_password":
			config.AllowCleartextPasswords = value == "true"
		default:
			return fmt.Errorf("url: %q is not known; there are tls, tls_ca, socket, connect_timeout and cleartext_password", name)
		}
	}
	if config.AllowCleartextPasswords && config.TLS == nil {
		return errors.New("url: cleartext_password goes with tls=true")
	}
	return nil
}

// useTLS sets how the line is encrypted: true checks who the server is,
// skip-verify does not, preferred takes what the server offers.
func useTLS(config *driver.Config, host, how, authority string) error {
	switch how {
	case "false":
	case "true":
		config.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
		if authority == "" {
			return nil
		}
		pem, err := os.ReadFile(authority)
		if err != nil {
			return fmt.Errorf("url: read tls_ca: %w", err)
		}
		config.TLS.RootCAs = x509.NewCertPool()
		if !config.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return errors.New("url: tls_ca holds no certificate")
		}
	case "skip-verify":
		config.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	case "preferred":
		config.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
		config.AllowFallbackToPlaintext = true
	default:
		return errors.New("url: tls is true, skip-verify, preferred or false")
	}
	return nil
}

// settings are the statements that make a session what ours must be. Those that
// not every version knows are optional.
func settings(mariadb bool, statementTimeout time.Duration) (needed string, optional []string) {
	common := []string{
		"NAMES utf8mb4 COLLATE utf8mb4_bin",
		"SESSION time_zone = '+00:00'",
		// Nothing that reads our statements differently (ANSI_QUOTES, PIPES_AS_CONCAT,
		// NO_BACKSLASH_ESCAPES, PAD_CHAR_TO_FULL_LENGTH), nothing that refuses a
		// comparison with a zero date.
		"SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"SESSION autocommit = 1",
		"SESSION sql_select_limit = 18446744073709551615", // a smaller one would make short pages
		"SESSION sql_auto_is_null = 0",                    // else IS NULL finds the row last inserted
		"SESSION sql_big_selects = 1",
		fmt.Sprintf("SESSION max_sort_length = %d", sortLength),
		fmt.Sprintf("SESSION group_concat_max_len = %d", listLength),
		fmt.Sprintf("SESSION lock_wait_timeout = %d", int(lockTimeout.Seconds())),
		fmt.Sprintf("SESSION innodb_lock_wait_timeout = %d", int(lockTimeout.Seconds())),
	}
	if mariadb {
		common = append(common, fmt.Sprintf("SESSION max_statement_time = %.3f", max(statementTimeout, time.Millisecond).Seconds()))
		// Long lists of keys are to be ranges of an index, and no temporary table.
		optional = []string{"SESSION in_predicate_conversion_threshold = 0", "SESSION optimizer_max_sel_arg_weight = 0", "SESSION optimizer_max_sel_args = 4294967295"}
	} else {
		common = append(common, fmt.Sprintf("SESSION max_execution_time = %d", max(statementTimeout, time.Millisecond).Milliseconds()))
		optional = []string{"SESSION range_optimizer_max_mem_size = 0"}
	}
	return "SET " + strings.Join(common, ", "), optional
}

// statementTimeLimit asks how long a statement may take, in milliseconds.
func statementTimeLimit(mariadb bool) string {
	if mariadb {
		return "CAST(@@SESSION.max_statement_time * 1000 AS SIGNED)"
	}
	return "@@SESSION.max_execution_time"
}
