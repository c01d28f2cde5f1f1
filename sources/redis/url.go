package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"plumbline/sources"
)

// parseURL reads the address of a server and of one of its databases. Its errors
// show nothing of it that could be a password.
func parseURL(secret sources.Secret) (*redis.Options, error) {
	const form = "write redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path/of/socket?db=0"
	u, err := url.Parse(secret.Reveal())
	if err != nil {
		return nil, errors.New("read redis url: it is no address: " + form)
	}
	o := &redis.Options{Network: "tcp"}
	if u.User != nil {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	database := strings.TrimPrefix(u.Path, "/")
	query := u.Query()
	switch u.Scheme {
	case "redis", "rediss":
		if u.Hostname() == "" {
			return nil, errors.New("read redis url: it names no host: " + form)
		}
		port := u.Port()
		if port == "" {
			port = "6379"
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return nil, errors.New("read redis url: its port is none: " + form)
		}
		o.Addr = net.JoinHostPort(u.Hostname(), port)
		if u.Scheme == "rediss" {
			o.TLSConfig = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
		}
	case "unix":
		if u.Path == "" {
			return nil, errors.New("read redis url: it names no socket: " + form)
		}
		o.Network, o.Addr, database = "unix", u.Path, query.Get("db")
		query.Del("db")
	default:
		return nil, errors.New("read redis url: it does not begin with redis://, rediss:// or unix://: " + form)
	}
	if len(query) > 0 || u.Fragment != "" {
		return nil, errors.New("read redis url: it has parameters that mean nothing here: " + form)
	}
	if database != "" {
		if o.DB, err = strconv.Atoi(database); err != nil || o.DB < 0 {
			return nil, fmt.Errorf("read redis url: its database is no number from 0 on: %s", form)
		}
	}
	return o, nil
}
