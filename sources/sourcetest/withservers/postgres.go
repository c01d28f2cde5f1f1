package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startPostgres starts a private PostgreSQL that trusts whoever connects from
// this machine. It forgets everything in a crash, and is fast for it.
func startPostgres(ctx context.Context, h *host) (endpoint, error) {
	bin, origin, err := findPostgres()
	if errors.Is(err, exec.ErrNotFound) {
		bin, origin, err = installPostgres(ctx, h)
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("%w\n    install PostgreSQL 15 or newer, so that initdb and postgres are on PATH, or set PLUMBLINE_TEST_POSTGRES_URL to a server whose databases may be created and dropped", err)
	}
	as := unprivileged("postgres")
	home, err := h.home("postgres", as)
	if err != nil {
		return endpoint{}, err
	}
	data := filepath.Join(home, "data")
	if _, err := h.run(ctx, as, home, nil, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres",
		"-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return endpoint{}, err
	}
	build := func(port string) launch {
		return launch{
			name: "postgres", as: as, dir: home,
			argv: postgresCommand(filepath.Join(bin, "postgres"), data, home, port),
			// An immediate shutdown: nothing here is worth a checkpoint.
			quit: syscall.SIGQUIT,
		}
	}
	address, version, err := h.launchOnFreePort(ctx, build, postgresVersion)
	if err != nil {
		return endpoint{}, err
	}
	return endpoint{
		url:     "postgres://postgres@" + address + "/postgres?sslmode=disable",
		version: version,
		origin:  origin,
	}, nil
}

func postgresCommand(postgres, data, home, port string) []string {
	if len(home) > 80 {
		home = "" // too long for a socket's name: loopback alone has to do
	}
	argv := []string{postgres, "-D", data, "-p", port}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=" + home,
		"max_connections=200",
		"shared_buffers=256MB",
		"max_wal_size=8GB",
		"checkpoint_timeout=1h",
		"fsync=off",
		"synchronous_commit=off",
		"full_page_writes=off",
		"jit=off",
	} {
		argv = append(argv, "-c", setting)
	}
	return argv
}

// findPostgres answers the directory of the newest server that Debian's packages
// keep beside each other, else of the one on PATH, else exec.ErrNotFound.
func findPostgres() (bin, origin string, err error) {
	packaged, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", "", err
	}
	for _, bin := range newestFirst(packaged) {
		if isExecutable(filepath.Join(bin, "initdb")) && isExecutable(filepath.Join(bin, "postgres")) {
			return bin, bin, nil
		}
	}
	for _, tool := range []string{"initdb", "postgres"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			continue
		}
		// On PATH there may be links, or initdb alone: both tools must be there.
		if path, err = filepath.EvalSymlinks(path); err != nil {
			continue
		}
		bin := filepath.Dir(path)
		if isExecutable(filepath.Join(bin, "initdb")) && isExecutable(filepath.Join(bin, "postgres")) {
			return bin, "PATH (" + bin + ")", nil
		}
	}
	return "", "", fmt.Errorf("look for initdb and postgres: %w", exec.ErrNotFound)
}

func installPostgres(ctx context.Context, h *host) (bin, origin string, err error) {
	if err := h.installPackage(ctx, "postgresql"); err != nil {
		return "", "", err
	}
	bin, _, err = findPostgres()
	return bin, "the package postgresql, just installed (" + bin + ")", err
}

// newestFirst orders directories such as /usr/lib/postgresql/15/bin by version.
// Those whose version is no number come last.
func newestFirst(dirs []string) []string {
	version := func(dir string) float64 {
		v, err := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64)
		if err != nil {
			return -1
		}
		return v
	}
	sorted := slices.Clone(dirs)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	return sorted
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// postgresVersion opens a session as postgres and answers the server's version.
// It fails as long as the server does not take sessions.
func postgresVersion(ctx context.Context, address string) (string, error) {
	conn, err := dialProbe(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Write(postgresStartup("postgres", "postgres")); err != nil {
		return "", err
	}
	return readPostgresVersion(bufio.NewReader(conn))
}

// postgresStartup is the first message of a session, protocol 3.0.
func postgresStartup(user, database string) []byte {
	body := binary.BigEndian.AppendUint32(nil, 3<<16)
	body = append(body, "user\x00"+user+"\x00database\x00"+database+"\x00\x00"...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

// readPostgresVersion reads the server's messages until it is ready for a query
// and answers the server_version among them.
func readPostgresVersion(r io.Reader) (string, error) {
	version := ""
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return "", err
		}
		size := binary.BigEndian.Uint32(head[1:])
		if size < 4 || size > 1<<16 {
			return "", errors.New("no PostgreSQL answers here")
		}
		body := make([]byte, size-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return "", err
		}
		switch head[0] {
		case 'E':
			return "", fmt.Errorf("refused: %s", strings.ReplaceAll(string(body), "\x00", " "))
		case 'S':
			if name, rest, _ := strings.Cut(string(body), "\x00"); name == "server_version" {
				version, _, _ = strings.Cut(strings.TrimRight(rest, "\x00"), " ")
			}
		case 'Z':
			return version, nil
		}
	}
}

// dialProbe connects for one question, which may take a few seconds at most.
func dialProbe(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
