package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"plumbline/checks"
)

// RecordVerdicts records what suspects came to: they leave or begin anew, their
// runs' counts move, findings change by drift.Next, and runs whose last suspect
// went are concluded. ErrLostTerm.
func (l *Ledger) RecordVerdicts(ctx context.Context, edge EdgeFacts, term int64, worker string, vs []checks.Verdict, at time.Time, settle time.Duration) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		r, err := l.judged(ctx, tx, edge, term, vs, at, settle)
		if err != nil {
			return err
		}
		if err := r.takeVerdicts(ctx, vs); err != nil {
			return err
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
		return r.concludeRuns(ctx)
	})
	if err != nil {
		return fmt.Errorf("record verdicts on %s/%s: %w", edge.Check.Name, edge.edge().Name, err)
	}
	return nil
}

// RecordRechecks records what reading known findings again came to. No run's
// counts move; run, which may be "", is named in their timelines. ErrLostTerm.
func (l *Ledger) RecordRechecks(ctx context.Context, edge EdgeFacts, term int64, worker string, run string, vs []checks.Verdict, at time.Time) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		r, err := l.judged(ctx, tx, edge, term, vs, at, edge.edge().Settle)
		if err != nil {
			return err
		}
		news := newOutcomes(r)
		for i := range vs {
			v := &vs[i]
			news.of(v).run = run
			if v.Follow != nil {
				if err := r.suspect(ctx, *v.Follow, nil); err != nil {
					return err
				}
			}
		}
		if err := news.apply(ctx); err != nil {
			return err
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
		return r.book.flush(ctx)
	})
	if err != nil {
		return fmt.Errorf("record rechecks of %s/%s: %w", edge.Check.Name, edge.edge().Name, err)
	}
	return nil
}

// judged begins to record verdicts: it holds the edge and has read what they are about.
func (l *Ledger) judged(ctx context.Context, tx *Tx, edge EdgeFacts, term int64, vs []checks.Verdict, at time.Time, settle time.Duration) (*recorder, error) {
	known, err := tx.lockEdge(ctx, edge.Check.Name, edge.edge().Name)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, &NotFoundError{What: "edge", Name: edge.Check.Name + "/" + edge.edge().Name}
	}
	r, err := l.record(ctx, tx, edge, at, settle)
	if err != nil {
		return nil, err
	}
	if r.term != term {
		return nil, ErrLostTerm
	}
	var who []ident
	for i := range vs {
		v := &vs[i]
		who = append(who, r.identOf(v.Suspect.Key, v.Suspect.ID))
		if v.Difference != nil {
			who = append(who, r.identOf(v.Difference.Key, v.Difference.ID))
		}
		if v.Follow != nil {
			who = append(who, r.identOf(v.Follow.Key, v.Follow.ID))
		}
	}
	return r, r.load(ctx, who)
}

// takeVerdicts takes over what suspects came to.
func (r *recorder) takeVerdicts(ctx context.Context, vs []checks.Verdict) error {
	news := newOutcomes(r)
	waiting := r.waiting(vs)
	renewed := map[suspectID]bool{}
	judged := map[suspectID]bool{}
	for i := range vs {
		v := &vs[i]
		id := r.idOf(v.Suspect)
		row := r.rows[id]
		if row != nil && row.metTerm == r.term && v.Outcome == checks.Cleared {
			// A scan met it after it was taken to be judged: what was read may be
			// older than what the scan saw.
			row.FirstSeen, row.Since, row.metTerm, row.dirty = r.at, r.at, 0, true // the next read is newer than the scan
			renewed[id] = true
			continue
		}
		if row != nil {
			judged[id] = true
		}
		if err := r.countVerdict(ctx, news, v, waiting[v.Suspect.Key.Encode()]); err != nil {
			return err
		}
		if v.Outcome == checks.Renewed && v.Follow != nil && row != nil {
			runs := row.runs
			row.Suspect, row.dirty = *v.Follow, true
			row.runs, row.Known = runs, false
			renewed[id] = true
		}
	}
	for id := range judged {
		if !renewed[id] {
			if err := r.leave(ctx, r.rows[id]); err != nil {
				return err
			}
		}
	}
	if err := news.apply(ctx); err != nil {
		return err
	}
	for i := range vs {
		if v := &vs[i]; v.Follow != nil && v.Outcome != checks.Renewed && !renewed[r.idOf(v.Suspect)] {
			follow := v.Follow
			drawn := func(run string) checks.Role {
				if row := r.rows[r.idOf(v.Suspect)]; row != nil && follow.Random != "" {
					return row.random[run]
				}
				return ""
			}
			if err := r.suspectOf(ctx, *follow, waiting[v.Suspect.Key.Encode()], drawn); err != nil {
				return err
			}
		}
	}
	return nil
}

// waiting names, by key, the runs that wait for the suspects that verdicts are
// about. A verdict on a key that is held twice comes beside that on a suspect,
// and has no suspect of its own.
func (r *recorder) waiting(vs []checks.Verdict) map[string][]string {
	waiting := map[string][]string{}
	for i := range vs {
		key := vs[i].Suspect.Key.Encode()
		if row := r.rows[r.idOf(vs[i].Suspect)]; row != nil {
			for _, run := range row.runs {
				if !slices.Contains(waiting[key], run) {
					waiting[key] = append(waiting[key], run)
				}
			}
		}
	}
	return waiting
}

// countVerdict adds a verdict to the runs that wait for its suspect.
func (r *recorder) countVerdict(ctx context.Context, news *outcomes, v *checks.Verdict, beside []string) error {
	runs, random := beside, randomMarks{}
	if row := r.rows[r.idOf(v.Suspect)]; row != nil {
		runs, random = row.runs, row.random
	}
	o := news.of(v)
	for _, name := range runs {
		run, err := r.run(ctx, name)
		if err != nil {
			return err
		}
		if run == nil {
			continue
		}
		o.run = name
		counts, drawn := v.Counts, v.Counts.RandomOnly()
		if random[name] == "" { // another run drew the key at random
			counts, drawn = differenceOf(counts, drawn), checks.Counts{}
		}
		if v.Outcome == checks.Confirmed {
			e := r.book.entries[r.identOf(v.Difference.Key, v.Difference.ID)]
			if e.countedIn(name, v.Difference.Kind) {
				run.Counts.Add(drawn)
				continue
			}
			e.count(name, v.Difference.Kind)
			o.waiting = append(o.waiting, run)
		}
		run.Counts.Add(counts)
		if v.Reason != "" {
			run.because(r.facts.reason(v.Reason), 1)
		}
	}
	return nil
}

// concludeRuns writes the runs and the book, and concludes the runs that waited
// for nothing but what was judged.
func (r *recorder) concludeRuns(ctx context.Context) error {
	var runs []*Run
	for _, run := range r.runs {
		if run != nil {
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b *Run) int { return int(a.Number - b.Number) })
	for _, run := range runs {
		switch {
		case run.State == Settling:
			if hash := r.facts.Hash; hash != "" && run.Hash != "" && hash != run.Hash {
				run.because(ReasonChanged, 1) // what it compared, it compared by other rules
			}
			if err := r.ledger.conclude(ctx, r.tx, r.book, run, r.at, r.facts.AllowEmpty); err != nil {
				return err
			}
		case run.State == Finished:
			run.Coverage = run.EdgeRun().Coverage()
			fallthrough
		default:
			if err := r.tx.save(ctx, run); err != nil {
				return err
			}
		}
	}
	return r.book.flush(ctx)
}
