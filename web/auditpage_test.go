package web

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"plumbline/access"
	"plumbline/ledger"
)

// What people and addresses wrote stands in the audit log as text: on its page,
// and in exports that no spreadsheet takes for more.
func TestAuditLogIsShownAsText(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	hostile := []string{`=HYPERLINK("http://evil.example")`, "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "<script>window.ran=1</script>", "a\x1b[31mred\u202e", "plain"}
	for _, text := range hostile {
		attempt := &access.Attempt{Actor: access.Actor{Name: text, Via: access.ByAPI, Address: text}, Action: "run", Object: text, Detail: text}
		d.must(d.ledger.Attest(t.Context(), attempt, access.Denied))
	}
	sealed, _, err := d.ledger.SealAudit(t.Context())
	d.must(err)
	approver := d.caller("an approver")
	page := d.ask(approver, http.MethodGet, "/audit?verify=1&outcome=denied", "").Body.String()
	if strings.Contains(page, "<script>window") || !strings.Contains(page, "&lt;script&gt;window") || !strings.Contains(page, "The chain is whole") {
		t.Error("the page does not show what was written, or not as text")
	}
	sure := func(n int) { // what was exported is an entry too
		t.Helper()
		exported, _, err := d.ledger.AuditEntries(t.Context(), ledger.AuditFilter{Action: "export audit log", Actor: "an approver", Outcome: "ok"})
		if err != nil || len(exported) != n {
			t.Errorf("%d entries say that it was exported, want %d, %v", len(exported), n, err)
		}
	}
	rows, err := csv.NewReader(d.ask(approver, http.MethodGet, "/audit/export?format=csv", "").Body).ReadAll()
	if err != nil || len(rows) != sealed+1 {
		t.Fatalf("%d rows of %d entries, %v", len(rows), sealed, err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.Contains("=+-@\t\r\n", cell[:1]) || strings.ContainsFunc(cell, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("the cell %q", cell)
			}
		}
	}
	lines := 0
	for line := range strings.Lines(d.ask(approver, http.MethodGet, "/audit/export?format=ndjson", "").Body.String()) {
		var e EntryBody
		d.must(json.Unmarshal([]byte(line), &e))
		if lines++; e.Number != int64(lines) || len(e.Seal) != 64 {
			t.Errorf("line %d: %+v", lines, e)
		}
	}
	if lines != sealed {
		t.Errorf("%d lines of %d entries", lines, sealed)
	}
	sure(2)
	d.ask(d.caller("an operator"), http.MethodGet, "/audit/export?format=csv", "")
	sure(2)
}

// The log is read page by page, by every filter.
func TestAuditLogIsFiltered(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for range 120 {
		d.ask(d.caller("an viewer"), http.MethodPost, "/api/v1/findings/F-7/ack", "")
	}
	approver, seen := d.caller("an approver"), map[string]bool{}
	for path := "/api/v1/audit?actor=an+viewer&action=acknowledge&object=finding+F-7&outcome=denied"; ; {
		var list ListBody[EntryBody]
		d.must(json.Unmarshal(d.ask(approver, http.MethodGet, path, "").Body.Bytes(), &list))
		for _, e := range list.Items {
			seen[e.ID] = true
		}
		if list.Next == "" {
			break
		}
		path = "/api/v1/audit?actor=an+viewer&action=acknowledge&outcome=denied&after=" + list.Next
	}
	if len(seen) != 120 {
		t.Errorf("%d entries, want 120", len(seen))
	}
	if page := d.ask(approver, http.MethodGet, "/audit?actor=an+viewer&object=finding+F-7", "").Body.String(); strings.Count(page, "<tr>") != rowsPerPage+1 || !strings.Contains(page, `rel="next"`) {
		t.Errorf("the page has %d rows", strings.Count(page, "<tr>")-1)
	}
	if w := d.ask(approver, http.MethodGet, "/audit?after=garbage", ""); w.Code != http.StatusBadRequest {
		t.Errorf("a cursor that is none: %d", w.Code)
	}
}
