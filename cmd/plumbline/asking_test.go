package main

import (
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// command runs a command in dir and returns what it wrote.
func command(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("plumbline", args...)
	cmd.Dir = dir
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); err != nil {
		t.Fatalf("plumbline %s: %v\n%s", strings.Join(args, " "), err, both.String())
	}
	return both.Bytes()
}

// token makes an API token with these scopes.
func token(t *testing.T, dir, name, scopes string) string {
	t.Helper()
	made := regexp.MustCompile(`plb_[a-z2-7]+`).Find(command(t, dir, "token", "add", name, "--scopes", scopes))
	if made == nil {
		t.Fatal("no token was shown")
	}
	return string(made)
}

// bearer asks a service with a token.
type bearer struct {
	t       *testing.T
	address string
}

func (b *bearer) get(token, path string) (status int, body []byte) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.address+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, body
}

func (b *bearer) body(token, path string) string {
	b.t.Helper()
	_, body := b.get(token, path)
	return string(body)
}

// crawl reads every page and answer that can be reached, by its path.
func (b *bearer) crawl(token string) map[string][]byte {
	b.t.Helper()
	links := regexp.MustCompile(`(?:href|action|hx-get)="(/[^"#]*)`)
	ids := regexp.MustCompile(`"(?:finding|id)":"((?:F-|I-)?[0-9A-Za-z-]+)"`)
	pages := map[string][]byte{}
	next := []string{"/", "/api/v1/checks", "/api/v1/findings?limit=500", "/api/v1/runs?limit=20", "/api/v1/sources", "/api/v1/summary", "/api/v1/incidents", "/findings?q=per"}
	for len(next) > 0 && len(pages) < 250 {
		path := next[0]
		next = next[1:]
		if _, read := pages[path]; read || strings.HasPrefix(path, "/static/") || strings.HasPrefix(path, "/api/v1/events") {
			continue
		}
		_, body := b.get(token, path)
		pages[path] = body
		for _, link := range links.FindAllSubmatch(body, -1) {
			next = append(next, strings.ReplaceAll(string(link[1]), "&amp;", "&"))
		}
		for list, one := range map[string]string{"/api/v1/findings": "/api/v1/findings/", "/api/v1/runs": "/api/v1/runs/", "/api/v1/incidents": "/api/v1/incidents/"} {
			if strings.HasPrefix(path, list+"?") || path == list {
				for i, id := range ids.FindAllSubmatch(body, -1) {
					if i < 30 {
						next = append(next, one+string(id[1]))
					}
				}
			}
		}
	}
	if len(pages) < 40 {
		b.t.Errorf("only %d pages could be reached", len(pages))
	}
	return pages
}
