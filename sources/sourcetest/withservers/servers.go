package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// server is one server the tests can ask for.
type server struct {
	name  string // as -only spells it
	env   string // the variable the tests read its URL from
	start func(context.Context, *host) (endpoint, error)
}

// endpoint is a server that answers.
type endpoint struct {
	url     string
	version string
	origin  string // where the server came from, for the reader of the output
}

// knownServers lists every server, in the order in which they are reported.
func knownServers() []server {
	return []server{
		{name: "postgres", env: "PLUMBLINE_TEST_POSTGRES_URL", start: startPostgres},
		{name: "mongodb", env: "PLUMBLINE_TEST_MONGODB_URL", start: startMongoDB},
		{name: "mysql", env: "PLUMBLINE_TEST_MYSQL_URL", start: startMySQL},
		{name: "redis", env: "PLUMBLINE_TEST_REDIS_URL", start: startRedis},
		{name: "chromium", env: "PLUMBLINE_TEST_CHROMIUM", start: startChromium},
		{name: "promtool", env: "PLUMBLINE_TEST_PROMTOOL", start: startPromtool},
	}
}

func names(list []server) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.name)
	}
	return out
}

// choose answers the servers that only names, separated by commas, in the order
// of known; all of them when only is empty. A name nobody has is an error.
func choose(only string, known []server) ([]server, error) {
	if only == "" {
		return known, nil
	}
	wanted := map[string]bool{}
	for _, name := range strings.Split(only, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(names(known), name) {
			return nil, fmt.Errorf("-only: no server is called %q: choose from %s", name, strings.Join(names(known), ", "))
		}
		wanted[name] = true
	}
	var chosen []server
	for _, s := range known {
		if wanted[s.name] {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// startAll starts the servers side by side and answers the variables to add to
// the command's environment. It waits for all of them, and answers every failure
// at once. The first failure ends the other starts.
func startAll(ctx context.Context, h *host, chosen []server) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		env string
		err error
	}
	results := make(chan result)
	for _, s := range chosen {
		go func() {
			var r result
			defer func() {
				if p := recover(); p != nil {
					r.err = fmt.Errorf("start %s: panic: %v", s.name, p)
				}
				results <- r
			}()
			r.env, r.err = startOne(ctx, h, s)
		}()
	}
	var env []string
	var errs []error
	for range chosen {
		r := <-results
		switch {
		case r.err == nil:
			env = append(env, r.env)
		case len(errs) == 0 || !errors.Is(r.err, context.Canceled):
			errs = append(errs, r.err)
			cancel()
		}
	}
	return env, errors.Join(errs...)
}

// startOne answers the variable that names the server, starting one only where
// the environment names none, and says on the output which server it is.
func startOne(ctx context.Context, h *host, s server) (string, error) {
	if url := os.Getenv(s.env); url != "" {
		h.say("%s: the one that %s names, nothing started", s.name, s.env)
		return s.env + "=" + url, nil
	}
	begin := time.Now()
	e, err := s.start(ctx, h)
	if err != nil {
		return "", fmt.Errorf("start %s: %w", s.name, err)
	}
	h.say("%s %s from %s, ready in %s", s.name, e.version, e.origin, time.Since(begin).Round(10*time.Millisecond))
	return s.env + "=" + e.url, nil
}
