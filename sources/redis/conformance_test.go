package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

// server is the address of the server that the tests may use.
func server(t testing.TB) *url.URL {
	t.Helper()
	text := os.Getenv("PLUMBLINE_TEST_REDIS_URL")
	if text == "" {
		t.Fatal("PLUMBLINE_TEST_REDIS_URL is not set: run `make test`, which starts the servers")
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// shop is a user of the server, who may read alone, and a part of its keys.
type shop struct {
	server *url.URL
	admin  *redis.Client
	prefix string
	user   string
}

const hidden = "hidden!word"

func newShop(t testing.TB) *shop {
	t.Helper()
	u := server(t)
	options, err := redis.ParseURL(u.String())
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{server: u, admin: redis.NewClient(options), prefix: fmt.Sprintf("t%x:", rand.Uint64()), user: fmt.Sprintf("reader%x", rand.Uint64())}
	ctx := t.Context()
	if err := s.admin.Do(ctx, "ACL", "SETUSER", s.user, "on", ">"+hidden, "~*", "+@read", "+@connection", "+info", "+acl|whoami").Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		keys, err := s.admin.Keys(ctx, s.prefix+"*").Result()
		for len(keys) > 0 && err == nil {
			n := min(len(keys), 1000)
			err = s.admin.Unlink(ctx, keys[:n]...).Err()
			keys = keys[n:]
		}
		if err == nil {
			err = s.admin.Do(ctx, "ACL", "DELUSER", s.user).Err()
		}
		if err != nil {
			t.Error(err)
		}
		if err := s.admin.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// at is the address of the server at host, for the user who may read.
func (s *shop) at(host string) sources.Secret {
	u := *s.server
	u.Host, u.User = host, url.UserPassword(s.user, hidden)
	return sources.Secret(u.String())
}

func (s *shop) load(t testing.TB, table sourcetest.Table) sources.Dataset {
	t.Helper()
	d := sources.Dataset{Format: sources.FormatJSON, Key: table.Key, ID: table.ID}
	parts := append(append([]string{}, table.Key...), table.ID...)
	if !table.Unique { // the key stands in the document alone
		parts = []string{"n"}
	}
	for _, c := range table.Columns {
		if !contains(table.Key, c.Name) && !contains(table.ID, c.Name) {
			d.Fields = append(d.Fields, c.Name)
		}
	}
	d.Name = s.prefix + table.Name + ":{" + strings.Join(parts, "}\x01\x02{") + "}"
	pattern, err := sources.ParsePattern(d.Name)
	if err != nil {
		t.Fatal(err)
	}
	pipe := s.admin.Pipeline()
	for _, row := range table.Rows {
		texts := make([]string, len(parts))
		for i, name := range parts {
			texts[i] = row[table.Column(name)].String()
		}
		document := []byte{'{'}
		for i, c := range table.Columns {
			if row[i].IsAbsent() {
				continue
			}
			if len(document) > 1 {
				document = append(document, ',')
			}
			document = appendValue(append(appendText(document, c.Name), ':'), row[i])
		}
		pipe.Set(t.Context(), pattern.Fill(texts), append(document, '}'), 0)
		if pipe.Len() >= 500 {
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pipe.Len() > 0 {
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// appendValue writes a value as JSON, texts byte by byte.
func appendValue(b []byte, v sources.Value) []byte {
	switch v.Kind() {
	case sources.KindText:
		return appendText(b, v.AsText())
	case sources.KindList:
		b = append(b, '[')
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, item)
		}
		return append(b, ']')
	case sources.KindDocument:
		b = append(b, '{')
		for i, f := range v.Fields() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(append(appendText(b, f.Name), ':'), f.Value)
		}
		return append(b, '}')
	}
	return append(b, v.String()...)
}

// holds says what JSON has no form for.
func holds(v sources.Value) string {
	switch v.Kind() {
	case sources.KindAbsent, sources.KindNull, sources.KindBool, sources.KindInt, sources.KindText:
		return ""
	case sources.KindDecimal:
		if v.NaN() || v.Infinite() != 0 {
			return "JSON has no number that is none"
		}
		if _, whole := v.Integer(); whole && !strings.ContainsAny(v.String(), ".eE") {
			return "a whole number of up to 64 bits is read as an int"
		}
		return ""
	case sources.KindList:
		for _, item := range v.Items() {
			if why := holds(item); why != "" || item.IsAbsent() {
				return "a list holds something for which JSON has no form: " + why
			}
		}
		return ""
	case sources.KindDocument:
		for _, f := range v.Fields() {
			if why := holds(f.Value); why != "" || f.Value.IsAbsent() {
				return "a document holds something for which JSON has no form: " + why
			}
		}
		return ""
	}
	return "JSON has texts, numbers, truth and null alone"
}

func TestConformance(t *testing.T) {
	s := newShop(t)
	sourcetest.Run(t, sourcetest.Harness{
		Adapter: "redis",
		Open:    Open,
		URL:     s.at(s.server.Host),
		Load:    s.load,
		Holds:   holds,
		HoldsKey: func(v sources.Value) string {
			switch v.Kind() {
			case sources.KindInt, sources.KindText, sources.KindBool:
				return ""
			}
			return "the text of a key in Redis is that of one value alone only for whole numbers, texts and truth"
		},
		Condition: func(c sourcetest.Condition) string {
			switch c.Test {
			case sourcetest.Equals:
				return fmt.Sprintf("%s == %q", c.Field, c.Value.AsText())
			case sourcetest.Above:
				return fmt.Sprintf("%s > %d", c.Field, c.Value.AsInt())
			case sourcetest.Filled:
				return fmt.Sprintf("filled(%s)", c.Field)
			}
			return c.Field + " === nonsense"
		},
		Through: func(t testing.TB) (sources.Secret, sourcetest.Line) {
			w := sourcetest.NewWire(t, "tcp", s.server.Host)
			return s.at(w.Address()), w
		},
		Unreachable: sourcetest.Unreachable{URL: "redis://reader:hidden%21word@127.0.0.1:1/0", Names: "127.0.0.1:1"},
		BadURLs: []sources.Secret{"", "http://reader:hidden%21word@127.0.0.1", "redis://reader:hidden%21word@/0", "redis://reader:hidden%21word@127.0.0.1/shop",
			"redis://reader:hidden%21word@127.0.0.1:99999/0", "redis://reader:hidden%21word@127.0.0.1/0?pool_size=100", "redis://reader:hidden!word/@127.0.0.1:x"},
		Secrets: []string{"hidden%21word", hidden},
		Cannot: map[sourcetest.Ability]string{
			sourcetest.CannotSplit:         "SCAN is one pass over all keys, and each part would be another",
			sourcetest.CannotWrite:         "not yet supported",
			sourcetest.CannotSample:        "RANDOMKEY prefers keys behind empty places, so no key is as likely as another",
			sourcetest.CannotRecent:        "no index says what changed last",
			sourcetest.CannotShape:         "a bare store declares no fields",
			sourcetest.CannotDeliverRaw:    "equal documents have many spellings",
			sourcetest.CannotTryToWrite:    "a dataset holds no commands",
			sourcetest.CannotMissFields:    "a bare store declares no fields",
			sourcetest.CannotMissOnRead:    "a pattern that no key matches is one whose keys are gone",
			sourcetest.CannotMissTables:    "a pattern that no key matches is one whose keys are gone",
			sourcetest.CannotIndex:         "only the whole of a key of Redis is found by an index",
			sourcetest.CannotHoldNullInKey: "a key in Redis is a text",
			sourcetest.CannotMixKinds:      "the text of a key in Redis has no kind",
		},
	})
}
