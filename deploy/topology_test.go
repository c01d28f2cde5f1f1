package deploy_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// planted is how the shop's copies have drifted, by check and kind.
func planted() map[string]int {
	return map[string]int{
		"products-in-search mismatch":   5, // three old prices, a misspelt name, a state
		"products-in-search missing":    2,
		"products-in-search extra":      1,
		"basket-prices mismatch":        4, // three old prices, a wrong total
		"basket-prices extra":           1,
		"members-of-loyalty mismatch":   2, // a tier, an address
		"members-of-loyalty missing":    1,
		"members-of-loyalty extra":      1, // a customer who was deleted
		"customers-in-billing mismatch": 1, // a city
		"customers-in-billing missing":  1,
		"prices-in-cache mismatch":      2, // an old price, an old name
		"prices-in-cache extra":         1,
	}
}

type (
	finding  struct{ Finding, Check, Kind, State string }
	incident struct{ ID, Check, Kind, State string }
	run      struct {
		ID, Check, Replica, Trigger string
		SlotAt                      string `json:"slot_at"`
	}
)

// TestTopology runs the composition as processes: its stores, filled by its own
// scripts, its first account, and its two Plumblines on one ledger in PostgreSQL.
func TestTopology(t *testing.T) {
	t.Parallel()
	secrets, binary := makeSecrets(t), program(t)
	shop := newShop(t, secrets, unique())
	for name, address := range shop.addresses {
		must(t, os.WriteFile(filepath.Join(secrets, name), []byte(address+"\n"), 0o600))
	}
	config := configured(t, secrets, freeAddress(t))
	first := slices.Clone([]string(compose(t).Services["first-account"].Command))
	for i, word := range first {
		first[i] = strings.ReplaceAll(word, "/run/secrets/", secrets+"/")
	}
	if said := command(t, binary, config, first...); !strings.Contains(said, "admin") {
		t.Errorf("the first account: %s", said)
	}
	command(t, binary, config, first...) // as with every further `docker compose up`
	token := command(t, binary, config, "token", "add", "topology", "--scopes", "view,values", "--role", "operator")
	one, two := serve(t, binary, secrets, token), serve(t, binary, secrets, token)
	both := []*process{one, two}

	for _, p := range both {
		eventually(t, "all that was planted is found, and nothing else", func() (string, bool) {
			found, err := openFindings(p)
			return fmt.Sprint(found, err), maps.Equal(found, planted())
		})
		command(t, binary, config, "doctor", "--ready", p.address)
	}
	wantAlike(t, both)
	wantOnePerSlot(t, one)
	wantMetrics(t, both)
	wantSession(t, both, strings.TrimSpace(read(t, filepath.Join(secrets, "admin_password"))))
	wantClosed(t, one)

	// One dies; the other goes on, and sees what heals.
	one.end(os.Kill)
	_, err := shop.copies.Collection("products").UpdateByID(t.Context(), 41, bson.D{{Key: "$set", Value: bson.D{{Key: "title", Value: "Nut driver"}}}})
	must(t, err)
	healed := planted()
	healed["products-in-search mismatch"]--
	eventually(t, "what healed is resolved by the one that is left", func() (string, bool) {
		found, err := openFindings(two)
		return fmt.Sprint(found, err), maps.Equal(found, healed)
	})
	wantOnePerSlot(t, two)
	if two.end(syscall.SIGTERM); two.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("it ended with %d", two.cmd.ProcessState.ExitCode())
	}
	for name, secret := range secretsIn(t, secrets) {
		if strings.Contains(one.logged()+two.logged(), secret) {
			t.Errorf("the log holds the secret %s", name)
		}
	}
}

// openFindings counts the open findings by check and kind.
func openFindings(p *process) (map[string]int, error) {
	found := map[string]int{}
	all, err := list[finding](p, "/api/v1/findings?limit=100")
	for _, f := range all {
		if f.State != "resolved" {
			found[f.Check+" "+f.Kind]++
		}
	}
	return found, err
}

