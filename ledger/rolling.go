package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumbline/checks"
)

// Rolling is how far the rolling part of an edge's samples has come through one
// side's keys. A cycle is once through all of them: every key that was there
// throughout a cycle was drawn in it.
type Rolling struct {
	Check, Replica string
	Side           checks.Role
	// Cycle counts from 1; Began is when the run began that read its first key.
	Cycle int64
	Began time.Time
	// Visited is how many keys this cycle has drawn so far, at least, of about Size;
	// 0 is unknown. Skipped of them could not be compared.
	Visited, Skipped, Size int64
	// LastBegan and LastEnded are of the cycle before, which was complete; zero for
	// none. LastSkipped of its keys could not be compared.
	LastBegan, LastEnded time.Time
	LastSkipped          int64
	// MovedAt is when it last moved on.
	MovedAt time.Time

	hash     string
	moves    int64
	position checks.Watermark
}

// Since is when the oldest look at any key was, at the latest: every key that was
// there all the time since was compared since, but for those that were skipped.
// The zero time where no cycle is complete.
func (r *Rolling) Since() time.Time { return r.LastBegan }

// Share is the part of this cycle that is done, as far as can be told; ok is
// false where the size is not known.
func (r *Rolling) Share() (share float64, ok bool) {
	if r.Size <= 0 {
		return 0, false
	}
	return min(1, float64(r.Visited)/float64(r.Size)), true
}

// CompleteAt is when this cycle will be complete at the pace it has had so far;
// the zero time where that cannot be told.
func (r *Rolling) CompleteAt() time.Time {
	share, ok := r.Share()
	went := r.MovedAt.Sub(r.Began)
	if !ok || share == 0 || went <= 0 {
		return time.Time{}
	}
	return r.Began.Add(time.Duration(float64(went) / share))
}

const rollingColumns = `check_name, replica, side, hash, moves, position, cycle, began, visited, skipped, size, last_began, last_ended, last_skipped, moved_at`

func (k *keyring) scanRolling(rows *sql.Rows) (r Rolling, err error) {
	var side string
	var position []byte
	var began, lastBegan, lastEnded, moved int64
	if err := rows.Scan(&r.Check, &r.Replica, &side, &r.hash, &r.moves, &position, &r.Cycle, &began, &r.Visited, &r.Skipped, &r.Size,
		&lastBegan, &lastEnded, &r.LastSkipped, &moved); err != nil {
		return r, err
	}
	r.Side = checks.Role(side)
	r.Began, r.LastBegan, r.LastEnded, r.MovedAt = timeOf(began), timeOf(lastBegan), timeOf(lastEnded), timeOf(moved)
	r.position.Position, err = k.decodePosition(position)
	return r, err
}

// Rolling lists how far the rolling samples of a check's edges have come, by
// replica and side: those of the check as it is declared.
func (l *Ledger) Rolling(ctx context.Context, check string) ([]Rolling, error) {
	list, err := collect(ctx, l.read, l.keys.scanRolling, `SELECT `+rollingColumns+` FROM rolling WHERE check_name = $1
		AND EXISTS (SELECT 1 FROM edges e WHERE e.check_name = rolling.check_name AND e.replica = rolling.replica AND e.declared AND e.hash = rolling.hash)
		ORDER BY replica, side`, check)
	if err != nil {
		return nil, fmt.Errorf("read how far samples of %s have come: %w", check, err)
	}
	return list, nil
}

// Roll is what a run draws of the rolling part of one side.
type Roll struct {
	Side checks.Role
	// Keys is how many it drew, Size about how many there are; 0 when unknown.
	Keys, Size int64
	// Next is where the run after it begins, once all of this was read.
	Next checks.Watermark

	moves int64 // how often the watermark had moved when this was drawn
}

// Watermark is where a draw of the rolling part of a side begins.
type Watermark struct {
	checks.Watermark
	moves int64
}

// Roll is what is drawn of a side from here on.
func (w Watermark) Roll(side checks.Role, keys, size int64, next checks.Watermark) Roll {
	return Roll{Side: side, Keys: keys, Size: size, Next: next, moves: w.moves}
}

// Watermarks are where the rolling part of a run's draws begins, by side. One
// that is not in it, or was of a check that has come to mean something else,
// begins at the start.
func (l *Ledger) Watermarks(ctx context.Context, r *Run) (map[checks.Role]Watermark, error) {
	list, err := collect(ctx, l.read, l.keys.scanRolling, `SELECT `+rollingColumns+` FROM rolling WHERE check_name = $1 AND replica = $2 AND hash = $3`,
		r.Check, r.Replica, r.Hash)
	if err != nil {
		return nil, fmt.Errorf("read how far samples of %s/%s have come: %w", r.Check, r.Replica, err)
	}
	marks := map[checks.Role]Watermark{}
	for i := range list {
		marks[list[i].Side] = Watermark{list[i].position, list[i].moves}
	}
	return marks, nil
}

