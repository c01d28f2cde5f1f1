package web

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/drift"
	"plumbline/ledger"
)

// auditView is the page /audit.
type auditView struct {
	Page        frame
	Actor       string
	Action      string
	Object      string
	Outcomes    []option
	Filtered    bool
	Rows        []entryRow
	Chain       *notice // what following the chain came to; nil where nobody asked
	VerifyURL   string
	CSV, NDJSON string
	Empty       string
	Pager       pager
}

type entryRow struct {
	Number                string
	At                    moment
	Actor, ActorURL, Role string
	Via, Address          string
	Action, Object        string
	Detail                string
	Outcome               sign
}

func (s *Server) getAudit(c *gin.Context) {
	ctx, query, now := c.Request.Context(), c.Request.URL.Query(), s.now()
	f := auditFilter(query)
	list, next, err := s.o.Ledger.AuditEntries(ctx, f)
	if err != nil {
		s.unlisted(c, err, "/audit")
		return
	}
	v := auditView{Actor: f.Actor, Action: f.Action, Object: f.Object, Filtered: f.Actor+f.Action+f.Object+f.Outcome != "", Empty: "Nothing was attempted yet.",
		Outcomes: options(f.Outcome, "", "all results", string(access.Done), "ok", string(access.Denied), "denied", string(access.Failed), "failed"),
		CSV:      "/audit/export?format=csv", NDJSON: "/audit/export?format=ndjson", VerifyURL: with("/audit", query, "verify", "1")}
	if v.Filtered {
		v.Empty = "No entry matches."
	}
	for i := range list {
		v.Rows = append(v.Rows, entryRowOf(&list[i], query, now))
	}
	if query.Get("verify") != "" {
		if v.Chain, err = s.followChain(c); err != nil {
			s.broken(c, err)
			return
		}
	}
	query.Del("verify")
	if f.After != "" {
		v.Pager.First = with("/audit", query, "after", "")
	}
	if next != "" {
		v.Pager.Next = with("/audit", query, "after", next)
		v.Pager.Words = several(int64(len(list)), "entry", "entries") + " on this page, more follow"
	}
	v.Page = s.frame(c, "Audit log", "/audit")
	s.render(c, http.StatusOK, "audit", v)
}

func auditFilter(query url.Values) ledger.AuditFilter {
	return ledger.AuditFilter{Actor: query.Get("actor"), Action: query.Get("action"), Object: query.Get("object"), Outcome: query.Get("outcome"),
		After: query.Get("after"), Limit: rowsPerPage}
}

// followChain verifies the whole log and says what that came to.
func (s *Server) followChain(c *gin.Context) (*notice, error) {
	head, unsealed, err := s.o.Ledger.VerifyAudit(c.Request.Context(), nil)
	if broken, ok := errors.AsType[*access.BrokenError](err); ok {
		return &notice{"drift", "warn", "The chain is broken: " + broken.Error() + ". Compare with the heads in the process's log and with exports."}, nil
	}
	if wrong, ok := errors.AsType[*ledger.WrongAuditKeyError](err); ok {
		return &notice{"unknown", "warn", "The chain cannot be followed: " + wrong.Error() + "."}, nil
	}
	if err != nil {
		return nil, err
	}
	words := "The chain is whole: verified to #" + strconv.FormatInt(head.Number, 10) + "."
	if head.Number == 0 {
		words = "Nothing is sealed yet."
	}
	if unsealed > 0 {
		words += " " + several(unsealed, "newer entry waits", "newer entries wait") + " to be sealed."
	}
	return &notice{"ok", "ok", words}, nil
}

func entryRowOf(e *access.Entry, query url.Values, now time.Time) entryRow {
	r := entryRow{Number: "—", At: at(e.At, now, ""), Actor: e.Actor, Role: string(e.Role), Via: string(e.Via), Address: e.Address, Action: e.Action, Object: e.Object, Detail: e.Detail,
		ActorURL: with("/audit", url.Values{"outcome": query["outcome"]}, "actor", e.Actor), Outcome: sign{Tone: "ok", Icon: "ok", Word: string(e.Outcome)}}
	if e.Number > 0 {
		r.Number = "#" + exact(e.Number)
	}
	switch e.Outcome {
	case access.Denied:
		r.Outcome.Tone, r.Outcome.Icon = "drift", "stop"
	case access.Failed:
		r.Outcome.Tone, r.Outcome.Icon = "warn", "warn"
	}
	return r
}

// exportAudit writes the sealed entries in the order of the chain.
func (s *Server) exportAudit(c *gin.Context) {
	var one func(*access.Entry) error
	end := func() error { return nil }
	kind := ""
	switch format := c.Query("format"); format {
	case "csv":
		kind = "text/csv; charset=utf-8"
		w := csv.NewWriter(c.Writer)
		head := false
		one = func(e *access.Entry) error {
			if !head {
				head = true
				if err := w.Write(auditColumns()); err != nil {
					return err
				}
			}
			return w.Write(auditCells(e))
		}
		end = func() error {
			w.Flush()
			return w.Error()
		}
	case "ndjson":
		kind = "application/x-ndjson"
		encoder := json.NewEncoder(c.Writer)
		one = func(e *access.Entry) error { return encoder.Encode(entryBody(e)) }
	default:
		s.problem(c, http.StatusBadRequest, problem{Heading: "There is no such format", Text: format, Next: "Ask for csv or ndjson.", Links: []pageLink{{"Audit log", "/audit"}}})
		return
	}
	// Its entry is written first: what has left cannot be taken back.
	ctx := c.Request.Context()
	taken := &access.Attempt{Actor: access.ActorOf(ctx), Action: "export audit log", Detail: c.Query("format")}
	if err := s.o.Ledger.Attest(ctx, taken, access.Done); err != nil {
		s.broken(c, err)
		return
	}
	c.Header("Content-Type", kind)
	c.Header("Content-Disposition", `attachment; filename="plumbline-audit.`+c.Query("format")+`"`)
	err := s.o.Ledger.WalkAudit(ctx, one)
	if err == nil {
		err = end()
	}
	if err != nil {
		// What was written cannot be taken back: whoever reads it must see it is cut off.
		s.o.Log.Error("export the audit log", "error", s.o.Lens.Scrub(err.Error()))
		panic(http.ErrAbortHandler)
	}
}

func auditColumns() []string {
	return []string{"number", "at", "actor", "account", "role", "via", "address", "action", "object", "outcome", "detail", "id", "seal"}
}

// auditCells are an entry as cells that no spreadsheet takes for a formula.
func auditCells(e *access.Entry) []string {
	b := entryBody(e)
	cells := []string{strconv.FormatInt(b.Number, 10), b.At.String(), b.Actor, b.Account, b.Role, b.Via, b.Address, b.Action, b.Object, b.Outcome, b.Detail, b.ID, b.Seal}
	for i, text := range cells {
		if text = drift.Visible(text); text != "" && strings.Contains("=+-@", text[:1]) {
			text = "'" + text
		}
		cells[i] = text
	}
	return cells
}
