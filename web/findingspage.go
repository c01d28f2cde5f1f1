package web

import (
	"net/url"
	"slices"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// findingsView is the page /findings.
type findingsView struct {
	Page                            frame
	Words, Empty                    string
	Checks, Replicas, States, Kinds []option
	Q, Pattern, Field               string
	Visible, Filtered               bool
	Chips                           []pageLink
	Rows                            []findingRow
	Hidden                          []option // the filter, for acting on all that match
	Pager                           pager
}

type findingRow struct {
	ID, URL, Check, CheckURL, Replica string
	Key, How                          string
	State                             sign
	Age                               string
	First, Last                       moment
}

// filterNames are the query parameters that choose findings.
func filterNames() []string {
	return []string{"check", "replica", "state", "kind", "pattern", "field", "q"}
}

// findingFilter reads the filter of a URL or a form. Without a state it is about
// what is open; "all" is any.
func findingFilter(get func(string) string) ledger.FindingFilter {
	f := ledger.FindingFilter{Check: get("check"), Replica: get("replica"), State: get("state"), Kind: get("kind"),
		Pattern: get("pattern"), Field: get("field"), Query: get("q"), Limit: rowsPerPage}
	switch f.State {
	case "":
		f.State = "open"
	case "all":
		f.State = ""
	}
	return f
}

// findingsPage builds the list from a page of findings and the query of its URL.
func findingsPage(declared *Declared, lens drift.Lens, list []*drift.Finding, next string, query url.Values, now time.Time) findingsView {
	v := findingsView{Q: query.Get("q"), Pattern: query.Get("pattern"), Field: query.Get("field"), Visible: query.Get("visible") != ""}
	chosen := query.Get("check")
	v.Checks, v.Replicas = checkOptions(declared, chosen, query.Get("replica"))
	v.States = options(query.Get("state"), "", "open", "confirmed", "confirmed", "regressed", "regressed", "acknowledged", "acknowledged",
		"muted", "muted", "fixing", "fixing", "resolved", "resolved", "all", "all states")
	v.Kinds = options(query.Get("kind"), "", "all kinds", string(checks.Mismatch), "mismatch", string(checks.Missing), "missing",
		string(checks.Extra), "extra", string(checks.Duplicate), "duplicate", string(checks.Unreadable), "unreadable")
	for _, name := range filterNames() {
		value := query.Get(name)
		if value == "" {
			continue
		}
		v.Filtered = true
		v.Hidden = append(v.Hidden, option{Value: value, Name: name})
		rest := url.Values{}
		for k, values := range query {
			if k != "after" {
				rest[k] = values
			}
		}
		v.Chips = append(v.Chips, pageLink{name + ": " + shortened(value, 60), with("/findings", rest, name, "")})
	}
	for _, f := range list {
		v.Rows = append(v.Rows, findingRowOf(declared, lens, f, now))
	}
	v.Words = "Records that were confirmed to differ, those that changed last first."
	v.Empty = "Nothing is open."
	if v.Filtered {
		v.Empty = "No finding matches."
	}
	if query.Get("after") != "" {
		v.Pager.First = with("/findings", query, "after", "")
	}
	if next != "" {
		v.Pager.Next = with("/findings", query, "after", next)
		v.Pager.Words = several(int64(len(list)), "finding", "findings") + " on this page, more follow"
	}
	return v
}

func checkOptions(declared *Declared, check, replica string) (names, replicas []option) {
	known := false
	for i := range declared.Checks {
		name := declared.Checks[i].Name
		names = append(names, option{name, name, name == check})
		known = known || name == check
	}
	if check != "" && !known {
		names = append(names, option{check, check + " (not configured)", true})
	}
	if c := declared.Check(check); c != nil && (len(c.Edges) > 1 || replica != "") {
		for i := range c.Edges {
			replicas = append(replicas, option{c.Edges[i].Name, c.Edges[i].Name, c.Edges[i].Name == replica})
		}
	}
	if replica != "" && !slices.ContainsFunc(replicas, func(o option) bool { return o.Chosen }) {
		replicas = append(replicas, option{replica, replica, true})
	}
	return names, replicas
}

func findingRowOf(declared *Declared, lens drift.Lens, f *drift.Finding, now time.Time) findingRow {
	r := findingRow{ID: f.ID, URL: findingURL(f.ID), Check: f.Check, CheckURL: checkURL(f.Check), Replica: f.Replica, Key: keyWords(declared, lens, f),
		How: f.Pattern, State: signOfFinding(f.State), First: at(f.FirstSeen, now, "—"), Last: at(f.LastSeen, now, "—")}
	if f.State == drift.Resolved {
		r.Age = f.Resolution
	} else if age, ok := signOfAge(f.Age); ok {
		r.Age = age.Word
	}
	return r
}

// identity is a finding's key and copy's id as they may be shown. Of a check
// that is no longer configured nobody can say what was masked, so all is.
func identity(declared *Declared, lens drift.Lens, f *drift.Finding) (key, id drift.Named, known bool) {
	c := declared.Check(f.Check)
	if c == nil {
		return nil, nil, false
	}
	edge := c.Edge(f.Replica)
	if edge == nil {
		return nil, nil, false
	}
	masks := drift.MasksOf(c.Check, edge)
	return lens.Key(c.Check, f.Key, masks), lens.ID(edge, f.CopyID, masks), true
}

func keyWords(declared *Declared, lens drift.Lens, f *drift.Finding) string {
	key, id, known := identity(declared, lens, f)
	if !known {
		return "*** (the check is not configured)"
	}
	words := key.Words()
	if len(id) > 0 {
		words += " copy " + id.Words()
	}
	return words
}
