package reconciler

import (
	"testing"
)

func TestAPlanMovesOnlyAsItsLifeAllows(t *testing.T) {
	t.Parallel()
	moves := map[PlanState]map[PlanEvent]PlanState{
		Draft:         {EventAsk: Waiting, EventApprove: Approved, EventWithdraw: Expired, EventExpire: Expired, EventOutdate: Stale},
		Waiting:       {EventApprove: Approved, EventWithdraw: Expired, EventExpire: Expired, EventOutdate: Stale},
		Approved:      {EventBegin: Applying, EventWithdraw: Expired, EventExpire: Expired, EventOutdate: Stale},
		Applying:      {Ended(Applied): Applied, Ended(PartlyApplied): PartlyApplied, Ended(Stale): Stale, Ended(Failed): Failed},
		Applied:       {EventUndo: Undone},
		PartlyApplied: {EventUndo: Undone, EventBegin: Applying},
		Failed:        {EventBegin: Applying},
		Stale:         {}, Expired: {}, Undone: {},
	}
	for _, state := range PlanStates() {
		for _, event := range PlanEvents() {
			want, may := moves[state][event]
			got, ok := Next(state, event)
			if ok != may || ok && got != want {
				t.Errorf("%s after %q: %s, %t; want %s, %t", state, event, got, ok, want, may)
			}
		}
		if _, ok := Next(state, "dance"); ok {
			t.Errorf("%s moves after an event that there is none of", state)
		}
	}
}

func TestAPlanComesToWhatItsItemsCameTo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		counts map[ItemState]int64
		want   PlanState
	}{
		{map[ItemState]int64{ItemApplied: 1, ItemVerified: 2, ItemSent: 3}, Applied},
		{map[ItemState]int64{ItemApplied: 1, ItemStale: 1}, PartlyApplied},
		{map[ItemState]int64{ItemVerified: 1, ItemFailed: 1, Pending: 5}, PartlyApplied},
		{map[ItemState]int64{ItemSent: 1, Pending: 1}, PartlyApplied},
		{map[ItemState]int64{ItemStale: 4}, Stale},
		{map[ItemState]int64{ItemStale: 4, ItemFailed: 1}, Failed},
		{map[ItemState]int64{ItemFailed: 1, Pending: 9}, Failed},
		{map[ItemState]int64{Pending: 9}, Failed},
		{nil, Stale},
	} {
		if got := Outcome(c.counts); got != c.want {
			t.Errorf("%v came to %s, want %s", c.counts, got, c.want)
		}
	}
}
