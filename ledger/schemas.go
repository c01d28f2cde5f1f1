package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"plumbline/checks"
)

// EdgeSchema is what is known of how both stores keep what an edge reads.
type EdgeSchema struct {
	Check, Replica string
	// Hash is of the check that it is known of: of another it says nothing.
	Hash string
	// Shapes are those that runs go by, nil before the first; Run was planned by them.
	Shapes *checks.Shapes
	Run    string
	// Seen is what records showed of fields that no store declares, as of the last
	// run that read everything.
	Seen       *checks.Seen
	AcceptedAt time.Time
	// Broken says in words what changed since, so that nothing can be compared; Since
	// is when that was first found.
	Broken []string
	Since  time.Time
}

// FoundChange is a change of a schema that was found.
type FoundChange struct {
	Check, Replica string
	Side           checks.Role
	Words          string // names of fields and types, and no value of a record
	Breaks         bool   // nothing could be compared for it
	Run            string // that found it
	At             time.Time
}

// SchemaChangesKept is how long a change that was found is kept.
const SchemaChangesKept = 90 * 24 * time.Hour

// changesMost is how many changes are noted at once, and listed.
const changesMost = 20

// Schema is what is known of an edge's schema; nothing is known of one that was
// never read, nor of one whose check was changed since.
func (l *Ledger) Schema(ctx context.Context, check, replica string) (EdgeSchema, error) {
	s, err := schemaRow(ctx, l.read, check, replica)
	if err != nil {
		return s, fmt.Errorf("read the schema of %s/%s: %w", check, replica, err)
	}
	return s, nil
}

func schemaRow(ctx context.Context, from querier, check, replica string) (s EdgeSchema, err error) {
	list, err := collect(ctx, from, scanSchema, `SELECT s.check_name, s.replica, s.hash, s.run, s.shapes, s.seen, s.accepted_at, s.broken, s.broken_at
		FROM schemas s JOIN edges e ON e.check_name = s.check_name AND e.replica = s.replica AND e.hash = s.hash
		WHERE s.check_name = $1 AND s.replica = $2`, check, replica)
	if err != nil || len(list) == 0 {
		return EdgeSchema{Check: check, Replica: replica}, err
	}
	return list[0], nil
}

func scanSchema(rows *sql.Rows) (s EdgeSchema, err error) {
	var shapes, seen, broken string
	var accepted, since int64
	if err := rows.Scan(&s.Check, &s.Replica, &s.Hash, &s.Run, &shapes, &seen, &accepted, &broken, &since); err != nil {
		return s, err
	}
	s.AcceptedAt, s.Since = timeOf(accepted), timeOf(since)
	for _, d := range []struct {
		text string
		into any
	}{{shapes, &s.Shapes}, {seen, &s.Seen}, {broken, &s.Broken}} {
		if err := undocument(d.text, d.into); err != nil {
			return s, err
		}
	}
	return s, nil
}

// SchemaChanges lists what was found to have changed of a check, or of all for
// "", since a time, the newest first.
func (l *Ledger) SchemaChanges(ctx context.Context, check string, since time.Time) ([]FoundChange, error) {
	where, args := ` WHERE found_at >= $1`, []any{millis(since)}
	if check != "" {
		where, args = where+` AND check_name = $2`, append(args, check)
	}
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (c FoundChange, err error) {
		var side string
		var at int64
		err = rows.Scan(&c.Check, &c.Replica, &side, &c.Words, &c.Breaks, &c.Run, &at)
		c.Side, c.At = checks.Role(side), timeOf(at)
		return c, err
	}, `SELECT check_name, replica, side, words, breaks, run, found_at FROM schema_changes`+where+
		fmt.Sprintf(` ORDER BY found_at DESC, check_name, replica, side, words LIMIT %d`, changesMost), args...)
	if err != nil {
		return nil, fmt.Errorf("list changes of schemas: %w", err)
	}
	return list, nil
}

