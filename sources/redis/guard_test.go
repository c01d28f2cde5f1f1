package redis

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"plumbline/sources"
)

// relay is an address behind which several servers answer: those that hold all
// keys of a database, each in an order of its own, as a server has another one
// after every start.
type relay struct {
	t        *testing.T
	listener net.Listener
	keys     []string

	mu     sync.Mutex
	scans  int
	server func(scans int) int // which server answers, after so many SCANs
}

func newRelay(t *testing.T, keys int, server func(scans int) int) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, listener: l, server: server}
	for i := range keys {
		r.keys = append(r.keys, fmt.Sprintf("k:%d", i))
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return r
}

// serve answers what a scan asks: bulks in, one answer each.
func (r *relay) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	number := func() int {
		line, err := in.ReadString('\n')
		if err != nil || len(line) < 3 {
			return -1
		}
		n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
		if err != nil {
			return -1
		}
		return n
	}
	for {
		n := number()
		if n < 1 {
			return
		}
		words := make([]string, n)
		for i := range words {
			text := make([]byte, max(0, number())+2)
			if _, err := io.ReadFull(in, text); err != nil {
				return
			}
			words[i] = string(text[:len(text)-2])
		}
		if _, err := io.WriteString(c, r.answer(words)); err != nil {
			return
		}
	}
}

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

func (r *relay) answer(words []string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	server := r.server(r.scans)
	switch strings.ToUpper(words[0]) {
	case "INFO":
		return bulk(fmt.Sprintf("# Server\r\nredis_version:7.0.0\r\nrun_id:%040d\r\n", server))
	case "SCAN": // ten at a time, from another end
		r.scans++
		at, err := strconv.Atoi(words[1])
		if err != nil {
			return "-ERR invalid cursor\r\n"
		}
		var got []string
		for i := at; i < min(at+10, len(r.keys)); i++ {
			key := r.keys[i]
			if server%2 == 1 {
				key = r.keys[len(r.keys)-1-i]
			}
			got = append(got, bulk(key))
		}
		next := at + len(got)
		if next == len(r.keys) {
			next = 0
		}
		return fmt.Sprintf("*2\r\n%s*%d\r\n%s", bulk(strconv.Itoa(next)), len(got), strings.Join(got, ""))
	case "STRLEN":
		return ":2\r\n"
	case "GET":
		return bulk("{}")
	}
	return "-ERR unknown command\r\n"
}

func (r *relay) open() *source {
	r.t.Helper()
	opened, err := Open(sources.Options{Name: "cache", URL: sources.Secret("redis://" + r.listener.Addr().String())})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return opened.(*source)
}

// A cursor is one server's own: where another goes on, or the same one started
// anew, the pass begins again, and no key is left out.
func TestAPassThatAnotherServerAnswersBeginsAnew(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(int) int{
		"started anew":     func(scans int) int { return min(1, scans/7) },
		"taken over":       func(scans int) int { return min(1, scans/2) },
		"thrice":           func(scans int) int { return min(3, scans/4) },
		"at its last step": func(scans int) int { return min(1, scans/9) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := newRelay(t, 100, server).open()
			if got := scanAll(t, src, &sources.Dataset{Name: "k:{id}", Key: []string{"id"}}, 30); len(got) != 100 {
				t.Errorf("%d keys of 100", len(got))
			}
		})
	}
}

// Where servers answer by turns no pass comes to its end: that is told.
func TestServersThatAnswerByTurnsAreRefused(t *testing.T) {
	t.Parallel()
	src := newRelay(t, 100, func(scans int) int { return scans % 2 }).open()
	_, err := src.Scan(t.Context(), &sources.Dataset{Name: "k:{id}", Key: []string{"id"}}, sources.ScanRequest{Limit: sources.Limit{Records: 9, Bytes: 1 << 20}})
	if err == nil || sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "several servers answer") {
		t.Errorf("%v", err)
	}
}

// Scans of many patterns side by side do not make one another begin anew.
func TestManyPatternsAreReadSideBySide(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	src := s.open(t)
	for p := range 8 {
		s.set(t, map[string]string{fmt.Sprintf("p%d:1", p): "{}", fmt.Sprintf("p%d:2", p): "{}"})
	}
	dataset := func(p int) *sources.Dataset {
		return &sources.Dataset{Name: fmt.Sprintf("%sp%d:{id}", s.prefix, p), Key: []string{"id"}}
	}
	limit := sources.Limit{Records: 1, Bytes: 1 << 20}
	for p := range 8 {
		if page, err := src.Scan(t.Context(), dataset(p), sources.ScanRequest{Limit: limit}); err != nil || page.Done {
			t.Fatal(page.Done, err)
		}
	}
	if len(src.listings) != 8 {
		t.Errorf("%d listings of 8 are kept", len(src.listings))
	}
}

// However many hashes a page may have, no more of them are read at once than go
// into its bytes.
func TestLargeHashesAreReadFewAtATime(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	src := s.open(t)
	long := strings.Repeat("x", 100_000)
	var keys []string
	for i := range 20 {
		key := fmt.Sprintf("%sh:%02d", s.prefix, i)
		if err := s.admin.HSet(t.Context(), key, "a", long, "b", long).Err(); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	d := &sources.Dataset{Name: s.prefix + "h:{id}", Format: sources.FormatHash, Key: []string{"id"}, Fields: []string{"a"}}
	p, err := src.ready(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := src.fetch(t.Context(), p, keys, 1_000_000)
	if err != nil || len(got) < 1 || len(got) > 5 {
		t.Errorf("%d hashes of 200 kB are read at once, %v", len(got), err)
	}
	if all := scanAll(t, src, d, 9); len(all) != 20 {
		t.Errorf("%d hashes of 20", len(all))
	}
}
