package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// startRedis starts a private Redis that writes nothing to disk.
func startRedis(ctx context.Context, h *host) (endpoint, error) {
	path, err := findRedis()
	origin := path
	if errors.Is(err, exec.ErrNotFound) {
		if err = h.installPackage(ctx, "redis-server"); err == nil {
			path, err = findRedis()
			origin = "the package redis-server, just installed (" + path + ")"
		}
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("%w\n    install Redis 6 or newer, so that redis-server is on PATH, or set PLUMBLINE_TEST_REDIS_URL to a server whose keys may be overwritten and flushed", err)
	}
	as := unprivileged("redis")
	home, err := h.home("redis", as)
	if err != nil {
		return endpoint{}, err
	}
	address, version, err := h.launchOnFreePort(ctx, func(port string) launch {
		return launch{
			name: "redis-server", as: as, dir: home,
			argv: []string{path, "--port", port, "--bind", "127.0.0.1", "--dir", home, "--daemonize", "no",
				"--save", "", "--appendonly", "no", "--databases", "512", "--maxclients", "1000"},
			quit: syscall.SIGKILL, // it keeps nothing
		}
	}, redisVersion)
	if err != nil {
		return endpoint{}, err
	}
	return endpoint{url: "redis://" + address + "/0", version: version, origin: origin}, nil
}

// findRedis answers the server on PATH, or one that speaks as it does, else
// exec.ErrNotFound.
func findRedis() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := lookServer(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("look for redis-server: %w", exec.ErrNotFound)
}

// redisVersion asks the server for its version. It fails as long as the server
// does not take commands.
func redisVersion(ctx context.Context, address string) (string, error) {
	conn, err := dialProbe(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "INFO server\r\n"); err != nil {
		return "", err
	}
	return readRedisVersion(conn)
}

// readRedisVersion reads a bulk string and answers the redis_version in it.
func readRedisVersion(r io.Reader) (string, error) {
	reader := bufio.NewReader(r)
	head, err := reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	size, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(head, "$")))
	if err != nil || !strings.HasPrefix(head, "$") || size < 0 || size > 1<<20 {
		return "", fmt.Errorf("no Redis answers here, or it refuses: %q", strings.TrimSpace(head))
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(reader, body); err != nil {
		return "", err
	}
	for line := range strings.Lines(string(body)) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			return strings.TrimSpace(version), nil
		}
	}
	return "", errors.New("the server does not say its version")
}
