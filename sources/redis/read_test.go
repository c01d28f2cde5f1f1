package redis

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"plumbline/sources"
)

// open opens the shop for the user who may only read.
func (s *shop) open(t *testing.T) *source {
	t.Helper()
	opened, err := Open(sources.Options{Name: "cache", URL: s.at(s.server.Host)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return opened.(*source)
}

func (s *shop) set(t *testing.T, values map[string]string) {
	t.Helper()
	for key, value := range values {
		if err := s.admin.Set(t.Context(), s.prefix+key, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// scanAll reads a dataset to its end and says each record in a line, in order.
func scanAll(t *testing.T, src *source, d *sources.Dataset, page int) (lines []string) {
	t.Helper()
	r := sources.ScanRequest{Limit: sources.Limit{Records: page, Bytes: 1 << 20}}
	for {
		p, err := src.Scan(t.Context(), d, r)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Records {
			lines = append(lines, line(&p.Records[i]))
		}
		if p.Done {
			return lines
		}
		r.After = p.Next
	}
}

func lookUp(t *testing.T, src *source, d *sources.Dataset, keys ...sources.Key) (lines []string) {
	t.Helper()
	var after sources.Position
	for {
		p, err := src.Lookup(t.Context(), d, keys, after, sources.Limit{Records: 2, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Records {
			lines = append(lines, line(&p.Records[i]))
		}
		if p.Done {
			return lines
		}
		after = p.Next
	}
}

func line(r *sources.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Key[0].Kind(), r.Key)
	if len(r.ID) > 0 {
		fmt.Fprintf(&b, " [%s]", r.ID)
	}
	for _, v := range r.Fields {
		text := fmt.Sprintf(" %q", v.String())
		if v.IsAbsent() || v.IsNull() {
			text = " " + v.Kind().String()
		}
		b.WriteString(text)
	}
	if r.OutOfScope {
		b.WriteString(" out")
	}
	if r.Deleted {
		b.WriteString(" deleted")
	}
	return b.String() + strings.TrimRight(" "+r.Unreadable+r.Skipped, " ")
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s gives\n%s\nand not\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The key of a document is what the document says, and a text where it says
// nothing; what cannot be read has the key all the same.
func TestJSONRecords(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	src := s.open(t)
	s.set(t, map[string]string{"u:1": `{"id": 1, "email": "a@x", "n": 1.50}`, "u:2": ` { } `, "u:3": `{"id": 4}`, "u:4": `{"id": 4`, "u:5": `[1]`,
		"u:6": `{"email": "b@x", "email": "c@x"}`, "u:7": "", "u:*": `{"email":null}`, "v:1": `{"id": 1}`, "u:9": `{"id": "9", "gone": true}`})
	if err := s.admin.HSet(t.Context(), s.prefix+"u:8", "id", "8").Err(); err != nil {
		t.Fatal(err)
	}
	d := &sources.Dataset{Name: s.prefix + "u:{id}", Key: []string{"id"}, Fields: []string{"email", "n"}, DeletedWhen: "gone == true"}
	want := []string{`int 1 "a@x" "1.50"`, "text 2 absent absent", "text * null absent", "text 9 absent absent deleted",
		"int 3 id is another in the document than in the key of Redis", "int 4 not JSON: it ends too early, after 8 bytes", "int 5 the value is no JSON object",
		`int 6 "b@x" absent email: name appears twice in a document`, "int 7 not JSON: it ends too early, after 0 bytes",
		"int 8 the key in Redis holds another type of value than json"}
	got := scanAll(t, src, d, 3)
	for i := range got { // the kind of what cannot be read is that of another record
		got[i] = strings.Replace(got[i], "text", "int", 1)
	}
	for i := range want {
		want[i] = strings.Replace(want[i], "text", "int", 1)
	}
	same(t, "a scan", got, want...)
	same(t, "a lookup", lookUp(t, src, d, sources.Key{sources.Int(1)}, sources.Key{sources.Text("2")}, sources.Key{sources.Int(3)}, sources.Key{sources.Text("*")}, sources.Key{sources.Int(10)}),
		`int 1 "a@x" "1.50"`, "text 2 absent absent", "int 3 id is another in the document than in the key of Redis", "text * null absent")
	same(t, "a lookup by another kind", lookUp(t, src, d, sources.Key{sources.Text("1")}, sources.Key{sources.Int(2)}, sources.Key{sources.Int(9)}))
}

// A hash is its fields, each a text, and a text is one field; both have the
// fields of the pattern.
func TestHashAndTextRecords(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	src := s.open(t)
	ctx := t.Context()
	for key, fields := range map[string][]string{"h:a": {"name", "Ä\"\n\xff", "address.city", "Oslo"}, "h:b": {"name", "", "id", "not b"}} {
		if err := s.admin.HSet(ctx, s.prefix+key, fields).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s.set(t, map[string]string{"t:a": "12.50", "t:b": "", "h:c": "a text"})
	hashes := &sources.Dataset{Name: s.prefix + "h:{id}", Format: sources.FormatHash, Key: []string{"id"}, Fields: []string{"name", "address.city", "none"}}
	same(t, "hashes", scanAll(t, src, hashes, 1), `text a "Ä\"\n\xff" "Oslo" absent`, `text b "" absent absent`, "text c the key in Redis holds another type of value than hash")
	same(t, "a hash", lookUp(t, src, hashes, sources.Key{sources.Text("a")}), `text a "Ä\"\n\xff" "Oslo" absent`)
	texts := &sources.Dataset{Name: s.prefix + "t:{id}", Format: sources.FormatText, Key: []string{"id"}, Fields: []string{"value"}, Where: `value != ""`}
	same(t, "texts", scanAll(t, src, texts, 1), `text a "12.50"`, `text b "" out`)
}

// The items of baskets are records of their own, found by what they hold.
func TestUnwoundRecords(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	src := s.open(t)
	s.set(t, map[string]string{
		"basket:b1": `{"items": [{"id": 1, "productId": 7, "price": 1.5}, {"id": 2, "productId": 8}], "customer": "c"}`,
		"basket:b2": `{"items": []}`, "basket:b3": `{}`, "basket:b4": `{"items": [{"id": 1, "productId": 7, "price": 2}]}`})
	d := &sources.Dataset{Name: s.prefix + "basket:{basket}", Unwind: "items", Key: []string{"items.productId"}, ID: []string{"basket", "items.id"},
		Fields: []string{"items.price", "customer"}}
	same(t, "a scan", scanAll(t, src, d, 1), `int 7 [b1,1] "1.5" "c"`, `int 8 [b1,2] absent "c"`, `int 7 [b4,1] "2" absent`)
	same(t, "a lookup", lookUp(t, src, d, sources.Key{sources.Int(7)}, sources.Key{sources.Int(9)}), `int 7 [b1,1] "1.5" "c"`, `int 7 [b4,1] "2" absent`)
}

// A key whose time has come is absent, to a scan that listed it as well.
func TestAnExpiredKeyIsAbsent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	src := s.open(t)
	s.set(t, map[string]string{"e:1": `{}`, "e:2": `{}`, "e:3": `{}`})
	d := &sources.Dataset{Name: s.prefix + "e:{id}", Key: []string{"id"}}
	first, err := src.Scan(t.Context(), d, sources.ScanRequest{Limit: sources.Limit{Records: 1, Bytes: 1 << 20}})
	if err != nil || len(first.Records) != 1 {
		t.Fatal(first.Records, err)
	}
	if err := s.admin.PExpireAt(t.Context(), s.prefix+"e:2", time.Now().Add(-time.Second)).Err(); err != nil {
		t.Fatal(err)
	}
	rest, err := src.Scan(t.Context(), d, sources.ScanRequest{Span: sources.Span{After: first.Next}, Limit: sources.Limit{Records: 9, Bytes: 1 << 20}})
	if err != nil || len(rest.Records) != 1 || rest.Records[0].Key[0].AsText() != "3" || !rest.Done {
		t.Errorf("the rest is %v, done %v, %v", rest.Records, rest.Done, err)
	}
	same(t, "a lookup", lookUp(t, src, d, sources.Key{sources.Text("2")}, sources.Key{sources.Text("3")}), "text 3")
}

// While the server's table of keys grows and shrinks, SCAN gives keys again;
// every key that is there throughout comes once, however few keys a listing may hold.
func TestScanGivesEachKeyOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	src := s.open(t)
	src.most = 700
	pipe := s.admin.Pipeline()
	for i := range 3000 {
		pipe.Set(t.Context(), fmt.Sprintf("%sk:%d", s.prefix, i), `{"n":1}`, 0)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for round := 0; ; round++ {
			for _, step := range []func(redis.Pipeliner, string){
				func(p redis.Pipeliner, key string) { p.Set(t.Context(), key, "{}", 0) }, func(p redis.Pipeliner, key string) { p.Del(t.Context(), key) }} {
				pipe := s.admin.Pipeline()
				for i := range 8000 {
					step(pipe, s.prefix+"k:x"+strconv.Itoa(i))
				}
				if _, err := pipe.Exec(t.Context()); err != nil {
					stopped <- err
					return
				}
			}
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
		}
	}()
	d := &sources.Dataset{Name: s.prefix + "k:{id}", Key: []string{"id"}, Fields: []string{"n"}}
	for range 3 {
		times := map[string]int{}
		for _, l := range scanAll(t, src, d, 400) {
			times[l]++
		}
		for i := range 3000 {
			if n := times[fmt.Sprintf(`text %d "1"`, i)]; n != 1 {
				t.Errorf("key %d came %d times", i, n)
			}
		}
		for l, n := range times {
			if n > 1 {
				t.Errorf("%s came %d times", l, n)
			}
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A server that is a node of a cluster is refused in words, and waiting does not help.
func TestFailuresAreClassified(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	src := s.open(t)
	for said, want := range map[string]sources.Failure{"MOVED 1 127.0.0.1:7000": sources.FailureFinal, "NOPERM no permissions": sources.FailureFinal,
		"LOADING the dataset in memory": sources.FailureTransient, "BUSY a script": sources.FailureTransient} {
		err := s.admin.Eval(t.Context(), "return redis.error_reply(ARGV[1])", nil, said).Err()
		if got := src.failure(t.Context(), "read", err); sources.FailureOf(got) != want || !strings.Contains(got.Error(), src.address) {
			t.Errorf("%s: %v", said, got)
		}
	}
	if err := src.failure(t.Context(), "read", s.admin.Eval(t.Context(), "return redis.error_reply('MOVED 1 x')", nil).Err()); !strings.Contains(err.Error(), "cluster") {
		t.Errorf("%v does not say cluster", err)
	}
	if _, err := src.client.Set(t.Context(), s.prefix+"x", "1", 0).Result(); !redis.HasErrorPrefix(err, "NOPERM") {
		t.Errorf("the reader of the tests may write: %v", err)
	}
}

func TestFactsAndLoad(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	facts, err := s.open(t).Probe(t.Context())
	if err != nil || facts.Version == "" || facts.Standby || facts.CanWrite {
		t.Errorf("a reader is told %+v, %v", facts, err)
	}
	admin, err := Open(sources.Options{URL: sources.Secret(s.server.String())})
	if err != nil {
		t.Fatal(err)
	}
	facts, err = admin.(*source).Probe(t.Context())
	if err := errors.Join(err, admin.Close()); err != nil || !facts.CanWrite {
		t.Errorf("who may write is told %+v, %v", facts, err)
	}
	for text, want := range map[string]sources.Load{
		"role:master": {}, "role:master slave0:ip=1,state=online,offset=3,lag=1 slave1:ip=2,state=online,offset=3,lag=7": {Lag: 7 * time.Second, LagKnown: true},
		"role:slave master_link_status:up master_last_io_seconds_ago:3":                                       {Lag: 3 * time.Second, LagKnown: true},
		"role:slave master_link_status:down master_last_io_seconds_ago:-1 master_link_down_since_seconds:120": {Lag: 2 * time.Minute, LagKnown: true},
		"role:slave master_link_status:down master_link_down_since_seconds:-1":                                {},
	} {
		info := map[string]string{}
		for _, field := range strings.Fields(text) {
			name, value, _ := strings.Cut(field, ":")
			info[name] = value
		}
		if got := loadOf(info); got.Lag != want.Lag || got.LagKnown != want.LagKnown || got.Standby != (info["role"] == "slave") || got.ActiveKnown || got.Note == "" {
			t.Errorf("%s is %+v", text, got)
		}
	}
}

// What a glob understands stands for itself in a pattern.
func TestGlobs(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{"user:{id}": "user:*", `a*b?[c]\{id}:{x}!`: `a\*b\?\[c\]\\*:*!`, "{{u}}:{id}": "{u}:*", "fixed": "fixed"} {
		p, err := sources.ParsePattern(pattern)
		if err != nil || globOf(p) != want {
			t.Errorf("%s is matched as %s, %v", pattern, globOf(p), err)
		}
	}
}
