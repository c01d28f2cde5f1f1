package web

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// policy lets a page load from us alone, and run no script that stands in it.
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// protect sets the headers every answer carries. Pages hold values of other
// services' stores, so nothing but the assets may be kept.
func protect(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	c.Next()
}

// ownHost refuses requests for another host's name: a page elsewhere whose name
// was made to lead to this machine must not read ours.
func ownHost(c *gin.Context) {
	if !loopbackHost(c.Request.Host) {
		writeProblem(c, newProblem(http.StatusMisdirectedRequest, fmt.Sprintf("this server does not answer for the host %q", c.Request.Host),
			"ask for 127.0.0.1 or localhost, on the machine where it runs"))
		return
	}
	c.Next()
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// sameOrigin refuses what changes something when a page of another origin sent it.
func sameOrigin() gin.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c *gin.Context) {
		if err := protection.Check(c.Request); err != nil {
			writeProblem(c, newProblem(http.StatusForbidden, "it was sent from a page of another site", "open the page on this server and act there"))
			return
		}
		c.Next()
	}
}
