package checks

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// scan reads all segments, several side by side. A segment that cannot be read
// to its end leaves the others alone; what it lacks is counted as unread.
func (e *edge) scan(ctx context.Context, segments []Segment) error {
	if err := e.scanPass(ctx, segments, false); err != nil {
		return err
	}
	return e.scanPass(ctx, segments, true)
}

// scanPass reads the segments that compare, or those that look only for what the
// other side lacks. The latter come last: by what look-ups found until then an API
// tells a list that leaves records out.
func (e *edge) scanPass(ctx context.Context, segments []Segment, presence bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(e.options.Parallel)
	for i := range segments {
		if segments[i].Pass.Presence != presence {
			continue
		}
		group.Go(func() error {
			read, err := int64(0), ErrStopped
			if !e.scanned() {
				err = e.scanSegment(ctx, &segments[i], func(p *Part) error {
					read += p.Records
					return e.take(p)
				})
			}
			if err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			e.unread(segments[i].Estimate-read, err)
			return nil
		})
	}
	return group.Wait()
}
