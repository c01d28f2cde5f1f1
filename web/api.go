package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"plumbline/access"
)

const (
	apiRoot     = "/api/v1"
	openAPIPath = "/api/openapi.json"
	// bodyBytes is how long a request may be: a note and a few keys.
	bodyBytes = 1 << 20
)

// api answers what programs ask. It says what its own OpenAPI document says: both
// are made of the same types.
type api struct {
	Options
	Ledger shownLedger // in place of that of the options: it shows what whoever asks may see
	routes *routes
	pulse  pulse
}

func apiOf(o Options) *api { return &api{Options: o, Ledger: shownLedger{o.Ledger}} }

// NewAPI is a server without pages, for a command that works on the ledger
// itself. Nothing needs to listen: requests are handed to it.
func NewAPI(o Options) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	routes := newRoutes(engine)
	if err := newGuard(o, routes).stand(engine); err != nil {
		return nil, err
	}
	if err := programRoutes(routes, o); err != nil {
		return nil, err
	}
	return engine, routes.whole()
}

// serveAPI adds the API's routes and its OpenAPI document.
func serveAPI(routes *routes, o Options) error {
	engine := routes.engine
	a := apiOf(o.withDefaults())
	a.routes, a.pulse = routes, steady()
	engine.Use(a.unserved, a.once, a.sheltered)
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	registry.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[Problem]())
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{OpenAPI: "3.1.0", Info: &huma.Info{Title: "Plumbline", Version: a.Version,
			Description: "What Plumbline remembers of copies and their owners, and what may be done about it. " +
				"Lists are {items, next}: ask again with after=next. Errors are RFC 9457 problems whose next_step says what to do. " +
				"A POST with an Idempotency-Key is done once: asked again, it gets the same answer."},
			Components: &huma.Components{Schemas: registry}},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ours},
	}
	described := humagin.New(engine, config)
	a.checks(described)
	a.runs(described)
	a.findings(described)
	a.incidents(described)
	a.fixes(described)
	a.audit(described)
	a.events(described.OpenAPI())
	document, err := json.MarshalIndent(described.OpenAPI(), "", "  ")
	if err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	routes.reads(openAPIPath, access.View, func(c *gin.Context) { c.Data(http.StatusOK, "application/json", document) })
	return nil
}

// answer is a body with nothing beside it.
type answer[T any] struct{ Body T }

func answered[T any](body T) *answer[T] { return &answer[T]{body} }

// What requests have in common is exported, since the framework reads no
// embedded struct that is not.

// ByName names a check in a path.
type ByName struct {
	Name string `path:"name" doc:"A check's name."`
}

// ByID names a run or a finding in a path.
type ByID struct {
	ID string `path:"id"`
}

// OnceKey documents the header that once reads.
type OnceKey struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" doc:"Asked again with the same key, nothing is done and the first answer is given again."`
}

// Paging is the part of a list that is asked for.
type Paging struct {
	After string `query:"after" doc:"The next of the page before."`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

// programRoutes adds what programs ask, which is all but the pages.
func programRoutes(routes *routes, o Options) error {
	if err := serveAPI(routes, o); err != nil {
		return err
	}
	serveHealth(routes, o)
	serveMetrics(routes, o)
	return nil
}
