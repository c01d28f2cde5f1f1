package auditor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
	"plumbline/sources/postgres"
	"plumbline/sources/sqlite"
)

// mending is a service that puts right what it finds: each of its checks goes
// round, from drift to a plan of fixes to the plan that takes it back. Whatever a
// process before it left half way it goes on with.
type mending struct {
	// Kind is of both stores, sqlite or postgres; Writing is how the replica is
	// written to.
	Kind                    string
	Owner, Replica, Writing string
	// Plans is how many plans are ever drafted; 0 goes on with what there is.
	Plans int64
	// Patience is how long a statement of a writing source may take; 0 is mendStatement.
	Patience time.Duration
	// Ahead is how far the ledger's clock is ahead, as seen from a store.
	Ahead time.Duration
}

// mendStatement bounds each statement of the stores.
const mendStatement = 10 * time.Second

func (m *mending) open(name, url string, writable bool) (sources.Source, error) {
	o := sources.Options{Name: name, URL: sources.Secret(url), StatementTimeout: m.patience(writable), Writable: writable}
	if m.Kind == "postgres" {
		return postgres.Open(o)
	}
	return sqlite.Open(o)
}

func (m *mending) patience(writable bool) time.Duration {
	if writable && m.Patience > 0 {
		return m.Patience
	}
	return mendStatement
}

func (m *mending) now() time.Time { return time.Now().Add(m.Ahead) }

func (m *mending) policy() reconciler.Policy {
	return reconciler.Policy{Mode: reconciler.ModePropose, By: reconciler.Write, Allow: []reconciler.Allow{"update", "delete", "triggers"}, MaxRecords: 1000, MaxShare: 100}
}

// checks are those of each part of the shop.
func (s *service) mendingChecks() (list []auditor.Check) {
	for i := range s.Checks {
		side := func(source string) checks.Side {
			return checks.Side{Source: source, Kind: s.Mends.Kind, Dataset: sources.Dataset{Name: partTable(i), Key: []string{"id"}}}
		}
		check := &checks.Check{Name: s.name(i), Owner: side("owner"), Edges: []checks.Edge{{Name: "replica", Replica: side("replica"), Settle: s.Settle,
			Rules: []checks.Rule{{Owner: checks.FieldRef{Name: "price"}, Replica: checks.FieldRef{Name: "price"}, Precision: -1}}}}}
		list = append(list, auditor.Check{Check: check, Hash: "the check", FixHash: "the check and its fixes", Fixes: map[string]reconciler.Policy{"replica": s.Mends.policy()}})
	}
	return list
}

// mendingOptions are of an auditor that puts right.
func (s *service) mendingOptions(l *ledger.Ledger) (auditor.Options, error) {
	m := s.Mends
	readers := map[string]*sources.Reader{}
	for name, url := range map[string]string{"owner": m.Owner, "replica": m.Replica} {
		source, err := m.open(name, url, false)
		if err != nil {
			return auditor.Options{}, err
		}
		readers[name] = sources.NewReader(name, source, sources.Limits{Statement: mendStatement}, nil)
	}
	fixer := func(name string) (*sources.Fixer, func() error, error) {
		source, err := m.open(name, m.Writing, true)
		if err != nil {
			return nil, nil, err
		}
		f := sources.NewFixer(name, source, sources.Limits{Statement: m.patience(true)})
		return f, f.Close, nil
	}
	return auditor.Options{Ledger: l, Checks: s.mendingChecks(), Hash: s.Hash, Lens: lens(l), Silence: s.Silence, Workers: s.Workers, Bounds: s.Bounds, Now: m.now,
		Readers: func(name string) (*sources.Reader, error) { return readers[name], nil },
		Fixing:  auditor.Fixing{Fixer: fixer, CanHide: true}}, nil
}

