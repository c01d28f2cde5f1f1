package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"plumbline/access"
)

// guarded is an engine with what stands before every route, and one route that
// changes something.
func guarded(t *testing.T) http.Handler {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	r := newRoutes(e)
	local := access.Local(access.ByPage, "")
	if err := newGuard(Options{Actor: &local, PublicURL: "https://plumbline.example.com"}, r).stand(e); err != nil {
		t.Fatal(err)
	}
	r.acts("/act", access.Act, "act", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	r.reads("/page", access.View, func(c *gin.Context) { c.String(http.StatusOK, "page") })
	r.reads("/livez", access.Public, func(c *gin.Context) { c.String(http.StatusOK, "ok") })
	return e
}

func TestForeignPagesAndNamesAreRefused(t *testing.T) {
	t.Parallel()
	h := guarded(t)
	for _, c := range []struct {
		method, path, host string
		headers            map[string]string
		want               int
	}{
		{"GET", "/page", "127.0.0.1:8080", nil, 200},
		{"GET", "/page", "localhost:8080", nil, 200},
		{"GET", "/page", "plumbline.example.com", nil, 200},
		{"GET", "/page", "plumbline.example.com:443", nil, 200},
		{"GET", "/page", "evil.example.com", nil, 421},
		{"GET", "/page", "10.1.2.3:8080", nil, 421},
		{"GET", "/livez", "10.1.2.3:8080", nil, 200}, // as probes ask
		{"TRACE", "/page", "127.0.0.1:8080", nil, 405},
		{"POST", "/act", "127.0.0.1:8080", map[string]string{"Origin": "https://plumbline.example.com"}, 204}, // through a proxy
		{"GET", "/page", "127.0.0.1.nip.example.com:8080", nil, 421},
		{"POST", "/act", "127.0.0.1:8080", map[string]string{"Sec-Fetch-Site": "same-origin"}, 204},
		{"POST", "/act", "127.0.0.1:8080", map[string]string{"Origin": "http://127.0.0.1:8080"}, 204},
		{"POST", "/act", "127.0.0.1:8080", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"POST", "/act", "127.0.0.1:8080", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"POST", "/act", "127.0.0.1:8080", map[string]string{"Origin": "http://evil.example.com"}, 403},
		{"POST", "/act", "127.0.0.1:8080", map[string]string{"Origin": "null"}, 403},
		{"POST", "/act", "127.0.0.1:8080", nil, 204}, // in this process
	} {
		r := httptest.NewRequest(c.method, "http://"+c.host+c.path, nil)
		for k, v := range c.headers {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s to %s with %v: %d, want %d", c.method, c.path, c.host, c.headers, w.Code, c.want)
		}
	}
}

func TestEveryAnswerIsLockedDown(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	guarded(t).ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/page", nil))
	for name, want := range map[string]string{"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age="} {
		if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if strings.Contains(w.Header().Get("Content-Security-Policy"), "unsafe") {
		t.Error("the policy lets something unsafe through")
	}
}

// The templates hold nothing that the policy would refuse, or that would make it
// worth loosening.
func TestTemplatesHoldNoScriptAndNoStyle(t *testing.T) {
	t.Parallel()
	files, err := templateFiles.ReadDir("templates")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	for _, f := range files {
		text, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{" style=", "<style", " onclick", " onload", " onsubmit", "javascript:", "<script>", "http://", "https://", "hx-on", "hx-vals"} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%s holds %q", f.Name(), bad)
			}
		}
	}
}
