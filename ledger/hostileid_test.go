package ledger_test

import (
	"errors"
	"testing"

	"plumbline/ledger"
	"plumbline/reconciler"
)

// Whoever asks writes the ids: what no engine can hold is of nothing that is known.
func TestAnIdThatNoEngineHoldsIsNotFound(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			l, err := ledger.Open(ctx, address(t, engine), ledger.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for _, id := range []string{"P-\x00", "\xff", "", "P-\xed\xa0\xbd"} {
				_, plan := l.Plan(ctx, id)
				_, finding := l.Finding(ctx, id)
				_, incident := l.Incident(ctx, id)
				_, run := l.Run(ctx, id)
				_, acted := l.WithdrawPlan(ctx, id, "", reconciler.Person{Name: "ann"})
				for what, err := range map[string]error{"plan": plan, "finding": finding, "incident": incident, "run": run, "withdrawn": acted} {
					var gone *ledger.NotFoundError
					if !errors.As(err, &gone) {
						t.Errorf("%s %q: %v", what, id, err)
					}
				}
				if items, err := l.PlanItems(ctx, id, ledger.ItemFilter{}); err != nil || len(items) != 0 {
					t.Errorf("items of %q: %d, %v", id, len(items), err)
				}
			}
		})
	}
}
