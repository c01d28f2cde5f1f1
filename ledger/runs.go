package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"plumbline/checks"
)

// Active says whether any run of a check is queued or running.
func (l *Ledger) Active(ctx context.Context, check string) (bool, error) {
	going, err := goingRun(ctx, l.read, check)
	if err != nil {
		return false, fmt.Errorf("look for runs of %s: %w", check, err)
	}
	return going != "", nil
}

// goingRun is a run of a whole check that is queued or running, as "#number"; ""
// for none. One of given keys is in nobody's way.
func goingRun(ctx context.Context, from querier, check string) (string, error) {
	var number int64
	err := from.QueryRowContext(ctx, `SELECT number FROM runs WHERE check_name = $1 AND state <> 'finished' AND state <> 'settling' AND given = ''
		ORDER BY number LIMIT 1`, check).Scan(&number)
	switch {
	case nothing(err):
		return "", nil
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("#%d", number), nil
}

// lockCheck locks the edges of a check, among which must be those of the runs,
// and names a run of it that goes.
func lockCheck(ctx context.Context, tx *Tx, check string, runs []*Run) (going string, err error) {
	replicas, err := collect(ctx, tx.sql, func(rows *sql.Rows) (replica string, err error) { return replica, rows.Scan(&replica) },
		`SELECT replica FROM edges WHERE check_name = $1 ORDER BY replica`, check)
	if err != nil {
		return "", fmt.Errorf("read the edges of %s: %w", check, err)
	}
	for _, r := range runs {
		if r.Check == check && !slices.Contains(replicas, r.Replica) {
			return "", &NotFoundError{What: "edge", Name: r.Check + "/" + r.Replica}
		}
	}
	for _, replica := range replicas {
		if _, err := tx.lockEdge(ctx, check, replica); err != nil {
			return "", err
		}
	}
	return goingRun(ctx, tx.sql, check)
}

// CreateRuns keeps new runs, filling in ID, Number, State and CreatedAt, and
// calls jobs in the same transaction. A check that has a run queued or running
// is an *OverlapError, unless the run compares given keys alone.
func (l *Ledger) CreateRuns(ctx context.Context, runs []*Run, jobs func(tx *Tx) error) error {
	var names []string
	for _, r := range runs {
		names = append(names, r.Check)
	}
	slices.Sort(names)
	err := l.InTx(ctx, func(tx *Tx) error {
		for _, check := range slices.Compact(slices.Clone(names)) {
			going, err := lockCheck(ctx, tx, check, runs)
			if err != nil {
				return err
			}
			whole := slices.ContainsFunc(runs, func(r *Run) bool { return r.Check == check && len(r.Keys) == 0 })
			if going != "" && whole {
				return &OverlapError{Check: check, Run: going}
			}
		}
		if err := l.insertRuns(ctx, tx, runs); err != nil {
			return err
		}
		if err := tx.attestRuns(ctx, runs); err != nil {
			return err
		}
		return jobs(tx)
	})
	if err != nil {
		return fmt.Errorf("create runs: %w", err)
	}
	return nil
}

func (l *Ledger) insertRuns(ctx context.Context, tx *Tx, runs []*Run) error {
	now := l.now()
	for _, r := range runs {
		given, err := tx.keys.writeKeys(r.Keys)
		if err != nil {
			return err
		}
		if r.Number, err = tx.next(ctx, "runs"); err != nil {
			return err
		}
		r.ID, r.State, r.CreatedAt = newRunID(), Queued, timeOf(millis(now))
		if r.Seed == 0 {
			r.Seed = newSeed()
		}
		if r.Reasons == nil {
			r.Reasons = map[string]int64{}
		}
		if r.Waits == nil {
			r.Waits = map[string]int64{}
		}
		drawn, err := writeDraw(r)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO runs (`+runColumns+`, worker, told) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', '', $10, '',
				0, 0, '', 0, 0, 0, $11, '', '', 0, $12, 0, 0, 0, $13, '', 0, 0, 0, $14, $15, $16, $17, $18, '', '', $13)`,
			r.ID, r.Number, r.Check, r.Replica, string(r.Trigger), text(r.Actor), millis(r.SlotAt), r.Generation, string(r.State), given,
			r.Copies, millis(r.CreatedAt), false, r.Hash, drawn.asked, drawn.sample, int64(r.Seed), drawn.sampled)
		if err != nil {
			return fmt.Errorf("keep a run of %s/%s: %w", r.Check, r.Replica, err)
		}
		tx.tell(Change{Topic: "run", Check: r.Check, Replica: r.Replica, ID: r.ID})
	}
	return nil
}

// newRunID makes an id nobody else makes: 80 random bits in base 32.
func newRunID() string { return rand.Text()[:16] }

// newSeed makes what a run's draws at random follow from; nobody can tell it
// before the run is there.
func newSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// onRun runs do in a transaction that holds the run's edge.
func (l *Ledger) onRun(ctx context.Context, id string, do func(*Tx, *Run) error) error {
	return l.InTx(ctx, func(tx *Tx) error {
		r, err := tx.lockRun(ctx, id)
		if err != nil {
			return err
		}
		return do(tx, r)
	})
}

// lockRun locks a run's edge and reads the run.
func (tx *Tx) lockRun(ctx context.Context, id string) (*Run, error) {
	r, err := runRow(ctx, tx.keys, tx.sql, id)
	if err != nil {
		return nil, err
	}
	if _, err := tx.lockEdge(ctx, r.Check, r.Replica); err != nil {
		return nil, err
	}
	return runRow(ctx, tx.keys, tx.sql, id) // as it is now that nobody else writes it
}

// ClaimRun takes a run over, raising its term. *NotFoundError; *Ended when it is finished.
func (l *Ledger) ClaimRun(ctx context.Context, id, worker string) (run *Run, err error) {
	err = l.onRun(ctx, id, func(tx *Tx, r *Run) error {
		if r.State == Finished {
			return &Ended{What: "run " + r.ID}
		}
		r.Term++
		if r.StartedAt.IsZero() {
			r.StartedAt = timeOf(millis(l.now()))
		}
		if _, err := tx.exec(ctx, `UPDATE runs SET worker = $1 WHERE id = $2`, text(worker), r.ID); err != nil {
			return err
		}
		run = r
		return tx.save(ctx, r)
	})
	if err != nil {
		return nil, fmt.Errorf("claim run %s: %w", id, err)
	}
	return run, nil
}

// PlanRun begins a run that was claimed: it keeps r's plan, estimate, copies, and
// what it drew, and the segments, and calls jobs in the same transaction. ErrLostTerm; *Ended where the run is finished or was begun before.
func (l *Ledger) PlanRun(ctx context.Context, r *Run, segments []Segment, jobs func(tx *Tx) error) error {
	var begun *Run
	err := l.onRun(ctx, r.ID, func(tx *Tx, now *Run) error {
		switch {
		case now.Term != r.Term:
			return ErrLostTerm
		case now.State != Queued:
			return &Ended{What: "the planning of run " + r.ID}
		}
		now.State, now.Plan, now.Estimate, now.Copies, now.Segments = Running, r.Plan, r.Estimate, r.Copies, len(segments)
		now.Sample, now.Drawn = r.Sample, r.Drawn
		maps.Copy(now.Reasons, r.Reasons) // what the draw lacks
		if err := insertSegments(ctx, tx, r.ID, segments); err != nil {
			return err
		}
		if err := keepRolls(ctx, tx, r.ID, r.Rolls); err != nil {
			return err
		}
		now.Shapes, now.Shape, now.SchemaChanges = r.Shapes, r.Shape, r.SchemaChanges
		if err := tx.acceptSchema(ctx, now); err != nil {
			return err
		}
		begun = now
		if len(segments) == 0 {
			return l.endScan(ctx, tx, nil, now, l.now(), false)
		}
		if err := tx.save(ctx, now); err != nil {
			return err
		}
		return jobs(tx)
	})
	if err != nil {
		return fmt.Errorf("begin run %s: %w", r.ID, err)
	}
	*r = *begun
	return nil
}

// EndRun finishes a run that could not begin, as error or incomplete. ErrLostTerm; *Ended.
func (l *Ledger) EndRun(ctx context.Context, r *Run, why string, result checks.Result) error {
	var ended *Run
	err := l.onRun(ctx, r.ID, func(tx *Tx, now *Run) error {
		switch {
		case now.State == Finished:
			return &Ended{What: "run " + r.ID}
		case now.Term != r.Term:
			return ErrLostTerm
		}
		if why != "" {
			now.because(why, 1)
		}
		if result == checks.Error {
			now.Error = why
		}
		if err := tx.schemaBroke(ctx, r.Check, r.Replica, r.ID, r.SchemaChanges); err != nil {
			return err
		}
		now.Result, ended = result, now
		return l.finish(ctx, tx, now, l.now())
	})
	if err != nil {
		return fmt.Errorf("end run %s: %w", r.ID, err)
	}
	*r = *ended
	return nil
}

// runID turns "#number" into the run's id.
func (l *Ledger) runID(ctx context.Context, id string) (string, error) {
	digits, numbered := strings.CutPrefix(id, "#")
	if !numbered {
		return text(id), nil
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return "", &NotFoundError{What: "run", Name: id}
	}
	var found string
	err = l.read.QueryRowContext(ctx, `SELECT id FROM runs WHERE number = $1`, number).Scan(&found)
	switch {
	case nothing(err):
		return "", &NotFoundError{What: "run", Name: id}
	case err != nil:
		return "", fmt.Errorf("find run %s: %w", id, err)
	}
	return found, nil
}

// Run finds a run by its id, or by "#" and its number.
func (l *Ledger) Run(ctx context.Context, id string) (*Run, error) {
	id, err := l.runID(ctx, id)
	if err != nil {
		return nil, err
	}
	return runRow(ctx, l.keys, l.read, id)
}