// acceptSchema keeps the shapes by which a run was planned as those of its edge. A
// run of given keys may go on beside one that reads by them, and only notes what
// is new. What is broken stands until a run has read by them (see acceptSeen). The
// transaction holds the edge.
func (tx *Tx) acceptSchema(ctx context.Context, r *Run) error {
	if r.Shapes == nil {
		return nil
	}
	now := tx.now()
	shapes, err := document(r.Shapes)
	if err != nil {
		return err
	}
	if len(r.Keys) == 0 {
		_, err = tx.exec(ctx, `INSERT INTO schemas (check_name, replica, hash, run, shapes, seen, seeing, accepted_at, broken, broken_at)
			VALUES ($1, $2, $3, $4, $5, '', '', $6, '', 0)
			ON CONFLICT (check_name, replica) DO UPDATE SET seen = CASE WHEN schemas.hash = excluded.hash THEN schemas.seen ELSE '' END, seeing = '',
				broken = CASE WHEN schemas.hash = excluded.hash THEN schemas.broken ELSE '' END, broken_at = CASE WHEN schemas.hash = excluded.hash THEN schemas.broken_at ELSE 0 END,
				hash = excluded.hash, run = excluded.run, shapes = excluded.shapes, accepted_at = excluded.accepted_at`,
			r.Check, r.Replica, r.Hash, r.ID, shapes, millis(now))
	}
	if err != nil {
		return fmt.Errorf("keep the schema of %s/%s: %w", r.Check, r.Replica, err)
	}
	if _, err := tx.exec(ctx, `UPDATE runs SET shape = $1 WHERE id = $2`, r.Shape, r.ID); err != nil {
		return fmt.Errorf("keep the shape of run %s: %w", r.ID, err)
	}
	tx.mark(r.Check)
	return tx.noteChanges(ctx, r.Check, r.Replica, r.ID, r.SchemaChanges, now)
}

// SchemaBroke keeps that an edge's schema changed so that nothing of it can be
// compared, as a run of it found. What is known already is no news.
func (l *Ledger) SchemaBroke(ctx context.Context, check, replica, run string, changes []checks.SchemaChange) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.lockEdge(ctx, check, replica); err != nil {
			return err
		}
		return tx.schemaBroke(ctx, check, replica, run, changes)
	})
	if err != nil {
		return fmt.Errorf("keep that the schema of %s/%s changed: %w", check, replica, err)
	}
	return nil
}

func (tx *Tx) schemaBroke(ctx context.Context, check, replica, run string, changes []checks.SchemaChange) error {
	known, err := schemaRow(ctx, tx.sql, check, replica)
	if err != nil {
		return err
	}
	words := known.Broken
	news := slices.DeleteFunc(slices.Clone(changes), func(c checks.SchemaChange) bool { return c.Breaks && slices.Contains(words, text(c.Words())) })
	for _, c := range news {
		if c.Breaks {
			words = append(words, text(c.Words()))
		}
	}
	if len(news) == 0 {
		return nil
	}
	now := tx.now()
	since := known.Since
	if since.IsZero() && len(words) > 0 {
		since = now
	}
	broken, err := document(words)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO schemas (check_name, replica, hash, run, shapes, seen, seeing, accepted_at, broken, broken_at)
		SELECT check_name, replica, hash, '', '', '', '', 0, $3, $4 FROM edges WHERE check_name = $1 AND replica = $2
		ON CONFLICT (check_name, replica) DO UPDATE SET broken = excluded.broken, broken_at = excluded.broken_at,
			shapes = CASE WHEN schemas.hash = excluded.hash THEN schemas.shapes ELSE '' END,
			seen = CASE WHEN schemas.hash = excluded.hash THEN schemas.seen ELSE '' END, hash = excluded.hash`,
		check, replica, broken, millis(since))
	if err != nil {
		return err
	}
	tx.mark(check)
	return tx.noteChanges(ctx, check, replica, run, news, now)
}

// noteChanges notes changes that are news.
func (tx *Tx) noteChanges(ctx context.Context, check, replica, run string, changes []checks.SchemaChange, now time.Time) error {
	for _, c := range changes[:min(len(changes), changesMost)] {
		_, err := tx.exec(ctx, `INSERT INTO schema_changes (check_name, replica, side, words, breaks, run, found_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (check_name, replica, side, words) DO UPDATE SET breaks = excluded.breaks, run = excluded.run, found_at = excluded.found_at`,
			check, replica, string(c.Side), text(c.Words()), c.Breaks, run, millis(now))
		if err != nil {
			return fmt.Errorf("note a change of the schema of %s/%s: %w", check, replica, err)
		}
		tx.tell(Change{Topic: "edge", Check: check, Replica: replica})
	}
	return nil
}
