package web

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

// policy lets a page load from us alone, and run no script that stands in it.
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// protect sets the headers every answer carries. Pages hold values of other
// services' stores, so nothing but the assets may be kept.
func (g *guard) protect(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	if strings.HasPrefix(g.PublicURL, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	c.Next()
}

// ownHost refuses requests for another host's name: a page elsewhere whose name
// was made to lead to this machine must not read ours. Probes and scrapers ask by
// whatever address they were given, and are told nothing that a page could use.
func (g *guard) ownHost(c *gin.Context) {
	if host := c.Request.Host; !loopbackHost(host) && !g.publicHost(host) && !forProbes(c.Request.URL.Path) {
		writeProblem(c, newProblem(http.StatusMisdirectedRequest, fmt.Sprintf("this server does not answer for the host %q", host),
			"ask for 127.0.0.1 or localhost on the machine where it runs, or for the host of server.public_url"))
		return
	}
	c.Next()
}

func forProbes(path string) bool { return path == "/metrics" || path == "/livez" || path == "/readyz" }

// publicHost says whether a Host header names where people reach the pages.
func (g *guard) publicHost(hostport string) bool {
	public, err := url.Parse(g.PublicURL)
	return err == nil && public.Hostname() != "" && strings.EqualFold(hostname(hostport), public.Hostname())
}

func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.Trim(host, "[]")
}

func loopbackHost(hostport string) bool {
	host := hostname(hostport)
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// sameOrigin refuses what changes something when a page of another origin sent it.
func (g *guard) sameOrigin() (gin.HandlerFunc, error) {
	protection := http.NewCrossOriginProtection()
	if public, err := url.Parse(g.PublicURL); err == nil && public.Host != "" {
		// A proxy may ask us by another name than people ask it.
		if err := protection.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
			return nil, fmt.Errorf("trust %s: %w", g.PublicURL, err)
		}
	}
	return func(c *gin.Context) {
		if err := protection.Check(c.Request); err != nil {
			writeProblem(c, newProblem(http.StatusForbidden, "it was sent from a page of another site", "open the page on this server and act there"))
			return
		}
		c.Next()
	}, nil
}

// bounded refuses a request that is longer than any form or note of ours, and
// reads no further of one that does not say how long it is. Slack's door has a
// closer bound, and tells whoever comes there with more what it tells all it refuses.
func bounded(c *gin.Context) {
	if c.Request.ContentLength > bodyBytes && !strings.HasPrefix(c.Request.URL.Path, "/slack/") {
		writeProblem(c, newProblem(http.StatusRequestEntityTooLarge, "the request is longer than 1 MiB", "send less at once"))
		return
	}
	if c.Request.Body != nil {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, bodyBytes)
	}
	c.Next()
}

// address is where a request comes from: who is connected, or whom a trusted
// proxy names. What others say of themselves is not believed.
func (g *guard) address(c *gin.Context) string {
	if len(g.TrustedProxies) > 0 {
		return c.ClientIP()
	}
	return c.RemoteIP()
}

// stand puts what stands before every route in front of an engine's routes.
func (g *guard) stand(e *gin.Engine) error {
	var proxies []string
	for _, p := range g.TrustedProxies {
		proxies = append(proxies, p.String())
	}
	if err := e.SetTrustedProxies(proxies); err != nil {
		return fmt.Errorf("trust the proxies: %w", err)
	}
	e.RemoteIPHeaders = []string{"X-Forwarded-For"}
	e.UseRawPath, e.UnescapePathValues = true, true // names of checks may hold a slash
	e.HandleMethodNotAllowed = true
	same, err := g.sameOrigin()
	if err != nil {
		return err
	}
	e.Use(g.protect, g.ownHost, same, bounded, g.admit)
	return nil
}