// wantAlike wants both processes to tell the same findings and incidents: one
// incident of drift for each check.
func wantAlike(t *testing.T, both []*process) {
	t.Helper()
	eventually(t, "both tell the same", func() (string, bool) {
		var told []string
		for _, p := range both {
			findings, err := list[finding](p, "/api/v1/findings?limit=100")
			if err != nil {
				return err.Error(), false
			}
			incidents, err := list[incident](p, "/api/v1/incidents?state=open&limit=100")
			if err != nil {
				return err.Error(), false
			}
			var checks []string
			for _, i := range incidents {
				checks = append(checks, i.Check)
			}
			if slices.Sort(checks); !slices.Equal(checks, []string{"basket-prices", "customers-in-billing", "members-of-loyalty", "prices-in-cache", "products-in-search"}) {
				return fmt.Sprint(incidents), false
			}
			told = append(told, fmt.Sprint(findings, incidents))
		}
		return strings.Join(told, "\n"), told[0] == told[1]
	})
}

// wantOnePerSlot wants no slot of a check to have become two runs.
func wantOnePerSlot(t *testing.T, p *process) {
	t.Helper()
	runs, err := list[run](p, "/api/v1/runs?limit=100")
	must(t, err)
	seen := map[string]string{}
	for _, r := range runs {
		slot := r.Check + " " + r.Replica + " " + r.SlotAt
		if r.Trigger == "schedule" && seen[slot] != "" {
			t.Errorf("slot %s became the runs %s and %s", slot, seen[slot], r.ID)
		}
		seen[slot] = r.ID
	}
	if len(seen) < 3 {
		t.Errorf("there were %d runs", len(seen))
	}
}

// wantMetrics wants each process to tell its metrics, and nothing else, at the
// address that Prometheus asks without signing in.
func wantMetrics(t *testing.T, both []*process) {
	t.Helper()
	for _, p := range both {
		stranger := &process{t: t}
		_, text, err := stranger.ask("http://" + p.metrics + "/metrics")
		must(t, err)
		for _, want := range []string{`plumbline_check_state{check="basket-prices",state="drifted"} 1`, "plumbline_ledger_up 1",
			`plumbline_findings_open{check="members-of-loyalty",kind="extra",state="confirmed"} 1`} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("its metrics have no %s", want)
			}
		}
		for _, path := range []string{"/", "/api/v1/findings", "/login"} {
			if status, _, err := stranger.ask("http://" + p.metrics + path); err != nil || status != http.StatusNotFound {
				t.Errorf("%s at the address of the metrics answers %d, %v", path, status, err)
			}
		}
	}
}

// wantSession signs in at one process and wants the other to know the session.
func wantSession(t *testing.T, both []*process, password string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"name": {"admin"}, "password": {password}, "next": {"/"}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, both[0].address+"/login", strings.NewReader(form.Encode()))
	must(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", both[0].address)
	response, err := client.Do(request)
	must(t, err)
	must(t, response.Body.Close())
	if response.StatusCode != http.StatusSeeOther || len(response.Cookies()) != 1 {
		t.Fatalf("signing in answers %d with %d cookies", response.StatusCode, len(response.Cookies()))
	}
	cookie := response.Cookies()[0]
	for _, p := range both {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.address+"/incidents", nil)
		must(t, err)
		request.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
		response, err := http.DefaultTransport.RoundTrip(request)
		must(t, err)
		must(t, response.Body.Close())
		if response.StatusCode != http.StatusOK {
			t.Errorf("with a session, %s answers %d", p.address, response.StatusCode)
		}
	}
}

// wantClosed wants nothing to be told to somebody who has not signed in.
func wantClosed(t *testing.T, p *process) {
	t.Helper()
	stranger := &process{t: t}
	for path, want := range map[string]int{"/": http.StatusSeeOther, "/incidents": http.StatusSeeOther,
		"/api/v1/findings": http.StatusUnauthorized, "/metrics": http.StatusUnauthorized, "/livez": http.StatusOK} {
		if status, _, err := stranger.ask(p.address + path); err != nil || status != want {
			t.Errorf("to a stranger %s answers %d, %v, want %d", path, status, err, want)
		}
	}
}
