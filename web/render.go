package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/alerts"

	"plumbline/access"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pageNames are the templates that lay out a page; each defines "body".
func pageNames() []string {
	return []string{"overview", "check", "incidents", "incident", "findings", "finding", "fixes", "fix", "reveal", "confirm", "runs", "run", "sources", "problem",
		"login", "setup", "account", "token", "access", "audit", "link"}
}

func parseTemplates() (map[string]*template.Template, error) {
	pages := map[string]*template.Template{}
	for _, name := range pageNames() {
		page, err := template.ParseFS(templateFiles, "templates/layout.html", "templates/runtable.html", "templates/incidenttable.html", "templates/fixtable.html", "templates/tokentable.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("read the page %s: %w", name, err)
		}
		pages[name] = page
	}
	return pages, nil
}

// frame is what every page shows around its body.
type frame struct {
	Title   string
	Static  string // where the assets are
	Nav     []navLink
	Search  string
	At      moment
	URL     string // of this page
	Live    string // the regions that are fetched anew, as hx-select-oob takes them; "" for none
	Chart   bool
	Version string
	Said    *notice
	Trouble []notice // what concerns every page
	Who     who
	May     may
}

// who is whoever looks at the page.
type who struct {
	Name, Role string
	SignedIn   bool
	Open       bool // nobody need sign in: there are no accounts
}

// may says what of a page's buttons is for whoever looks.
type may struct{ View, Values, Act, Reveal, Approve, Audit, Manage bool }

func mayOf(a access.Actor) may {
	return may{View: a.May(access.View), Values: a.May(access.Values), Act: a.May(access.Act), Reveal: a.May(access.Reveal),
		Approve: a.May(access.Approve), Audit: a.May(access.Audit), Manage: a.May(access.Manage)}
}

func whoOf(a access.Actor) who {
	return who{Name: a.Name, Role: string(a.Role), SignedIn: a.Account != "", Open: !a.Anonymous() && a.Account == "" && a.Token == ""}
}

type navLink struct {
	Name, URL string
	Current   bool
	Count     string
	Hot       bool // the count is of what drifts
}

// notice is one line about what was just done, or what the page cannot say.
type notice struct{ Tone, Icon, Text string }

// frame makes the frame of the page a request asks for.
func (s *Server) frame(c *gin.Context, title, section string, live ...string) frame {
	f := frame{Title: title, Static: s.assets.prefix, At: at(s.now(), s.now(), ""), URL: c.Request.URL.RequestURI(), Version: s.o.Version}
	for i, id := range live {
		if i > 0 {
			f.Live += ","
		}
		f.Live += "#" + id
	}
	actor := access.ActorOf(c.Request.Context())
	f.Who, f.May = whoOf(actor), mayOf(actor)
	f.Said = said(c.Query("said"))
	if !f.May.View {
		return f // and nothing of what goes on
	}
	for _, link := range []navLink{{Name: "Overview", URL: "/"}, {Name: "Incidents", URL: "/incidents"}, {Name: "Findings", URL: "/findings"}, {Name: "Fixes", URL: "/fixes"}, {Name: "Runs", URL: "/runs"}, {Name: "Sources", URL: "/sources"}, {Name: "Audit log", URL: "/audit"}} {
		if link.URL == "/audit" && !f.May.Audit {
			continue
		}
		link.Current = link.URL == section
		if link.URL == "/incidents" {
			incidents := s.openIncidents(c.Request.Context())
			if open := incidents.Of(); open > 0 {
				link.Count, link.Hot = exact(open), incidents.Of(alerts.Open) > 0
			}
		}
		if link.URL == "/findings" {
			if open := s.openFindings(c); open > 0 {
				link.Count, link.Hot = exact(open), true
			}
		}
		if link.URL == "/fixes" {
			if live := s.livePlans(c.Request.Context()); live > 0 {
				link.Count = exact(live)
				if live >= liveAtMost {
					link.Count += "+"
				}
			}
		}
		f.Nav = append(f.Nav, link)
	}
	declared := s.o.Declared()
	if why := declared.LastReloadError; why != "" {
		f.Trouble = append(f.Trouble, notice{"warn", "warn", "The configuration was changed and cannot be used; the last good one stays in force. " + s.o.Lens.Scrub(why)})
	}
	for _, text := range declared.Notices {
		f.Trouble = append(f.Trouble, notice{"warn", "warn", text})
	}
	f.Trouble = append(f.Trouble, s.frozen(c.Request.Context())...)
	f.Trouble = append(f.Trouble, s.undelivered(c)...)
	return f
}

// render writes a page whole or, where its template fails, an error: a page cut
// off in the middle could pass for the truth.
func (s *Server) render(c *gin.Context, status int, name string, view any) {
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout", view); err != nil {
		s.o.Log.Error("render page", "page", name, "error", err)
		c.String(http.StatusInternalServerError, "The page could not be made. The process's log says why.")
		return
	}
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
}

// problemView says what went wrong and what to do next.
type problemView struct {
	Page    frame
	Problem problem
}

type problem struct {
	Heading, Text, Next string
	Links               []pageLink
}

type pageLink struct{ Name, URL string }

func (s *Server) problem(c *gin.Context, status int, p problem) {
	if len(p.Links) == 0 && access.ActorOf(c.Request.Context()).May(access.View) {
		p.Links = []pageLink{{"Overview", "/"}, {"Findings", "/findings"}}
	}
	s.render(c, status, "problem", problemView{Page: s.frame(c, p.Heading, ""), Problem: p})
}

// broken answers a request that the ledger could not serve.
func (s *Server) broken(c *gin.Context, err error) {
	if c.Request.Context().Err() != nil {
		return // nobody waits for the answer
	}
	if denied, ok := errors.AsType[*access.DeniedError](err); ok {
		s.denied(c, denied)
		return
	}
	s.o.Log.Error("answer a page", "path", c.Request.URL.Path, "error", err)
	s.problem(c, http.StatusServiceUnavailable, problem{Heading: "The ledger does not answer", Text: s.o.textFor(c.Request.Context(), err.Error()),
		Next:  "Runs go on and are recorded once it does. Try again; if it stays so, ask /readyz and look at the log.",
		Links: []pageLink{{"Try again", c.Request.URL.RequestURI()}, {"Overview", "/"}}})
}

// with is a link to path with one query parameter set, or left out when empty.
func with(path string, query url.Values, name, value string) string {
	q := url.Values{}
	for k, v := range query {
		if k != "said" {
			q[k] = v
		}
	}
	if value == "" {
		q.Del(name)
	} else {
		q.Set(name, value)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// now is the time by which pages tell how long ago something was.
func (s *Server) now() time.Time { return s.o.Now().UTC() }