// keepRolls keeps what a run drew, so that the watermarks move once it was read.
func keepRolls(ctx context.Context, tx *Tx, run string, rolls []Roll) error {
	for _, roll := range rolls {
		_, err := tx.exec(ctx, `INSERT INTO rolls (run, side, moves, position, wrapped, drawn, size, done) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			run, string(roll.Side), roll.moves, tx.keys.encodePosition(roll.Next.Position), roll.Next.Wrapped, roll.Keys, roll.Size, false)
		if err != nil {
			return fmt.Errorf("keep what was drawn of the %s: %w", roll.Side, err)
		}
	}
	return nil
}

// rollOn moves the watermarks of an edge to where a run's draws ended: of a side
// of which every drawn key was read, and where nobody has moved it since it was
// drawn from. The transaction holds the edge.
func (tx *Tx) rollOn(ctx context.Context, r *Run, at time.Time) error {
	rolls, err := collect(ctx, tx.sql, tx.keys.scanRoll, `SELECT side, moves, position, wrapped, drawn, size FROM rolls WHERE run = $1 AND NOT done ORDER BY side`, r.ID)
	if err != nil || len(rolls) == 0 {
		return err
	}
	var hash string
	if err := tx.sql.QueryRowContext(ctx, `SELECT hash FROM edges WHERE check_name = $1 AND replica = $2`, r.Check, r.Replica).Scan(&hash); err != nil {
		return fmt.Errorf("read edge %s/%s: %w", r.Check, r.Replica, err)
	}
	if hash != r.Hash {
		return nil // it drew from what the check was before
	}
	for i := range rolls {
		left, skipped, err := tx.unreadOf(ctx, r.ID, rolls[i].Side)
		if err != nil {
			return err
		}
		if left > 0 {
			continue
		}
		if err := tx.moveOn(ctx, r, &rolls[i], skipped, at); err != nil {
			return fmt.Errorf("move the watermark of %s/%s on: %w", r.Check, r.Replica, err)
		}
	}
	return nil
}

func (k *keyring) scanRoll(rows *sql.Rows) (r Roll, err error) {
	var side string
	var position []byte
	if err := rows.Scan(&side, &r.moves, &position, &r.Next.Wrapped, &r.Keys, &r.Size); err != nil {
		return r, err
	}
	r.Side = checks.Role(side)
	r.Next.Position, err = k.decodePosition(position)
	return r, err
}

// unreadOf says how many of a run's segments of a side were not read to their end,
// and how many keys of the others could not be compared. A key that another part
// drew too is in that part's segment, so all of them count.
func (tx *Tx) unreadOf(ctx context.Context, run string, side checks.Role) (left, skipped int64, err error) {
	list, err := collect(ctx, tx.sql, tx.keys.scanSegment, `SELECT `+segmentColumns+` FROM segments WHERE run = $1 AND drive = $2`, run, string(side))
	if err != nil {
		return 0, 0, fmt.Errorf("read segments: %w", err)
	}
	for i := range list {
		if list[i].State != SegmentDone {
			left++
		}
		skipped += list[i].Counts.Skipped
	}
	return left, skipped, nil
}

// moveOn takes one side's watermark to where a draw ended. Keys before a wrap end
// a cycle, those after it begin the next: it began when this run did.
func (tx *Tx) moveOn(ctx context.Context, r *Run, roll *Roll, skipped int64, at time.Time) error {
	known, err := collect(ctx, tx.sql, tx.keys.scanRolling, `SELECT `+rollingColumns+` FROM rolling WHERE check_name = $1 AND replica = $2 AND side = $3`,
		r.Check, r.Replica, string(roll.Side))
	if err != nil {
		return err
	}
	now := Rolling{Cycle: 1, Began: r.StartedAt}
	if len(known) > 0 && known[0].hash == r.Hash {
		now = known[0]
	}
	if now.moves == roll.moves {
		now.moves++
		now.position.Position, now.Size, now.MovedAt = roll.Next.Position, roll.Size, at
		now.Visited += roll.Keys
		now.Skipped += skipped
		if roll.Next.Wrapped {
			now.LastBegan, now.LastEnded, now.LastSkipped = now.Began, at, now.Skipped
			now.Cycle, now.Began, now.Visited, now.Skipped = now.Cycle+1, r.StartedAt, 0, 0
		}
		_, err = tx.exec(ctx, `INSERT INTO rolling (`+rollingColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
			ON CONFLICT (check_name, replica, side) DO UPDATE SET hash = excluded.hash, moves = excluded.moves, position = excluded.position,
				cycle = excluded.cycle, began = excluded.began, visited = excluded.visited, skipped = excluded.skipped, size = excluded.size,
				last_began = excluded.last_began, last_ended = excluded.last_ended, last_skipped = excluded.last_skipped, moved_at = excluded.moved_at`,
			r.Check, r.Replica, string(roll.Side), r.Hash, now.moves, tx.keys.encodePosition(now.position.Position), now.Cycle, millis(now.Began), now.Visited,
			now.Skipped, now.Size, millis(now.LastBegan), millis(now.LastEnded), now.LastSkipped, millis(now.MovedAt))
		if err != nil {
			return err
		}
		tx.tell(Change{Topic: "edge", Check: r.Check, Replica: r.Replica})
	}
	_, err = tx.exec(ctx, `UPDATE rolls SET done = $1 WHERE run = $2 AND side = $3`, true, r.ID, string(roll.Side))
	return err
}
