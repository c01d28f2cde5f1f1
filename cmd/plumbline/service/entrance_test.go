package service_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/alerts/slack/slacktest"
)

const entranceConfig = `
server: {listen: "0.0.0.0:0", metrics: "127.0.0.1:0"}
sources: {shop: {kind: sqlite, url: "sqlite://SHOP"}}
checks:
  prices: {owner: {source: shop, dataset: t, key: [id]}, replica: {source: shop, dataset: t, key: [id]}, fields: []}
`

// Without accounts nobody else reaches it, and whoever started it is told how to
// make the first; the log is not. With one it listens as it is told to.
func TestOthersReachItOnceThereIsAnAccount(t *testing.T) {
	t.Parallel()
	o := &office{t: t, dir: t.TempDir(), log: &logged{}, listen: "0.0.0.0:0"}
	shop := strings.TrimPrefix(stores(t, "shop")["shop"].URL.Reveal(), "sqlite://")
	if err := os.WriteFile(filepath.Join(o.dir, "plumbline.yaml"), []byte(strings.Replace(entranceConfig, "SHOP", shop, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	o.start()
	said := strings.Join(o.service.Said(), "\n")
	_, code, found := strings.Cut(said, "/setup?code=")
	code, _, _ = strings.Cut(code, " ")
	if host := o.host(); host != "127.0.0.1" || !found || len(code) < 20 || !strings.Contains(said, "instead of 0.0.0.0:0") {
		t.Errorf("it listens on %s and says %s", host, said)
	}
	_, metrics, _ := strings.Cut(said, "metrics are on ")
	metrics, _, _ = strings.Cut(metrics, "\n")
	if status, body := ask(t, metrics); status != http.StatusOK || !strings.Contains(body, "plumbline_build_info") {
		t.Errorf("%s: %d %s", metrics, status, body)
	}
	if status, _ := ask(t, strings.TrimSuffix(metrics, "/metrics")+"/"); status != http.StatusNotFound {
		t.Errorf("where the metrics are, / answers %d", status)
	}
	if log := o.log.String(); strings.Contains(log, code) || !strings.Contains(log, "no accounts yet") {
		t.Errorf("the log is %s", log)
	}
	if _, err := o.service.Ledger().CreateAccount(t.Context(), "ann", access.Admin, "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	if err := o.service.Stop(); err != nil {
		t.Fatal(err)
	}
	o.start()
	if said := strings.Join(o.service.Said(), "\n"); o.host() == "127.0.0.1" || strings.Contains(said, "setup") {
		t.Errorf("with an account it listens on %s and says %s", o.host(), said)
	}
}

func (o *office) host() string {
	host, _, err := net.SplitHostPort(strings.TrimPrefix(o.service.Address(), "http://"))
	if err != nil {
		o.t.Error(err)
	}
	return host
}

func ask(t *testing.T, address string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// Another signing secret counts from the reload on, and the one before no more.
func TestSlacksSecretsAreReloaded(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	door := o.door(false)
	o.hears(door, o.ann, "status", "1 check")
	file := filepath.Join(o.dir, "plumbline.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		text   string
		status int
	}{
		{strings.Replace(string(before), slacktest.SigningSecret, "another-signing-secret", 1), http.StatusUnauthorized},
		{string(before), http.StatusOK},
		{strings.Replace(strings.Split(string(before), "alerts:\n")[0], `, alert: {slack: "#data"}`, "", 1), http.StatusNotFound},
	} {
		if err := os.WriteFile(file, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if !o.service.Reload(t.Context()) {
			t.Fatal("not reloaded")
		}
		ack, err := door.Command(t.Context(), o.ann, channel, fmt.Sprintf("show I-%d", step.status))
		if err != nil || ack.Status != step.status {
			t.Errorf("answered %d %s, %v; want %d\n%s", ack.Status, ack.Body, err, step.status, o.log)
		}
	}
}
