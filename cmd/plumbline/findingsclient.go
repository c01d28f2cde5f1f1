package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/web"
)

// client asks the API: that of the plumbline serve which runs beside us, or,
// where none does, the same handlers in this process on the ledger itself.
type client struct {
	do    func(*http.Request) (*http.Response, error)
	base  string
	token string // "" where none is needed
	// ledger is the one that the API works on.
	ledger *ledger.Ledger
	close  func() error
	// warnOfCheck says so where a check that is asked for is not configured: what
	// is remembered of one that was can be asked for all the same.
	warnOfCheck func(name string)
}

// client finds the API. Whoever calls closes it.
func (c *cli) client(ctx context.Context) (*client, error) {
	config, err := c.load()
	if err != nil {
		return nil, err
	}
	l, err := c.openLedger(ctx, config, false)
	if err != nil {
		return nil, err
	}
	token := &commandToken{ledger: l, plain: c.getenv("PLUMBLINE_TOKEN"), now: c.now}
	close := func() error { return errors.Join(token.close(ctx), l.Close()) }
	beside, err := c.serving(ctx, l, token)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("look for a running plumbline serve: %w", err), close())
	}
	warn := func(name string) {
		if words := notConfigured(config, name); words != "" {
			c.console.Note(words)
		}
	}
	if beside != nil {
		c.console.Note(fmt.Sprintf("through plumbline serve at %s (process %d)", beside.Listen, beside.PID))
		remote := &http.Client{Timeout: time.Minute}
		return &client{do: remote.Do, base: "http://" + beside.Listen, token: token.plain, ledger: l, close: close, warnOfCheck: warn}, nil
	}
	actor, err := token.actor(ctx)
	if err != nil {
		return nil, errors.Join(err, close())
	}
	declared := service.Declare(config, c.now())
	lens := drift.Lens{Masker: drift.NewMasker(l.MaskKey()), Scrub: c.scrub}
	readers := newReaders(config, 0, nil)
	handler, err := web.NewAPI(web.Options{Ledger: l, Declared: func() *web.Declared { return declared }, Version: thisBuild().Version, Now: c.now, Actor: &actor,
		Desk: c.desk(config, l, readers, lens), Lens: lens})
	if err != nil {
		return nil, errors.Join(err, close())
	}
	closeAll := func() error {
		c.close(readers)
		return close()
	}
	return &client{do: inProcess(handler), base: "http://localhost", ledger: l, close: closeAll, warnOfCheck: warn}, nil
}

// notConfigured says that a check is not configured, and what was probably meant;
// "" where it is, or where none is named.
func notConfigured(config *configs.Config, name string) string {
	var names []string
	for i := range config.Checks {
		names = append(names, config.Checks[i].Name)
	}
	if name == "" || slices.Contains(names, name) {
		return ""
	}
	return "plumbline: " + noSuch("check", name, names, "there are "+listed(names))
}

// serving finds a live plumbline serve of this machine on the same ledger whose
// API answers; nil where there is none.
func (c *cli) serving(ctx context.Context, l *ledger.Ledger, token *commandToken) (*ledger.Process, error) {
	processes, err := l.Processes(ctx)
	if err != nil {
		return nil, err
	}
	here, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	for i := range processes {
		p := &processes[i]
		if p.Listen == "" || p.Host != here || c.now().Sub(p.Heartbeat) > service.AliveFor {
			continue
		}
		if err := token.make(ctx); err != nil {
			return nil, err
		}
		ours, err := answersAs(ctx, p, token.plain)
		if token.made == "" && refused(err) {
			return nil, fmt.Errorf("plumbline serve at %s does not take the token in $PLUMBLINE_TOKEN: %w", p.Listen, err)
		}
		if ours {
			return p, nil
		}
	}
	return nil, nil
}

// answersAs says whether the API at a process's address is that process's: one
// that was killed stays on the list for a while, and another may listen there by
// then. err says why nothing can be said.
func answersAs(ctx context.Context, p *ledger.Process, token string) (bool, error) {
	remote := &http.Client{Timeout: 2 * time.Second}
	var summary web.SummaryBody
	if err := (&client{do: remote.Do, base: "http://" + p.Listen, token: token}).get(ctx, "/summary", nil, &summary); err != nil {
		return false, err
	}
	return slices.ContainsFunc(summary.Processes, func(known web.ProcessBody) bool { return known.ID == p.ID }), nil
}

// answeredError is what the API answered instead of what was asked for.
type answeredError struct {
	status int
	words  string
}

func (e *answeredError) Error() string { return e.words }

// refused says whether the API refused who asked.
func refused(err error) bool {
	answered, ok := errors.AsType[*answeredError](err)
	return ok && (answered.status == http.StatusUnauthorized || answered.status == http.StatusForbidden)
}

