package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// recorder is what one transaction records of one edge, whose lock it holds: its
// suspects, their runs, and its findings.
type recorder struct {
	ledger  *Ledger
	tx      *Tx
	facts   EdgeFacts
	book    *book
	at      time.Time
	settle  time.Duration
	term    int64 // the edge's
	rows    map[suspectID]*suspectRow
	runs    map[string]*Run
	pending int64 // what the edge's suspects change by
}

// suspectID is who a suspect is.
type suspectID struct {
	ident     ident
	duplicate bool
}

// suspectRow is a suspect as it is kept.
type suspectRow struct {
	checks.Suspect
	runs    []string
	random  randomMarks // whose key it is to the runs that drew it at random
	metTerm int64
	kept    bool // it is in the ledger
	dirty   bool
	gone    bool
}

func (l *Ledger) record(ctx context.Context, tx *Tx, facts EdgeFacts, at time.Time, settle time.Duration) (*recorder, error) {
	check, replica := facts.Check.Name, facts.edge().Name
	r := &recorder{ledger: l, tx: tx, facts: facts, at: timeOf(millis(at)), settle: settle, rows: map[suspectID]*suspectRow{}, runs: map[string]*Run{}}
	limit := facts.Check.Findings
	if limit == 0 {
		limit = l.options.Findings
	}
	var err error
	if r.book, err = openBook(ctx, tx, check, replica, limit, r.at); err != nil {
		return nil, err
	}
	err = tx.sql.QueryRowContext(ctx, `SELECT term FROM edges WHERE check_name = $1 AND replica = $2`, check, replica).Scan(&r.term)
	if err != nil {
		return nil, fmt.Errorf("read edge %s/%s: %w", check, replica, err)
	}
	return r, nil
}

func (r *recorder) identOf(key, id sources.Key) ident {
	return identOf(r.ledger.masker, r.book.check, r.book.replica, key, id)
}

func (r *recorder) idOf(s *checks.Suspect) suspectID {
	return suspectID{r.identOf(s.Key, s.ID), s.Duplicate}
}

// load reads the suspects and findings of some identities.
func (r *recorder) load(ctx context.Context, who []ident) error {
	if err := r.book.load(ctx, who); err != nil {
		return err
	}
	slices.SortFunc(who, func(a, b ident) int { return slices.Compare(a[:], b[:]) })
	return chunks(slices.Compact(who), 1, func(some []ident) error {
		args := make([]any, len(some))
		for i := range some {
			args[i] = some[i][:]
		}
		found, err := collect(ctx, r.tx.sql, r.tx.keys.scanSuspect, `SELECT `+suspectColumns+` FROM suspects WHERE ident IN `+placeholders(1, 1, len(some)), args...)
		if err != nil {
			return fmt.Errorf("read suspects: %w", err)
		}
		for _, row := range found {
			r.rows[r.idOf(&row.Suspect)] = row
		}
		return nil
	})
}

// suspectColumnCount is how many columns a suspect is written in.
const suspectColumnCount = 14

const suspectColumns = `record_key, copy_id, duplicate, owner, first_seen, since, restarts, runs, met_term, random`

func (k *keyring) scanSuspect(rows *sql.Rows) (*suspectRow, error) {
	s := &suspectRow{kept: true}
	var key, id, owner []byte
	var first, since int64
	var runs, random string
	if err := rows.Scan(&key, &id, &s.Duplicate, &owner, &first, &since, &s.Restarts, &runs, &s.metTerm, &random); err != nil {
		return nil, err
	}
	s.random = readMarks(random)
	s.Random = s.random.any()
	copy(s.Owner[:], owner)
	s.FirstSeen, s.Since, s.runs = timeOf(first), timeOf(since), strings.Fields(runs)
	var err error
	if s.Key, err = k.decodeKey(key); err != nil {
		return nil, err
	}
	s.ID, err = k.decodeKey(id)
	return s, err
}

// run reads a run of the edge; nil where it is not kept any more.
func (r *recorder) run(ctx context.Context, id string) (*Run, error) {
	if run, known := r.runs[id]; known {
		return run, nil
	}
	found, err := collect(ctx, r.tx.sql, r.tx.keys.scanRun, selectRun+` WHERE id = $1`, id)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	r.runs[id] = nil
	if len(found) > 0 {
		r.runs[id] = found[0]
	}
	return r.runs[id], nil
}

// suspect takes a suspect up for some runs. One that is pending already keeps its
// times. One whose finding is open counts as that difference at once; only how
// often a record is held is always looked at again, since that is counted.
func (r *recorder) suspect(ctx context.Context, s checks.Suspect, runs []string) error {
	return r.suspectOf(ctx, s, runs, func(string) checks.Role { return s.Random })
}

// suspectOf is suspect where random says of each run whether it drew the key at
// random, and of which side.
func (r *recorder) suspectOf(ctx context.Context, s checks.Suspect, runs []string, random func(run string) checks.Role) error {
	id := r.idOf(&s)
	if e := r.book.entries[id.ident]; e != nil && e.after != nil && e.after.State.Open() && !s.Duplicate && e.after.Kind != checks.Duplicate {
		return r.count(ctx, e, random, runs)
	}
	row := r.rows[id]
	if row == nil || row.gone {
		kept := row != nil && row.kept
		row = &suspectRow{Suspect: s, random: randomMarks{}, kept: kept, dirty: true}
		row.Known = false
		r.rows[id] = row
		r.pending++
	}
	row.metTerm, row.dirty = r.term, true
	for _, name := range runs {
		if slices.Contains(row.runs, name) {
			continue
		}
		run, err := r.run(ctx, name)
		if err != nil {
			return err
		}
		if run != nil {
			row.runs = append(row.runs, name)
			run.Pending++
			if side := random(name); side != "" {
				row.random[name] = side
			}
		}
	}
	return nil
}

