package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"plumbline/access"
)

// need is what a route asks of whoever uses it.
type need struct {
	Permission access.Permission
	// Action is what the audit log calls it; "" for what changes nothing.
	Action string
}

// routes are the routes of a server with what each of them needs. A route that
// does not say is refused when the server is made.
type routes struct {
	engine *gin.Engine
	needs  map[string]need // by method and path, as gin writes it
}

func newRoutes(engine *gin.Engine) *routes { return &routes{engine, map[string]need{}} }

func (r *routes) declare(method, path string, n need) { r.needs[method+" "+path] = n }

// reads serves a path to whoever holds a permission: with GET, or with HEAD for
// the headers alone.
func (r *routes) reads(path string, p access.Permission, handler gin.HandlerFunc) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.declare(method, path, need{Permission: p})
		r.engine.Handle(method, path, handler)
	}
}

// stream serves an operation of the API that no framework describes.
func (r *routes) stream(o operation, handler gin.HandlerFunc) {
	r.declare(o.Method, o.Path, o.need)
	r.engine.Handle(o.Method, o.Path, handler)
}

// acts serves a POST, which changes something and is in the audit log.
func (r *routes) acts(path string, p access.Permission, action string, handler gin.HandlerFunc) {
	r.declare(http.MethodPost, path, need{p, action})
	r.engine.POST(path, handler)
}

// needOf is what the route needs that a request was matched to; ok is false
// where there is no such route, or it does not say.
func (r *routes) needOf(c *gin.Context) (n need, ok bool) {
	n, ok = r.needs[c.Request.Method+" "+c.FullPath()]
	return n, ok
}

// whole says which route does not declare what it needs, or was declared and is not there.
func (r *routes) whole() error {
	there := map[string]bool{}
	for _, route := range r.engine.Routes() {
		name := route.Method + " " + route.Path
		there[name] = true
		n, declared := r.needs[name]
		switch {
		case !declared || n.Permission == "":
			return fmt.Errorf("the route %s does not declare what it needs", name)
		case route.Method == http.MethodPost && n.Action == "":
			return fmt.Errorf("the route %s changes something and has no name in the audit log", name)
		}
	}
	for name := range r.needs {
		if !there[name] {
			return fmt.Errorf("the route %s is declared and not served", name)
		}
	}
	return nil
}

// operation is an operation of the API with what it needs.
type operation struct {
	huma.Operation
	need need
}

// described says in the OpenAPI document, too, what the operation needs.
func (o operation) described() huma.Operation {
	o.Extensions = map[string]any{"x-permission": string(o.need.Permission)}
	return o.Operation
}

// get and post describe operations.
func get(id, path string, p access.Permission, summary string) operation {
	return operation{huma.Operation{OperationID: id, Method: http.MethodGet, Path: apiRoot + path, Summary: summary}, need{Permission: p}}
}

func post(id, path string, p access.Permission, action, summary string) operation {
	return operation{huma.Operation{OperationID: id, Method: http.MethodPost, Path: apiRoot + path, Summary: summary, MaxBodyBytes: bodyBytes}, need{p, action}}
}

// serve adds an operation to the API.
func serve[In, Out any](a *api, h huma.API, o operation, handler func(ctx context.Context, in *In) (*Out, error)) {
	a.routes.declare(o.Method, ginPath(o.Path), o.need)
	huma.Register(h, o.described(), handler)
}

// ginPath writes a path of the API as gin does: {id} as :id.
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}
