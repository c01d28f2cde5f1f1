package ledger

import (
	"context"
	"fmt"
	"time"
)

// answersKept is how long an answer is remembered.
const answersKept = 24 * time.Hour

// answerWithin is how long a request may take before another with its key may be
// taken up: whoever answered it is gone.
const answerWithin = 2 * time.Minute

// Remember does something once per key and route, and keeps what it answered:
// the same key again gets the same answer, and nothing is done. do runs outside
// any transaction, so that it may call the ledger. While it runs the same key is
// an *InProgressError; an error of do is returned and not kept.
func (l *Ledger) Remember(ctx context.Context, key, route string, do func() (status int, body []byte, err error)) (status int, body []byte, replayed bool, err error) {
	name := text(key)
	asked := millis(l.now())
	err = l.InTx(ctx, func(tx *Tx) error {
		// One who left without an answer is given up: the process is gone.
		if _, err := tx.exec(ctx, `DELETE FROM answers WHERE route = $1 AND name = $2 AND (status = 0 AND asked_at < $3 OR asked_at < $4)`,
			route, name, asked-answerWithin.Milliseconds(), asked-answersKept.Milliseconds()); err != nil {
			return err
		}
		begun, err := tx.exec(ctx, `INSERT INTO answers (route, name, status, body, asked_at) VALUES ($1, $2, 0, $3, $4)
			ON CONFLICT (route, name) DO NOTHING`, route, name, []byte{}, asked)
		if err != nil || begun == 1 {
			return err
		}
		replayed = true
		if err := tx.sql.QueryRowContext(ctx, `SELECT status, body FROM answers WHERE route = $1 AND name = $2`, route, name).Scan(&status, &body); err != nil {
			return err
		}
		body, err = l.keys.open(body)
		return err
	})
	switch {
	case err != nil:
		return 0, nil, false, fmt.Errorf("look for the answer to %q: %w", key, err)
	case replayed && status == 0:
		return 0, nil, false, &InProgressError{Key: key}
	case replayed:
		return status, body, true, nil
	}
	status, body, err = do()
	// What was done is to be known even where whoever asked has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	failed := err
	err = l.InTx(ctx, func(tx *Tx) error {
		if failed != nil {
			_, err := tx.exec(ctx, `DELETE FROM answers WHERE route = $1 AND name = $2 AND status = 0`, route, name)
			return err
		}
		// It may hold keys of records, so it is encrypted as they are.
		_, err := tx.exec(ctx, `UPDATE answers SET status = $1, body = $2 WHERE route = $3 AND name = $4`, status, l.keys.seal(body), route, name)
		return err
	})
	if failed != nil {
		return status, body, false, failed
	}
	if err != nil {
		return status, body, false, fmt.Errorf("keep the answer to %q: %w", key, err)
	}
	return status, body, false, nil
}
