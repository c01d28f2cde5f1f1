package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// bucketWidth is how much time a Bucket stands for.
const bucketWidth = 30 * time.Minute

// keepHistory puts a run that was concluded into its half hour. Worst is the
// gravest of the runs in it; the figures are the last one's.
func keepHistory(ctx context.Context, tx *Tx, r *Run, at time.Time) error {
	_, err := tx.exec(ctx, `INSERT INTO buckets (check_name, replica, begins_at, worst, runs, differences, compared, coverage)
		VALUES ($1, $2, $3, $4, 1, $5, $6, $7)
		ON CONFLICT (check_name, replica, begins_at) DO UPDATE SET runs = buckets.runs + 1, differences = excluded.differences,
			compared = excluded.compared, coverage = excluded.coverage,
			worst = CASE WHEN buckets.worst = 'error' OR excluded.worst = 'clean'
				OR buckets.worst = 'incomplete' AND excluded.worst = 'drift' THEN buckets.worst ELSE excluded.worst END`,
		r.Check, r.Replica, millis(at.Truncate(bucketWidth)), string(r.Result), r.Counts.Differences(), r.Counts.Compared(), r.Coverage)
	if err != nil {
		return fmt.Errorf("keep the history of %s/%s: %w", r.Check, r.Replica, err)
	}
	return nil
}

// History is every edge's history since a time, the oldest first.
func (l *Ledger) History(ctx context.Context, since time.Time) ([]Bucket, error) {
	return l.EdgeHistory(ctx, "", since)
}

// EdgeHistory is the history of a check's edges since a time, the oldest first.
func (l *Ledger) EdgeHistory(ctx context.Context, check string, since time.Time) ([]Bucket, error) {
	where, args := `WHERE begins_at >= $1`, []any{millis(since.Truncate(bucketWidth))}
	if check != "" {
		where, args = where+` AND check_name = $2`, append(args, check)
	}
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (b Bucket, err error) {
		var at int64
		err = rows.Scan(&b.Check, &b.Replica, &at, &b.Worst, &b.Runs, &b.Differences, &b.Compared, &b.Coverage)
		b.At = timeOf(at)
		return b, err
	}, `SELECT check_name, replica, begins_at, worst, runs, differences, compared, coverage FROM buckets `+where+`
		ORDER BY check_name, replica, begins_at`, args...)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return list, nil
}
