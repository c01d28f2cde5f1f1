package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumbline/drift"
)

// FindingFilter chooses findings; what is empty is any.
type FindingFilter struct {
	Check, Replica string
	State          string // a drift.State, or "open"
	Kind           string
	Pattern        string // a Pattern's words
	// Query are words, in any case; each must begin a word of the id or the key's text.
	Query string
	Field string // a Field's title
	After string // the cursor that the page before returned
	Limit int    // 0 is 50
}

// Findings lists findings, those changed last first. next is the cursor of the
// following page, "" at the end.
func (l *Ledger) Findings(ctx context.Context, f FindingFilter) (list []*drift.Finding, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	page, err := l.page(ctx, f)
	if err != nil {
		return nil, "", fmt.Errorf("list findings: %w", err)
	}
	if len(page) > f.Limit {
		page = page[:f.Limit]
		last := page[f.Limit-1]
		next = strconv.FormatInt(last.at, 10) + "." + last.id
	}
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = page[i].id
	}
	found, err := entriesBy(ctx, l.keys, l.read, "id", ids)
	if err != nil {
		return nil, "", err
	}
	by := make(map[string]*drift.Finding, len(found))
	for _, e := range found {
		by[e.after.ID] = e.after
	}
	for _, id := range ids {
		if by[id] != nil { // it may have been pruned since
			list = append(list, by[id])
		}
	}
	return list, next, nil
}

// place is where a finding stands in the order of lists.
type place struct {
	at int64
	id string
}

func (p place) compare(q place) int {
	if p.at != q.at {
		if p.at > q.at {
			return -1
		}
		return 1
	}
	return -strings.Compare(p.id, q.id)
}

func cursor(s string) (p place, err error) {
	at, id, ok := strings.Cut(s, ".")
	if p.at, err = strconv.ParseInt(at, 10, 64); err != nil || !ok || id == "" || text(id) != id {
		return p, &CursorError{Cursor: s}
	}
	p.id = id
	return p, nil
}

// statement is one being built.
type statement struct {
	args []any
}

func (s *statement) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

// mostBranches is how many parts a list is put together of.
const mostBranches = 200

// page finds the first places that a filter chooses, one more than its limit. An
// index in the order of lists serves findings that share edge, kind and state, or
// edge, pattern and state; a list is merged of those parts that hold any. What
// would be of too many parts is found in the order of all findings, and what a
// field or a word leaves few of is sorted.
func (l *Ledger) page(ctx context.Context, f FindingFilter) ([]place, error) {
	s := &statement{}
	few, anything, err := l.few(ctx, f, s)
	if err != nil || !anything {
		return nil, err
	}
	rest, err := f.rest(s)
	if err != nil {
		return nil, err
	}
	var parts []string
	order, limit := "changed_at DESC, id DESC", s.arg(f.Limit+1)
	if few != "" {
		parts, order = []string{few + f.plainly(s)}, "changed_at + 0 DESC, id DESC" // in the order of no index
	} else if parts, err = l.parts(ctx, f, s); err != nil {
		return nil, err
	}
	branches := make([]string, len(parts))
	for i, part := range parts {
		branches[i] = "SELECT * FROM (SELECT changed_at, id FROM findings WHERE " + part + rest + " ORDER BY " + order + " LIMIT " + limit + ") AS part" + strconv.Itoa(i)
	}
	if len(branches) == 0 {
		return nil, nil
	}
	found, err := collect(ctx, l.read, func(rows *sql.Rows) (p place, err error) { return p, rows.Scan(&p.at, &p.id) },
		strings.Join(branches, " UNION ALL "), s.args...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, place.compare)
	return found[:min(len(found), f.Limit+1)], nil
}

