package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/web"
)

// The document is OpenAPI 3.1, every reference in it leads somewhere, and every
// route the contract promises is in it.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	local := access.Local(access.ByCommand, "")
	handler, err := web.NewAPI(web.Options{Version: "v1.2.3", Actor: &local})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "http://localhost/api/openapi.json", nil)
	handler.ServeHTTP(answer, request)
	var document map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if document["openapi"] != "3.1.0" {
		t.Errorf("openapi: %v", document["openapi"])
	}
	paths := document["paths"].(map[string]any)
	for path, methods := range promised() {
		for _, method := range methods {
			operations, _ := paths["/api/v1"+path].(map[string]any)
			if operations[method] == nil {
				t.Errorf("the document lacks %s %s", method, path)
			}
		}
	}
	eachReference(document, func(pointer string) {
		if !leads(document, pointer) {
			t.Errorf("%s leads nowhere", pointer)
		}
	})
}

// promised are the routes that programs rely on.
func promised() map[string][]string {
	return map[string][]string{
		"/checks": {"get"}, "/checks/{name}": {"get"}, "/checks/{name}/runs": {"post"}, "/checks/{name}/baseline": {"post"},
		"/runs": {"get"}, "/runs/{id}": {"get"}, "/runs/{id}/cancel": {"post"}, "/runs/{id}/resume": {"post"},
		"/findings": {"get"}, "/findings/{id}": {"get"}, "/findings/{id}/ack": {"post"}, "/findings/{id}/mute": {"post"},
		"/findings/{id}/unmute": {"post"}, "/findings/ack": {"post"}, "/findings/mute": {"post"}, "/findings/unmute": {"post"}, "/findings/{id}/recheck": {"post"}, "/findings/{id}/reveal": {"post"}, "/audit": {"get"},
		"/incidents": {"get"}, "/incidents/{id}": {"get"}, "/incidents/{id}/ack": {"post"}, "/incidents/{id}/mute": {"post"}, "/incidents/{id}/unmute": {"post"},
		"/incidents/{id}/recheck": {"post"}, "/checks/{name}/mute": {"post"}, "/checks/{name}/unmute": {"post"},
		"/sources": {"get"}, "/summary": {"get"}, "/events": {"get"},
	}
}

func eachReference(node any, met func(string)) {
	switch node := node.(type) {
	case map[string]any:
		for name, below := range node {
			if pointer, ok := below.(string); ok && name == "$ref" {
				met(pointer)
			}
			eachReference(below, met)
		}
	case []any:
		for _, below := range node {
			eachReference(below, met)
		}
	}
}

func leads(document any, pointer string) bool {
	for _, name := range strings.Split(strings.TrimPrefix(pointer, "#/"), "/") {
		under, ok := document.(map[string]any)
		if !ok {
			return false
		}
		document = under[name]
	}
	return document != nil
}
