package web_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/web"
)

type incidentList = web.ListBody[web.IncidentBody]

// An incident is met, taken on, muted, read again, and resolved once nothing differs.
func TestAPIFollowsAnIncidentThroughItsLife(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	open := fetched[incidentList](w, "/api/v1/incidents?state=open")
	if len(open.Items) != 1 || open.Items[0].Check != "names" || open.Items[0].Kind != "drift" || open.Items[0].Facts.Counted != 4 || open.Items[0].Team != "catalog" {
		t.Fatalf("open incidents: %+v", open)
	}
	path := "/api/v1/incidents/" + open.Items[0].Incident
	w.ask(http.StatusConflict, http.MethodPost, path+"/ack", fmt.Sprintf(`{"revision": %d}`, open.Items[0].Revision+5))
	taken := posted[web.IncidentDetailBody](w, path+"/ack", fmt.Sprintf(`{"note": "on it", "revision": %d}`, open.Items[0].Revision))
	if last := taken.Milestones[len(taken.Milestones)-1]; taken.State != "acknowledged" || taken.AcknowledgedBy != access.LocalUser || last.Event != "acknowledged" || last.Note != "on it" {
		t.Errorf("acknowledged: %+v", taken)
	}
	if again := posted[web.IncidentDetailBody](w, path+"/ack", ""); again.Revision != taken.Revision {
		t.Errorf("acknowledged twice: %+v", again)
	}
	if list := fetched[incidentList](w, "/api/v1/incidents?state=acknowledged&kind=drift&check=names"); len(list.Items) != 1 {
		t.Errorf("acknowledged incidents: %+v", list)
	}

	muted := posted[web.IncidentDetailBody](w, path+"/mute", `{"until_grows": true, "reason": "known"}`)
	if m := muted.Muted; m == nil || m.Above != 4 || m.Reason != "known" || m.Actor != access.LocalUser || !time.Time(m.Until).IsZero() {
		t.Errorf("muted until it grows: %+v", m)
	}
	if m := posted[web.MuteBody](w, "/api/v1/checks/names/mute", `{"for_seconds": 3600}`); m.Above != 0 || time.Until(time.Time(m.Until)) < 59*time.Minute {
		t.Errorf("muted for an hour: %+v", m)
	}
	for _, body := range []string{`{}`, `{"until": "2001-01-01T00:00:00Z"}`, `{"for_seconds": 1, "until": "2090-01-01T00:00:00Z"}`, `{"for_seconds": 9000000}`} {
		w.ask(http.StatusUnprocessableEntity, http.MethodPost, "/api/v1/checks/names/mute", body)
	}
	if n := posted[web.ChangedBody](w, "/api/v1/checks/names/unmute", ""); n.Changed != 1 {
		t.Errorf("unmuting changed %d", n.Changed)
	}
	if n := posted[web.ChangedBody](w, "/api/v1/checks/names/unmute", ""); n.Changed != 0 {
		t.Errorf("unmuting again changed %d", n.Changed)
	}
	if got := fetched[web.IncidentDetailBody](w, path); got.Muted != nil {
		t.Errorf("still muted: %+v", got.Muted)
	}
	for _, path := range []string{"/api/v1/incidents/I-999", "/api/v1/checks/none/mute"} {
		method, body := http.MethodGet, ""
		if path != "/api/v1/incidents/I-999" {
			method, body = http.MethodPost, `{"for_seconds": 60}`
		}
		w.ask(http.StatusNotFound, method, path, body)
	}
	if s := fetched[web.SummaryBody](w, "/api/v1/summary").Incidents; s.Open != 1 || s.Acknowledged != 1 || s.Drift != 1 || s.CannotCheck != 0 {
		t.Errorf("the summary: %+v", s)
	}

	w.exec("DELETE FROM items; INSERT INTO items SELECT id, name, price FROM products")
	answer := w.ask(http.StatusAccepted, http.MethodPost, path+"/recheck", "")
	started := decoded[runList](w, answer)
	location := answer.Header.Get("Location")
	if len(started.Items) != 1 || location != "/api/v1/runs/"+started.Items[0].ID {
		t.Fatalf("one run and its location: %+v, %q", started.Items, location)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for fetched[web.IncidentDetailBody](w, path).State != "resolved" {
		if time.Now().After(deadline) {
			t.Fatal("it is not resolved though nothing differs")
		}
		time.Sleep(50 * time.Millisecond)
	}
	resolved := fetched[web.IncidentDetailBody](w, path)
	if last := resolved.Milestones[len(resolved.Milestones)-1]; last.Event != "resolved" || resolved.Resolution == "" || resolved.Facts.Counted != 0 {
		t.Errorf("resolved: %+v", resolved)
	}
	w.ask(http.StatusConflict, http.MethodPost, path+"/ack", "")
}

// What is open, muted and still to be sent is told as metrics.
func TestMetricsTellOfIncidents(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	posted[web.MuteBody](w, "/api/v1/checks/names/mute", `{"for_seconds": 3600}`)
	w.options.Metrics.Notified("slack", "sent")
	w.options.Metrics.Notified("canary", "canary")
	_, samples := scraped(w)
	for _, row := range []struct {
		want, name string
		labels     map[string]string
	}{
		{"1", "incidents_open", map[string]string{"kind": "drift"}},
		{"0", "incidents_open", map[string]string{"kind": "cannot_check"}},
		{"1", "check_muted", map[string]string{"check": "names"}},
		{"0", "check_muted", map[string]string{"check": "secrets"}},
		{"0", "notification_queue_length", map[string]string{"integration": "slack"}},
		{"1", "notifications_total", map[string]string{"integration": "slack", "result": "sent"}},
		{"0", "notifications_total", map[string]string{"integration": "webhook", "result": "refused"}},
		{"1", "notifications_total", map[string]string{"integration": "other", "result": "other"}},
	} {
		got := "absent"
		for _, s := range samples {
			fits := s.name == "plumbline_"+row.name
			for label, value := range row.labels {
				fits = fits && s.labels[label] == value
			}
			if fits {
				got = s.value
			}
		}
		if got != row.want {
			t.Errorf("%s%v is %s, want %s", row.name, row.labels, got, row.want)
		}
	}
}
