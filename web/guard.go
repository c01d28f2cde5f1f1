package web

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"plumbline/access"
)

// guard knows who asks and lets through who may.
type guard struct {
	Options
	routes *routes
}

func newGuard(o Options, r *routes) *guard { return &guard{o.withDefaults(), r} }

// admit finds out who asks, refuses who may not, and hands the attempt on.
func (g *guard) admit(c *gin.Context) {
	need, ok := g.routes.needOf(c)
	if !ok {
		c.Next() // answered as what is not there
		return
	}
	attempt := &access.Attempt{Actor: access.Local(access.ByPage, c.RemoteIP()), Action: need.Action}
	if err := access.Require(access.With(c.Request.Context(), attempt), need.Permission); err != nil {
		writeProblem(c, newProblem(http.StatusForbidden, err.Error(), "ask an admin"))
		return
	}
	c.Request = c.Request.WithContext(access.With(c.Request.Context(), attempt))
	c.Next()
}
