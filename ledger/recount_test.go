package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// recount holds everything that is kept up against what it stands for, counted
// anew.
func (w *world) recount() {
	w.Helper()
	open := `state <> 'resolved'`
	for _, row := range []struct{ what, kept, counted string }{
		{"tallies", `SELECT check_name || '/' || replica || ' ' || kind || ' ' || state, n FROM tallies WHERE n <> 0`,
			`SELECT check_name || '/' || replica || ' ' || kind || ' ' || state, COUNT(*) FROM findings GROUP BY check_name, replica, kind, state`},
		{"patterns", `SELECT check_name || '/' || replica || ' ' || words, n FROM patterns`,
			`SELECT check_name || '/' || replica || ' ' || pattern, COUNT(*) FROM findings WHERE ` + open + ` GROUP BY check_name, replica, pattern`},
		{"pending of edges", `SELECT check_name || '/' || replica, pending FROM edges WHERE pending <> 0`,
			`SELECT check_name || '/' || replica, COUNT(*) FROM suspects GROUP BY check_name, replica`},
		{"pending of runs", `SELECT id, pending FROM runs WHERE pending <> 0`,
			`SELECT r.id, COUNT(*) FROM runs r JOIN suspects s ON ' ' || s.runs || ' ' LIKE '% ' || r.id || ' %' GROUP BY r.id`},
		{"unread of runs", `SELECT id, unread FROM runs WHERE unread <> 0 AND id IN (SELECT run FROM segments)`,
			`SELECT run, CAST(SUM(unread) AS BIGINT) FROM segments GROUP BY run HAVING SUM(unread) > 0`},
		{"open fields", `SELECT check_name || '/' || replica || ' ' || field, n FROM field_tallies WHERE n <> 0`,
			`SELECT ff.check_name || '/' || ff.replica || ' ' || ff.field, COUNT(*) FROM finding_fields ff JOIN findings f ON f.id = ff.finding
				WHERE ` + open + ` GROUP BY ff.check_name, ff.replica, ff.field`},
		{"arrivals", `SELECT check_name || '/' || replica || ' ' || hour_at, n FROM arrivals`,
			`SELECT check_name || '/' || replica || ' ' || (confirmed_at - confirmed_at % 3600000), COUNT(*) FROM findings WHERE ` + open + `
				GROUP BY check_name, replica, confirmed_at - confirmed_at % 3600000`},
		{"accepted", `SELECT check_name || '/' || replica, accepted FROM edges WHERE accepted <> 0`,
			`SELECT check_name || '/' || replica, COUNT(*) FROM findings WHERE ` + open + ` AND accepted GROUP BY check_name, replica`},
		{"words", `SELECT finding, COUNT(*) FROM finding_words GROUP BY finding`,
			`SELECT id, CAST(LENGTH(search) - LENGTH(REPLACE(search, ' ', '')) AS BIGINT) FROM findings`},
		{"kept fields", `SELECT check_name || '/' || replica || ' ' || field, kept FROM field_tallies WHERE kept <> 0`,
			`SELECT check_name || '/' || replica || ' ' || field, COUNT(*) FROM finding_fields GROUP BY check_name, replica, field`},
	} {
		kept, counted := w.figures(row.kept), w.figures(row.counted)
		if !maps.Equal(kept, counted) {
			w.Errorf("%s are not what they stand for: %s", row.what, cmp.Diff(counted, kept))
		}
	}
	if n := w.count(`SELECT COUNT(*) FROM runs WHERE state = 'settling' AND pending = 0`); n != 0 {
		w.Errorf("%d runs settle with nothing pending", n)
	}
	for field, finding := range w.texts(`SELECT ff.field || ' ' || f.id, f.fields FROM finding_fields ff JOIN findings f ON f.id = ff.finding`) {
		if title, _, _ := strings.Cut(field, " "); !strings.Contains(finding, fmt.Sprintf("%q", title)) {
			w.Errorf("%s is not what differs: %s", field, finding)
		}
	}
}

func (w *world) figures(statement string) map[string]int64 {
	w.Helper()
	figures := map[string]int64{}
	rows, err := w.DB().QueryContext(context.Background(), statement)
	must(w, err)
	for rows.Next() {
		var name string
		var n int64
		must(w, rows.Scan(&name, &n))
		figures[name] = n
	}
	must(w, errors.Join(rows.Err(), rows.Close()))
	return figures
}

func (w *world) texts(statement string, args ...any) map[string]string {
	w.Helper()
	texts := map[string]string{}
	rows, err := w.DB().QueryContext(context.Background(), statement, args...)
	must(w, err)
	for rows.Next() {
		var name, text string
		must(w, rows.Scan(&name, &text))
		texts[name] = text
	}
	must(w, errors.Join(rows.Err(), rows.Close()))
	return texts
}