// parts are the conditions of the parts that a list is merged of.
func (l *Ledger) parts(ctx context.Context, f FindingFilter, s *statement) ([]string, error) {
	if f.Check == "" && f.Replica == "" && f.Kind == "" && f.Pattern == "" && (f.State == "" || f.State == "open" || f.State == string(drift.Resolved)) {
		return f.all(), nil
	}
	where, args := ofEdge(f.Check, f.Replica, 1)
	type part struct{ check, replica, kind, state string }
	held, err := collect(ctx, l.read, func(rows *sql.Rows) (p part, err error) {
		return p, rows.Scan(&p.check, &p.replica, &p.kind, &p.state)
	}, `SELECT check_name, replica, kind, state FROM tallies WHERE n > 0`+where+` ORDER BY check_name, replica, kind, state`, args...)
	if err != nil {
		return nil, fmt.Errorf("read tallies: %w", err)
	}
	held = slices.DeleteFunc(held, func(p part) bool {
		return f.Kind != "" && p.kind != f.Kind || f.State != "" && p.state != f.State && !(f.State == "open" && drift.State(p.state).Open())
	})
	if f.Pattern != "" { // a pattern may hold findings of several kinds
		for i := range held {
			held[i].kind = ""
		}
		held = slices.Compact(sortedBy(held, func(p part) string { return p.check + "\x00" + p.replica + "\x00" + p.state }))
	}
	if len(held) > mostBranches {
		all := f.all()
		plain := f.plainly(s)
		for i := range all {
			all[i] += plain
		}
		return all, nil
	}
	var parts []string
	for _, p := range held {
		condition := "check_name = " + s.arg(p.check) + " AND replica = " + s.arg(p.replica) + " AND state = " + s.arg(p.state)
		if f.Pattern != "" {
			id := patternID(text(f.Pattern))
			condition += " AND pattern_id = " + s.arg(id[:])
			if f.Kind != "" {
				condition += " AND kind = " + s.arg(f.Kind)
			}
		} else {
			condition += " AND kind = " + s.arg(p.kind)
		}
		parts = append(parts, condition)
	}
	return parts, nil
}

func sortedBy[T any](list []T, key func(T) string) []T {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	return list
}

// all are the two parts of all findings: those open and those resolved.
func (f FindingFilter) all() []string {
	switch f.State {
	case "":
		return []string{"state <> 'resolved'", "state = 'resolved'"}
	case string(drift.Resolved):
		return []string{"state = 'resolved'"}
	}
	return []string{"state <> 'resolved'"}
}

// plainly is the filter as conditions that no index need serve.
func (f FindingFilter) plainly(s *statement) (where string) {
	add := func(column string, v any) { where += " AND " + column + " = " + s.arg(v) }
	if f.Check != "" {
		add("check_name", f.Check)
	}
	if f.Replica != "" {
		add("replica", f.Replica)
	}
	if f.Kind != "" {
		add("kind", f.Kind)
	}
	if f.Pattern != "" {
		id := patternID(text(f.Pattern))
		add("pattern_id", id[:])
	}
	switch f.State {
	case "":
	case "open":
		where += " AND state <> 'resolved'"
	default:
		add("state", f.State)
	}
	return where
}

// rest is what is asked of every part: text, field and where the page before ended.
func (f FindingFilter) rest(s *statement) (where string, err error) {
	for _, word := range wordsOf(f.Query) {
		where += " AND search LIKE " + s.arg("% "+word+"%")
	}
	if f.Field != "" {
		where += " AND EXISTS (SELECT 1 FROM finding_fields ff WHERE ff.field = " + s.arg(text(f.Field)) +
			" AND ff.check_name = findings.check_name AND ff.replica = findings.replica AND ff.finding = findings.id)"
	}
	if f.After != "" {
		after, err := cursor(f.After)
		if err != nil {
			return "", err
		}
		where += " AND (changed_at, id) < (" + s.arg(after.at) + ", " + s.arg(after.id) + ")"
	}
	return where, nil
}

// mostFew is how many findings are rather sorted than looked for.
const mostFew = 2000

// few is a condition that leaves few findings, which an index serves; "" where
// neither field nor words do. anything is false where no finding can be meant.
func (l *Ledger) few(ctx context.Context, f FindingFilter, s *statement) (condition string, anything bool, err error) {
	least, best, byField := int64(mostFew+1), "", false
	if f.Field != "" {
		var kept int64
		err := l.read.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(kept), 0) AS BIGINT) FROM field_tallies WHERE field = $1`, text(f.Field)).Scan(&kept)
		if err != nil || kept == 0 {
			return "", false, err
		}
		if kept < least {
			least, byField = kept, true
		}
	}
	words := wordsOf(f.Query)
	for _, word := range words {
		var n int64
		err := l.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM finding_words WHERE word >= $1 AND word < $2 LIMIT $3) AS them`,
			[]byte(word), after(word), mostFew+1).Scan(&n)
		if err != nil || n == 0 {
			return "", false, err
		}
		if n < least {
			least, best = n, word
		}
	}
	switch {
	case best != "":
		condition = "id IN (SELECT finding FROM finding_words WHERE word >= " + s.arg([]byte(best)) + " AND word < " + s.arg(after(best)) + ")"
	case byField:
		condition = "id IN (SELECT finding FROM finding_fields WHERE field = " + s.arg(text(f.Field)) + ")"
	}
	return condition, f.Query == "" || len(words) > 0, nil
}

// after is what comes after everything that begins with a word: no UTF-8 holds such a byte.
func after(word string) []byte { return append([]byte(word), 0xff) }
