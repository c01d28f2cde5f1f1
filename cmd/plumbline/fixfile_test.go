package main

import (
	"testing"

	"plumbline/reconciler"
	"plumbline/web"
)

// Whoever reviews a file approves what it shows: none of that may be other than
// what the ledger has.
func TestAPlanFileThatShowsAnythingElseIsRefused(t *testing.T) {
	t.Parallel()
	fresh := func() (*web.FixFileBody, *web.FixBody, []web.FixItemBody) {
		items := []web.FixItemBody{{N: 1, KeyText: "id=1", Kind: "update", State: "pending", Hash: "ab", Statement: "UPDATE"}}
		plan := web.FixBody{Plan: "P-7", Number: 7, Check: "prices", Hash: reconciler.PlanHash([]string{"ab"}), Items: 1, Needs: 1, State: "draft",
			Checklist: []web.FixSafetyBody{{Name: "share", Words: "2 % of the replica differs"}}, LeftOut: []web.FixLeftOutBody{{Reason: "missing", Count: 3}}}
		file := plan
		file.Checklist, file.LeftOut = append([]web.FixSafetyBody{}, plan.Checklist...), append([]web.FixLeftOutBody{}, plan.LeftOut...)
		return &web.FixFileBody{FixBody: file, PlanItems: append([]web.FixItemBody{}, items...)}, &plan, items
	}
	for name, row := range map[string]struct {
		change func(f *web.FixFileBody)
		taken  bool
	}{
		"as written":     {func(*web.FixFileBody) {}, true},
		"of its time":    {func(f *web.FixFileBody) { f.State, f.PlanItems[0].State, f.Counts.Pending = "approved", "stale", 1 }, true},
		"no checklist":   {func(f *web.FixFileBody) { f.Checklist = nil }, false},
		"another word":   {func(f *web.FixFileBody) { f.Checklist[0].Words = "all is well" }, false},
		"left out":       {func(f *web.FixFileBody) { f.LeftOut[0].Count = 0 }, false},
		"drafted by":     {func(f *web.FixFileBody) { f.DraftedBy = "the boss" }, false},
		"needs":          {func(f *web.FixFileBody) { f.Needs = 0 }, false},
		"its choice":     {func(f *web.FixFileBody) { f.Choice = "1 key" }, false},
		"a statement":    {func(f *web.FixFileBody) { f.PlanItems[0].Statement = "SELECT" }, false},
		"a key":          {func(f *web.FixFileBody) { f.PlanItems[0].KeyText = "id=2" }, false},
		"one record off": {func(f *web.FixFileBody) { f.PlanItems = nil }, false},
	} {
		file, plan, items := fresh()
		row.change(file)
		if why := differs(file, plan, items); (why == "") != row.taken {
			t.Errorf("%s: taken %t, want %t: %s", name, why == "", row.taken, why)
		}
	}
}
