package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// mysqlServer is a MySQL or MariaDB server and how it makes a data directory.
type mysqlServer struct {
	path    string
	install string // MariaDB's mariadb-install-db; "" where the server does it itself (MySQL)
}

// startMySQL starts a private MariaDB or MySQL whose root has no password. It
// forgets everything in a crash, and is fast for it.
func startMySQL(ctx context.Context, h *host) (endpoint, error) {
	server, err := findMySQL()
	origin := server.path
	if errors.Is(err, exec.ErrNotFound) {
		if err = h.installPackage(ctx, "mariadb-server"); err == nil {
			server, err = findMySQL()
			origin = "the package mariadb-server, just installed (" + server.path + ")"
		}
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("%w\n    install MariaDB 10.6 or MySQL 8 or newer, so that mariadbd or mysqld is on PATH, or set PLUMBLINE_TEST_MYSQL_URL to a server whose databases may be created and dropped", err)
	}
	as := unprivileged("mysql")
	home, err := h.home("mysql", as)
	if err != nil {
		return endpoint{}, err
	}
	data, first := filepath.Join(home, "data"), filepath.Join(home, "first.sql")
	argv := []string{server.path, "--no-defaults", "--initialize-insecure", "--datadir=" + data}
	if server.install != "" {
		argv = []string{server.install, "--no-defaults", "--datadir=" + data,
			"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"}
	}
	if _, err := h.run(ctx, as, home, nil, argv[0], argv[1:]...); err != nil {
		return endpoint{}, err
	}
	if err := os.WriteFile(first, []byte(mysqlFirst), 0o644); err != nil {
		return endpoint{}, fmt.Errorf("write the server's first statements: %w", err)
	}
	address, version, err := h.launchOnFreePort(ctx, func(port string) launch {
		return launch{
			name: filepath.Base(server.path), as: as, dir: home,
			argv: append(mysqlCommand(server.path, data, home, port), "--init-file="+first),
			quit: syscall.SIGKILL, // its data is thrown away
		}
	}, mysqlVersion)
	if err != nil {
		return endpoint{}, err
	}
	return endpoint{url: "mysql://root@" + address + "/test", version: version, origin: origin}, nil
}

// mysqlFirst runs before the first session: it makes the database, and lets root
// come over loopback whichever way the server spells that.
const mysqlFirst = `CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
`

func mysqlCommand(server, data, home, port string) []string {
	socket := filepath.Join(home, "socket")
	if len(socket) > 100 { // longer than a socket's name may be
		socket = filepath.Join(os.TempDir(), "plumbline-"+port+".sock")
	}
	return []string{server, "--no-defaults",
		"--datadir=" + data,
		"--port=" + port,
		"--bind-address=127.0.0.1",
		"--socket=" + socket,
		"--pid-file=" + filepath.Join(home, "pid"),
		"--skip-name-resolve",
		"--skip-log-bin",
		"--loose-mysqlx=OFF",
		"--max-connections=300",
		"--max-allowed-packet=64M",
		"--character-set-server=utf8mb4",
		"--innodb-buffer-pool-size=256M",
		"--loose-innodb-log-file-size=128M",
		"--innodb-flush-log-at-trx-commit=0",
		"--innodb-flush-method=nosync",
		"--innodb-doublewrite=0",
	}
}

// findMySQL answers the server on PATH or where packages put it, MariaDB first,
// else exec.ErrNotFound.
func findMySQL() (mysqlServer, error) {
	for _, name := range []string{"mariadbd", "mysqld"} {
		path, err := lookServer(name)
		if err != nil {
			continue
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			continue
		}
		if filepath.Base(path) == "mysqld" {
			return mysqlServer{path: path}, nil
		}
		for _, tool := range []string{"mariadb-install-db", "mysql_install_db"} {
			if install, err := exec.LookPath(tool); err == nil {
				return mysqlServer{path: path, install: install}, nil
			}
		}
	}
	return mysqlServer{}, fmt.Errorf("look for mariadbd or mysqld: %w", exec.ErrNotFound)
}

// lookServer is exec.LookPath that also looks where only root's PATH leads.
func lookServer(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/libexec"} {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, name))
	}
	return path, err
}

// mysqlVersion reads the greeting with which the server receives a session. It
// fails as long as the server takes none.
func mysqlVersion(ctx context.Context, address string) (string, error) {
	conn, err := dialProbe(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return readMySQLGreeting(conn)
}

// readMySQLGreeting answers the version in a server's first packet, protocol 10.
func readMySQLGreeting(r io.Reader) (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	head[3] = 0 // the packet's number
	body := make([]byte, min(binary.LittleEndian.Uint32(head[:]), 1<<12))
	if _, err := io.ReadFull(r, body); err != nil {
		return "", err
	}
	if len(body) == 0 || body[0] != 10 {
		return "", fmt.Errorf("no MySQL answers here, or it refuses: %q", body)
	}
	version, _, ended := strings.Cut(string(body[1:]), "\x00")
	if !ended {
		return "", errors.New("no MySQL answers here")
	}
	// MariaDB 10 greets so for the sake of old replicas.
	return strings.TrimPrefix(version, "5.5.5-"), nil
}
