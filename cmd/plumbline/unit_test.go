package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"plumbline/configs"
	"plumbline/reconciler"
	"plumbline/sources"
)

func TestSecretsAreScrubbedInEverySpelling(t *testing.T) {
	t.Parallel()
	config := func(urls ...string) *configs.Config {
		c := &configs.Config{Sources: map[string]configs.Source{}}
		for _, u := range urls {
			c.Sources[u] = configs.Source{URL: sources.Secret(u)}
		}
		return c
	}
	for _, row := range []struct{ url, message, want string }{
		{"postgres://reader:hunter2@db/shop", "dial postgres://reader:hunter2@db/shop: password hunter2 refused", "dial ***: password *** refused"},
		{"postgres://reader:p%40ss%20word@db/shop", "password p@ss word, p%40ss%20word, p%40ss+word", "password ***, ***, ***"},
		{"mongodb://u:x@db/shop?tlsCertificateKeyFilePassword=hunter3", "bad hunter3", "bad ***"},
		{"postgres://postgres:postgres@db/shop", "PostgreSQL says: role postgres may not", "PostgreSQL says: role postgres may not"},
		{"postgres://postgres:postgres@db/shop", "dial postgres://postgres:postgres@db/shop", "dial ***"},
		{"sqlite:///var/shop.db", "file /var/shop.db is not there", "file /var/shop.db is not there"},
		{"postgres://a:hunter2 x@[::1/shop", "parse postgres://a:hunter2 x@[::1/shop: hunter2 x?", "parse ***: ***?"},
		{"postgres://a:abc@db/shop", "abc of the alphabet", "abc of the alphabet"},
	} {
		c := &cli{}
		c.keep(config(row.url))
		if got := c.scrub(row.message); got != row.want {
			t.Errorf("%s: got %q, want %q", row.url, got, row.want)
		}
	}
}

// What stands in the address of a request for a fix is shown with each of them,
// but for what its name says is secret.
func TestSecretsInAddressesOfRequestsAreScrubbed(t *testing.T) {
	t.Parallel()
	c := &cli{}
	c.keep(&configs.Config{Fixes: map[string]map[string]reconciler.Policy{"prices": {"basket": {Request: &reconciler.RequestTemplate{
		URL: "https://basket/items/{key.id}?api_key=hunter2&token={key.id}&sortkey=name&access_token=p%40ss"}}}}})
	said := "POST https://basket/items/7?api_key=hunter2&token=7&sortkey=name&access_token=p%40ss {key.id}"
	if got, want := c.scrub(said), "POST https://basket/items/7?api_key=***&token=7&sortkey=name&access_token=*** {key.id}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInterrupts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		graceful bool
		signals  int
		want     string
	}{
		{"a graceful command, once", true, 1, "finishing the page; press Ctrl-C again to stop now"},
		{"a graceful command, twice", true, 2, "finishing the page; press Ctrl-C again to stop now, let go, cancelled"},
		{"another command, once", false, 1, "let go, cancelled"},
	} {
		var said []string
		say := func(text string) { said = append(said, text) }
		i := newInterrupts(func() { say("cancelled") }, say, func() { say("let go") })
		if i.came() {
			t.Errorf("%s: came before it did", row.name)
		}
		if row.graceful {
			i.finishPages()
		}
		signals := make(chan os.Signal, row.signals)
		for range row.signals {
			signals <- syscall.SIGINT
		}
		for range row.signals {
			<-signals
			i.meet()
		}
		if got := strings.Join(said, ", "); got != row.want || !i.came() {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	i := newInterrupts(cancel, func(string) {}, nil)
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	i.watch(ctx, signals) // cancelled by the signal, and so over
	if !i.came() {
		t.Error("the signal was not met")
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plumbline.yaml")
	if err := os.WriteFile(file, []byte(`sources:
  shop: {kind: sqlite}
---
defaults:
  fields: [name]
checks:
  a-b:
    owner:
      key: [id]
    replicas:
      - source: shop
      - source: other
        key: [id, line]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPlaces(file)
	for _, row := range []struct {
		paths        []string
		path         string
		line, column int
	}{
		{[]string{"sources.shop"}, "sources.shop", 2, 9},
		{[]string{"checks.a-b.owner.key[0]"}, "checks.a-b.owner.key[0]", 9, 13},
		{[]string{"checks.a-b.replicas[1].key[1]"}, "checks.a-b.replicas[1].key[1]", 13, 19},
		{[]string{"checks.a-b.replica", "checks.a-b.replicas[0]"}, "checks.a-b.replicas[0]", 11, 9},
		{[]string{"checks.a-b.fields[0]", "defaults.fields[0]"}, "defaults.fields[0]", 5, 12},
		{[]string{"checks.a-b.owner.version"}, "checks.a-b.owner.version", 9, 7},
		{[]string{"alerts.x[3]"}, "alerts.x[3]", 0, 0},
	} {
		got := p.of(row.paths...)
		if got.File != file || got.Path != row.path || got.Line != row.line || got.Column != row.column {
			t.Errorf("%v: got %s:%d:%d %s, want line %d, column %d, %s", row.paths, got.File, got.Line, got.Column, got.Path, row.line, row.column, row.path)
		}
	}
}

func TestEveryFlagAndCommandSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	c := &cli{}
	root := c.rootCommand()
	var names []string
	for _, cmd := range root.Commands() {
		names = append(names, cmd.Name())
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: %q", cmd.Name(), cmd.Short)
		}
	}
	slices.Sort(names)
	want := []string{"alerts", "audit", "demo", "diff", "doctor", "explain", "findings", "fix", "incidents", "init", "run", "runs", "schema", "serve", "sources", "token", "user",
		"validate", "version"}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}