// inProcess hands requests to a handler.
func inProcess(handler http.Handler) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		r.RequestURI = r.URL.RequestURI()
		if r.Body == nil {
			r.Body = http.NoBody
		}
		written := &written{header: http.Header{}, status: http.StatusOK}
		handler.ServeHTTP(written, r)
		return &http.Response{Status: http.StatusText(written.status), StatusCode: written.status, Header: written.header,
			Body: io.NopCloser(&written.body), Request: r}, nil
	}
}

// written is what a handler answered.
type written struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(status int)      { w.status = status }
func (w *written) Write(b []byte) (int, error) { return w.body.Write(b) }

// get asks for path and reads the answer into out.
func (cl *client) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return cl.ask(ctx, http.MethodGet, path, nil, out)
}

// post asks for something to be done.
func (cl *client) post(ctx context.Context, path string, body, out any) error {
	return cl.ask(ctx, http.MethodPost, path, body, out)
}

func (cl *client) ask(ctx context.Context, method, path string, body, out any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, cl.base+"/api/v1"+path, sent)
	if err != nil {
		return err
	}
	// It is asked for as on this machine, by whichever address it listens on: it
	// answers for no other name but that of server.public_url.
	request.Host = "localhost"
	request.Header.Set("Content-Type", "application/json")
	if cl.token != "" {
		request.Header.Set("Authorization", "Bearer "+cl.token)
	}
	answer, err := cl.do(request)
	if err != nil {
		return fmt.Errorf("ask plumbline serve: %w", err)
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return fmt.Errorf("read the answer of plumbline serve: %w", err)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		var problem web.Problem
		if err := json.Unmarshal(text, &problem); err != nil || problem.Detail == "" {
			return &answeredError{answer.StatusCode, "plumbline serve answered " + answer.Status}
		}
		return &answeredError{answer.StatusCode, joined(problem.Detail, commandWords(problem.NextStep))}
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the answer of plumbline serve: %w", err)
	}
	return nil
}

// joined is what went wrong and what to do next: a sentence of its own, or the
// rest of one.
func joined(wrong, next string) string {
	if r, _ := utf8.DecodeRuneInString(next); unicode.IsUpper(r) && !strings.HasPrefix(next, "GET ") {
		return strings.TrimSuffix(wrong, ".") + ". " + next
	}
	return wrong + ": " + next
}

// commandWords says what to do next as commands, where the API says it as requests.
func commandWords(next string) string {
	one := regexp.MustCompile(`at /api/v1/(runs|findings|incidents)/(\S+)`)
	all := regexp.MustCompile(`GET /api/v1/(runs|findings|incidents)\b`)
	next = one.ReplaceAllString(next, "with plumbline $1 show $2")
	next = all.ReplaceAllString(next, "plumbline $1 list")
	next = regexp.MustCompile(`(GET|at) /api/v1/fixes/(P-[0-9]+)`).ReplaceAllString(next, "plumbline fix show $2")
	return strings.NewReplacer("GET /api/v1/fixes", "plumbline fix list", "GET /api/v1/sources", "plumbline sources test", "GET /api/v1/checks", "plumbline validate",
		"read /api/openapi.json, which says what may be asked", "look at what the command's --help says",
		"ask /readyz", "run plumbline doctor").Replace(next)
}

// pages asks for a list page by page, at most most items of it (0 is all), and
// hands each page on. more says whether the list goes on.
func pages[T any](ctx context.Context, cl *client, path string, query url.Values, most int, take func([]T) error) (more bool, err error) {
	const perPage = 500
	got := 0
	for {
		size := perPage
		if most > 0 {
			size = min(perPage, most-got)
		}
		query.Set("limit", fmt.Sprint(size))
		var page web.ListBody[T]
		if err := cl.get(ctx, path, query, &page); err != nil {
			return false, err
		}
		if err := take(page.Items); err != nil {
			return false, err
		}
		got += len(page.Items)
		if page.Next == "" || most > 0 && got >= most {
			return page.Next != "", nil
		}
		query.Set("after", page.Next)
	}
}

// list writes a list of the API: at most most items of it, as a table or as JSON.
func list[T any](ctx context.Context, c *cli, cl *client, path string, query url.Values, most int, format string, table func(all []T, more bool) error) error {
	cl.warnOfCheck(query.Get("check"))
	all := []T{}
	more, err := pages(ctx, cl, path, query, most, func(page []T) error {
		if format != "ndjson" {
			all = append(all, page...)
			return nil
		}
		for i := range page {
			if err := c.written(report.WriteLine(c.stdout, &page[i])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch format {
	case "table":
		return c.written(table(all, more))
	case "json":
		return c.written(report.WriteJSON(c.stdout, struct {
			SchemaVersion int  `json:"schema_version"`
			Items         []T  `json:"items"`
			More          bool `json:"more"`
		}{1, all, more}))
	}
	return nil
}

// asked is the query of what is set in pairs of name and value.
func asked(pairs ...string) url.Values {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

// with finds the API, does, and lets go of it.
func (c *cli) with(ctx context.Context, do func(*client) error) error {
	cl, err := c.client(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(cl), cl.close())
}