// mender is a process's own part in it: who decides what is put right next.
type mender struct {
	service *service
	ledger  *ledger.Ledger
	auditor *auditor.Auditor
	desk    *auditor.Desk
	shop    *mendShop
	log     *slog.Logger
}

// mend goes round with each check until ctx ends.
func (s *service) mend(ctx context.Context, l *ledger.Ledger, a *auditor.Auditor, log *slog.Logger) error {
	shop, err := openMendShop(s.Mends.Kind, s.Mends.Owner, s.Mends.Replica)
	if err != nil {
		return err
	}
	m := &mender{service: s, ledger: l, auditor: a, desk: auditor.NewDesk(l, a, s.Mends.now), shop: shop, log: log}
	var wg sync.WaitGroup
	for i := range s.Checks {
		// Plans are drafted here alone, one of a check after the other.
		if err := l.PauseFixes(ctx, reconciler.Pause{Check: s.name(i), Reason: "somebody else drafts plans", At: s.Mends.now()}); err != nil {
			return err
		}
	}
	for i := range s.Checks {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := m.step(ctx, i); err != nil && ctx.Err() == nil {
					log.Info("a step could not be made", "check", s.name(i), "error", err)
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	wg.Wait()
	return shop.Close()
}

// me is somebody's next attempt, where there are no accounts.
func me(ctx context.Context) context.Context {
	return access.With(ctx, &access.Attempt{Actor: access.Local(access.ByCommand, ""), Action: "test"})
}

// step does the next thing about a check: whatever plan it has is gone on with
// first, what it applied is then taken back, and what drifts after that is planned
// anew.
func (m *mender) step(ctx context.Context, i int) error {
	plans, _, err := m.ledger.Plans(ctx, ledger.PlanFilter{Check: m.service.name(i), Limit: 1})
	if err != nil {
		return err
	}
	if len(plans) == 0 {
		return m.draft(ctx, i, 0)
	}
	p := plans[0]
	switch {
	case p.State == reconciler.Applying:
		return nil
	case p.State.Live(), leftPending(p):
		_, err := m.desk.ApplyFix(me(ctx), p.ID, p.Hash)
		var refused *reconciler.Refusal
		if !errors.As(err, &refused) || !p.State.Live() {
			return err
		}
		_, err = m.desk.WithdrawFix(me(ctx), p.ID, "refused")
		return errors.Join(refused, err)
	case p.Undoes == "" && p.State != reconciler.Undone && p.Counts[reconciler.ItemApplied]+p.Counts[reconciler.ItemVerified] > 0:
		if m.service.Mends.Plans <= p.Number {
			return nil
		}
		_, err := m.desk.UndoFix(me(ctx), p.ID)
		var refused *reconciler.Refusal
		if !errors.As(err, &refused) {
			return err
		}
	}
	return m.draft(ctx, i, p.Number)
}

// leftPending says that a plan stopped with something left.
func leftPending(p *reconciler.Plan) bool {
	return (p.State == reconciler.PartlyApplied || p.State == reconciler.Failed) && p.Counts[reconciler.Pending] > 0
}

// draft lets a check's records drift, finds that, and plans to put it right.
func (m *mender) draft(ctx context.Context, i int, last int64) error {
	if m.service.Mends.Plans <= last {
		return nil
	}
	if err := m.shop.drift(ctx, i, last+1); err != nil {
		return err
	}
	runs, err := m.auditor.Run(me(ctx), m.service.name(i), ledger.ByPerson, "ada", nil)
	if err != nil {
		return err
	}
	for {
		run, err := m.ledger.Run(ctx, runs[0].ID)
		if err != nil {
			return err
		}
		if run.State == ledger.Finished {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	p, err := m.desk.DraftFix(me(ctx), auditor.FixRequest{Check: m.service.name(i)})
	if err == nil {
		m.log.Info("drafted", "plan", p.ID, "items", p.Items())
	}
	return err
}

func partTable(i int) string { return fmt.Sprintf("products_%d", i) }
