//go:build unix

package checks_test

import (
	"context"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"plumbline/sources"
	"plumbline/sources/all"
)

// follower is a PostgreSQL of one test's own and a standby that follows it. They
// listen on sockets in a directory of theirs, and end with the test.
type follower struct {
	t    *testing.T
	dir  string
	bin  string
	as   *syscall.Credential // whom they run as; nil for ourselves
	conn map[string]*pgx.Conn
}

// startFollower starts both with the programs of the server that the tests use.
func startFollower(t *testing.T) *follower {
	t.Helper()
	dir, err := os.MkdirTemp("", "plumbline-standby-") // those of t.TempDir let no other user pass
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	p := &follower{t: t, dir: dir, bin: programs(t), as: unprivileged(t), conn: map[string]*pgx.Conn{}}
	if p.as != nil {
		must(t, os.Chown(dir, int(p.as.Uid), int(p.as.Gid)))
	}
	primary, standby := p.data("primary"), p.data("standby")
	p.run("initdb", "-D", primary, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	p.serve("primary")
	p.run("pg_basebackup", "-h", dir, "-p", p.port("primary"), "-U", "postgres", "-D", standby, "-c", "fast", "-R", "--no-sync") // -R makes a standby of it
	p.serve("standby")
	return p
}

// programs is where the server that the tests use has its programs.
func programs(t *testing.T) (bin string) {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), env(t, "PLUMBLINE_TEST_POSTGRES_URL"))
	must(t, err)
	must(t, admin.QueryRow(t.Context(), "SELECT setting FROM pg_config WHERE name = 'BINDIR'").Scan(&bin))
	must(t, admin.Close(t.Context()))
	if _, err := os.Stat(filepath.Join(bin, "pg_basebackup")); err != nil {
		t.Fatalf("a standby is made by PostgreSQL's own programs, on this machine: %v", err)
	}
	return bin
}

// unprivileged is an account for the servers where we are root, which they refuse to run as.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		must(t, err)
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		must(t, err)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	t.Fatal("there is no account that a server may run as")
	return nil
}

func (p *follower) data(name string) string { return filepath.Join(p.dir, name) }

// port tells the sockets of the two apart.
func (p *follower) port(name string) string {
	return map[string]string{"primary": "5432", "standby": "5433"}[name]
}

func (p *follower) url(name string) string {
	return "postgres://postgres@/postgres?sslmode=disable&port=" + p.port(name) + "&host=" + url.QueryEscape(p.dir)
}

func (p *follower) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as, Setpgid: true}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PG") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	return cmd
}

func (p *follower) run(program string, args ...string) {
	p.t.Helper()
	if out, err := p.command(filepath.Join(p.bin, program), args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// serve starts a server that ends when we close its pipe, or are gone.
func (p *follower) serve(name string) {
	p.t.Helper()
	log, err := os.Create(p.data(name + ".log"))
	must(p.t, err)
	defer log.Close()
	argv := []string{"-c", `"$@" & cat; kill -QUIT $!; wait`, "sh", filepath.Join(p.bin, "postgres"), "-D", p.data(name)}
	for _, setting := range []string{"listen_addresses=", "port=" + p.port(name), "unix_socket_directories=" + p.dir, "shared_buffers=16MB", "fsync=off",
		"full_page_writes=off", "autovacuum=off", "jit=off", "wal_receiver_status_interval=1s", "wal_retrieve_retry_interval=100ms"} {
		argv = append(argv, "-c", setting)
	}
	cmd := p.command("sh", argv...)
	cmd.Stdout, cmd.Stderr = log, log
	pipe, err := cmd.StdinPipe()
	must(p.t, err)
	must(p.t, cmd.Start())
	p.t.Cleanup(func() { p.stop(cmd, pipe) })
	p.wait("the "+name+" to answer", func() bool {
		p.conn[name], err = pgx.Connect(p.t.Context(), p.url(name))
		return err == nil
	})
	p.t.Cleanup(func() { must(p.t, p.conn[name].Close(context.Background())) })
}

func (p *follower) stop(cmd *exec.Cmd, pipe io.Closer) {
	must(p.t, pipe.Close())
	must(p.t, cmd.Wait())
	if !p.t.Failed() {
		return
	}
	logs, err := filepath.Glob(p.data("*.log"))
	must(p.t, err)
	for _, name := range logs {
		text, err := os.ReadFile(name)
		must(p.t, err)
		p.t.Logf("%s:\n%s", filepath.Base(name), text)
	}
}

// wait waits for a condition, for a minute at most.
func (p *follower) wait(what string, holds func() bool) {
	p.t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			p.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// write runs statements on the primary, together as one transaction.
func (p *follower) write(statements string) {
	p.t.Helper()
	_, err := p.conn["primary"].Exec(p.t.Context(), statements)
	must(p.t, err)
}

// holds asks the standby.
func (p *follower) holds(condition string) (yes bool) {
	p.t.Helper()
	must(p.t, p.conn["standby"].QueryRow(p.t.Context(), condition).Scan(&yes))
	return yes
}

// caughtUp waits until the standby has replayed all that was written.
func (p *follower) caughtUp() {
	p.t.Helper()
	var at string
	must(p.t, p.conn["primary"].QueryRow(p.t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&at))
	p.wait("the standby to catch up", func() bool { return p.holds("SELECT pg_last_wal_replay_lsn() >= '" + at + "'") })
}

// lacking waits until the standby was sent all that was written, and has not replayed it.
func (p *follower) lacking() {
	p.t.Helper()
	var at string
	must(p.t, p.conn["primary"].QueryRow(p.t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&at))
	p.wait("the standby to be sent the write", func() bool { return p.holds("SELECT pg_last_wal_receive_lsn() >= '" + at + "'") })
	if p.holds("SELECT pg_last_wal_replay_lsn() >= '" + at + "'") {
		p.t.Fatal("the standby replays though it is paused")
	}
}

func (p *follower) pause() {
	p.t.Helper()
	_, err := p.conn["standby"].Exec(p.t.Context(), "SELECT pg_wal_replay_pause()")
	must(p.t, err)
	p.wait("the standby to pause", func() bool { return p.holds("SELECT pg_get_wal_replay_pause_state() = 'paused'") })
}

// resume lets the standby replay, and waits until it has replayed all that was written.
func (p *follower) resume() {
	_, err := p.conn["standby"].Exec(p.t.Context(), "SELECT pg_wal_replay_resume()")
	if err != nil {
		p.t.Error(err)
	}
	p.caughtUp()
}

// open makes a reader of one of the two, closed when the test ends.
func (p *follower) open(name string, limits sources.Limits, onWait func(sources.Wait)) *sources.Reader {
	p.t.Helper()
	source, err := all.Kinds()["postgres"](sources.Options{Name: name, URL: sources.Secret(p.url(name))})
	must(p.t, err)
	p.t.Cleanup(func() { must(p.t, source.Close()) })
	return sources.NewReader(name, source, limits, onWait)
}

// gauge asks one of the two how late it is, now.
func (p *follower) gauge(name string) sources.Load {
	p.t.Helper()
	reader := p.open(name, sources.Limits{MaxLag: time.Minute}, nil)
	defer func() { must(p.t, reader.Close()) }()
	load := reader.Gauged(p.t.Context())
	must(p.t, load.Err)
	return load.Load
}
