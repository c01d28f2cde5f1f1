package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// Server answers HTTP. It is safe for many goroutines.
type Server struct {
	o      Options
	ledger shownLedger // which shows what whoever asks may see
	guard  *guard
	assets *assets
	pages  map[string]*template.Template
	engine *gin.Engine
	// What every page shows of the ledger.
	open      glance[int64]
	incidents glance[ledger.IncidentCounts]
	outlets   glance[[]ledger.OutletState]
	plans     glance[int64]
	freezes   glance[[]reconciler.Freeze]
}

// New makes a server. It fails where the binary was built without its assets.
func New(o Options) (*Server, error) {
	s := &Server{o: o.withDefaults()}
	s.ledger = shownLedger{s.o.Ledger}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = parseTemplates(); err != nil {
		return nil, err
	}
	s.engine, err = s.routes()
	return s, err
}

// Handler is every route of the server.
func (s *Server) Handler() http.Handler { return s.engine }

func (s *Server) routes() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	routes := newRoutes(e)
	s.guard = newGuard(s.o, routes)
	s.guard.refuse = s.denied
	e.Use(gin.CustomRecovery(s.recovered))
	if err := s.guard.stand(e); err != nil {
		return nil, err
	}
	routes.reads("/static/*file", access.Public, gin.WrapF(s.assets.serve))
	s.pageRoutes(routes)
	s.accessRoutes(routes)
	if s.o.Slack != nil {
		for _, path := range []string{"/slack/interactions", "/slack/commands"} {
			routes.acts(path, access.Public, slackAction, gin.WrapH(s.o.Slack))
		}
	}
	if err := programRoutes(routes, s.o); err != nil {
		return nil, err
	}
	if err := routes.whole(); err != nil {
		return nil, err
	}
	e.NoRoute(func(c *gin.Context) {
		s.problem(c, http.StatusNotFound, problem{Heading: "There is no such page", Text: c.Request.URL.Path,
			Next: "It may have been removed, or the address is cut off."})
	})
	e.NoMethod(func(c *gin.Context) {
		s.problem(c, http.StatusMethodNotAllowed, problem{Heading: "This cannot be done here", Text: c.Request.Method + " " + c.Request.URL.Path,
			Next: "Go back to the page and use its buttons."})
	})
	return e, nil
}

// slackAction is what the audit log calls what Slack sends. Who asks is known by
// its signature alone: no cookie and no origin stands for it.
const slackAction = "slack request"

func (s *Server) pageRoutes(r *routes) {
	r.reads("/", access.View, s.getOverview)
	r.reads("/checks/:name", access.View, s.getCheck)
	r.acts("/checks/:name/runs", access.Act, "run", s.postRun)
	r.acts("/checks/:name/baseline", access.Act, "accept baseline", s.acceptBaseline)
	s.incidentRoutes(r)
	r.reads("/findings", access.View, s.getFindings)
	r.acts("/findings/many", access.Act, "ask about many", s.confirmMany)
	r.acts("/findings/many/do", access.Act, "act on many", s.actOnMany)
	r.reads("/findings/:id", access.View, s.getFinding)
	r.acts("/findings/:id/:act", access.Act, "act on finding", s.actOnOne)
	r.acts("/findings/:id/reveal", access.Reveal, "reveal", s.postReveal)
	s.fixRoutes(r)
	r.reads("/runs", access.View, s.getRuns)
	r.reads("/runs/:id", access.View, s.getRun)
	r.acts("/runs/:id/:act", access.Act, "act on run", s.actOnRun)
	r.reads("/sources", access.View, s.getSources)
}

func (s *Server) recovered(c *gin.Context, cause any) {
	s.o.Log.Error("answer a request", "path", c.Request.URL.Path, "panic", cause)
	s.render(c, http.StatusInternalServerError, "problem", problemView{Page: frame{Title: "Something broke", Static: s.assets.prefix, Version: s.o.Version, At: at(s.now(), s.now(), "")},
		Problem: problem{Heading: "Something broke", Text: "The page could not be made. The process's log says why.",
			Next: "Runs are not concerned. Try again, and report it with the line of the log.", Links: []pageLink{{"Overview", "/"}}}})
	c.Abort()
}

// Serve answers on the listener until ctx ends, then lets requests under way end
// for a few seconds.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: s.engine, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		// WriteTimeout would end the stream of events; what writes a page is bounded by its query.
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve pages: %w", err)
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(limited); err != nil {
		_ = server.Close() // whoever still reads has been given its time
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve pages: %w", err)
	}
	return nil
}
