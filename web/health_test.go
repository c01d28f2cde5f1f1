package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"plumbline/web"
)

// Readiness follows the ledger and the configuration, and nothing else; a
// process that is not ready lives all the same.
func TestReadiness(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	now := time.Now()
	w.options.Now = func() time.Time { return now }
	w.options.Sources = func() map[string]web.SourceState {
		return map[string]web.SourceState{"shop": {State: web.SourceDown, Why: "gone"}}
	}
	w.handler = sure(web.NewAPI(w.options))
	says := func(status int, words string) {
		t.Helper()
		text, err := io.ReadAll(w.ask(status, http.MethodGet, "/readyz", "").Body)
		if err != nil || !strings.Contains(string(text), words) {
			t.Errorf("/readyz says %s (%v), want %q", text, err, words)
		}
		w.ask(http.StatusOK, http.MethodGet, "/livez", "")
		now = now.Add(time.Minute) // an answer of the ledger stands for a while
	}
	says(http.StatusOK, `"ok"`)
	refused := *w.declared
	refused.LastReloadError = "plumbline.yaml:3:1: unknown key"
	w.declared = &refused
	says(http.StatusOK, "plumbline.yaml:3:1: unknown key")
	w.declared = &web.Declared{}
	says(http.StatusServiceUnavailable, "no configuration")
}