// count counts an open finding as a difference of some runs, once each; random
// says of which side each drew its key at random, "" for none.
func (r *recorder) count(ctx context.Context, e *entry, random func(run string) checks.Role, runs []string) error {
	kind, fresh, last := e.after.Kind, len(runs) == 0, ""
	for _, name := range runs {
		run, err := r.run(ctx, name)
		if err != nil {
			return err
		}
		if run == nil {
			continue
		}
		addRandomDrift(&run.Counts, random(name), kind)
		if e.countedIn(name, kind) {
			continue
		}
		addKind(&run.Counts, kind)
		e.count(name, kind)
		fresh, last = true, name
	}
	if !fresh {
		return nil
	}
	return r.book.seeAgain(e, r.at, last)
}

// addRandomDrift counts a key that was drawn at random and differs.
func addRandomDrift(c *checks.Counts, random checks.Role, kind checks.DifferenceKind) {
	switch random {
	case checks.OwnerSide:
		c.RandomKeys++
		c.RandomDrift++
	case checks.ReplicaSide:
		c.RandomReplicaKeys++
		if kind == checks.Extra {
			c.RandomExtras++
		}
	}
}

func addKind(c *checks.Counts, kind checks.DifferenceKind) {
	switch kind {
	case checks.Mismatch:
		c.Mismatch++
	case checks.Missing:
		c.Missing++
	case checks.Extra:
		c.Extra++
	case checks.Duplicate:
		c.Duplicate++
	case checks.Unreadable:
		c.Unreadable++
	}
}

// leave takes a suspect out of what is pending, of its runs too.
func (r *recorder) leave(ctx context.Context, row *suspectRow) error {
	if row.gone {
		return nil
	}
	row.gone = true
	r.pending--
	for _, name := range row.runs {
		run, err := r.run(ctx, name)
		if err != nil {
			return err
		}
		if run != nil {
			run.Pending--
		}
	}
	return nil
}

// flush writes the suspects. The runs and the book are written by whoever
// concludes the runs.
func (r *recorder) flush(ctx context.Context) error {
	var write []suspectID
	drop := map[bool][]suspectID{}
	for id, row := range r.rows {
		switch {
		case row.gone && row.kept:
			drop[id.duplicate] = append(drop[id.duplicate], id)
		case !row.gone && row.dirty:
			write = append(write, id)
		}
	}
	for _, duplicate := range []bool{false, true} {
		if err := chunks(sorted(drop[duplicate]), 1, func(some []suspectID) error { return r.dropSuspects(ctx, some) }); err != nil {
			return fmt.Errorf("take suspects out: %w", err)
		}
	}
	if err := chunks(sorted(write), suspectColumnCount, func(some []suspectID) error { return r.writeSuspects(ctx, some) }); err != nil {
		return fmt.Errorf("keep suspects: %w", err)
	}
	_, err := r.tx.exec(ctx, `UPDATE edges SET pending = pending + $1, settle = $2 WHERE check_name = $3 AND replica = $4`,
		r.pending, r.settle.Milliseconds(), r.book.check, r.book.replica)
	if err != nil {
		return fmt.Errorf("count suspects: %w", err)
	}
	r.pending = 0
	return nil
}

func sorted(ids []suspectID) []suspectID {
	slices.SortFunc(ids, func(a, b suspectID) int { return slices.Compare(a.ident[:], b.ident[:]) })
	return ids
}

func (r *recorder) dropSuspects(ctx context.Context, some []suspectID) error {
	var args []any
	for _, id := range some {
		args = append(args, id.ident[:])
	}
	args = append(args, some[0].duplicate)
	_, err := r.tx.exec(ctx, `DELETE FROM suspects WHERE ident IN `+placeholders(1, 1, len(some))+` AND duplicate = $`+strconv.Itoa(len(args)), args...)
	return err
}

func (r *recorder) writeSuspects(ctx context.Context, some []suspectID) error {
	args := make([]any, 0, suspectColumnCount*len(some))
	for _, id := range some {
		row := r.rows[id]
		args = append(args, id.ident[:], id.duplicate, r.book.check, r.book.replica, r.tx.keys.encodeKey(row.Key), r.tx.keys.encodeKey(row.ID), row.Owner[:],
			millis(row.FirstSeen), millis(row.Since), millis(row.Since.Add(r.settle)), row.Restarts, strings.Join(row.runs, " "), row.metTerm,
			row.random.write(row.runs))
	}
	_, err := r.tx.exec(ctx, `INSERT INTO suspects (ident, duplicate, check_name, replica, record_key, copy_id, owner, first_seen, since,
			due_at, restarts, runs, met_term, random) VALUES `+placeholders(1, len(some), suspectColumnCount)+`
		ON CONFLICT (ident, duplicate) DO UPDATE SET owner = excluded.owner, first_seen = excluded.first_seen, since = excluded.since,
			due_at = excluded.due_at, restarts = excluded.restarts, runs = excluded.runs, met_term = excluded.met_term,
			random = excluded.random`, args...)
	return err
}
