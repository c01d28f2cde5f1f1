package web_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"plumbline/web"
)

// An act on several findings changes all of them, or none.
func TestAPIActsOnAllOrNone(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	list := fetched[findingList](w, "/api/v1/findings").Items
	good, other := list[0].Finding, list[1].Finding
	state := func(id string) string { return fetched[web.FindingDetailBody](w, "/api/v1/findings/"+id).State }
	w.ask(http.StatusNotFound, http.MethodPost, "/api/v1/findings/ack", `{"findings": ["`+good+`", "F-nothing"]}`)
	if got := state(good); got != "confirmed" {
		t.Errorf("the first of two, of which the second is not there, became %s", got)
	}
	changed := posted[findingList](w, "/api/v1/findings/mute", `{"findings": ["`+good+`", "`+other+`"], "for_seconds": 60, "note": "known"}`)
	if len(changed.Items) != 2 || changed.Items[0].Finding != good || changed.Items[1].State != "muted" || state(good) != "muted" || state(other) != "muted" {
		t.Errorf("muted: %+v", changed)
	}
	posted[findingList](w, "/api/v1/findings/unmute", `{"findings": ["`+good+`"]}`)
	w.ask(http.StatusConflict, http.MethodPost, "/api/v1/findings/unmute", `{"findings": ["`+other+`", "`+good+`"]}`)
	if state(other) != "muted" {
		t.Error("a mute was lifted beside one that could not be")
	}
}

// What stands in a request without its header is told so; the documentation's
// examples have it.
func TestAPINamesTheHeaderOfABody(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	finding := fetched[findingList](w, "/api/v1/findings").Items[0].Finding
	request := sure(http.NewRequest(http.MethodPost, "http://localhost/api/v1/findings/"+finding+"/mute", strings.NewReader(`{"for_seconds": 60}`)))
	request.RemoteAddr = "127.0.0.1:1024"
	request.Header.Set("Origin", "http://localhost")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
	problem := decoded[web.Problem](w, served(w.handler, request))
	if problem.Status != http.StatusUnsupportedMediaType || !strings.Contains(problem.NextStep, "Content-Type: application/json") {
		t.Errorf("%+v", problem)
	}
	examples := 0
	for line := range strings.Lines(string(sure(os.ReadFile("../docs/api.md")))) {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		examples++
		if strings.Contains(line, " -d ") && !strings.Contains(line, " -H 'Content-Type: application/json' ") {
			t.Errorf("docs/api.md sends a body without its header: %s", line)
		}
	}
	if examples == 0 {
		t.Error("docs/api.md has no examples")
	}
}

// A check that runs already names its run by a link that leads to it.
func TestAPILeadsToTheRunThatGoes(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	var problem web.Problem
	for range 200 { // until one is begun while another still goes
		answer := handOver(w.handler, http.MethodPost, "/api/v1/checks/names/runs", "")
		if answer.StatusCode == http.StatusConflict {
			problem = decoded[web.Problem](w, answer)
			break
		}
	}
	_, path, found := strings.Cut(problem.NextStep, "follow it at ")
	if !found {
		t.Fatalf("%+v", problem)
	}
	if run := fetched[web.RunDetailBody](w, path); run.Check != "names" {
		t.Errorf("%s leads to %+v", path, run.RunBody)
	}
}
