package auditor_test

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/ledger"
)

// Three processes share a ledger; one after another is killed, or frozen for
// longer than the others wait for it. Every slot is accounted for once, no check
// runs twice at a time, others take over, and who thaws writes nothing that is
// not its own any more.
func TestThreeProcesses(t *testing.T) {
	t.Parallel()
	fleet(t, 40, 45*time.Second)
}

func TestSoakThreeProcesses(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	t.Parallel()
	fleet(t, 100, 10*time.Minute)
}

func fleet(t *testing.T, checks int, lasts time.Duration) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	url := ledgerURL(t, "postgres")
	k := &killing{t: t, l: openLedger(t, url, nil), truths: map[string]truth{}, segments: map[string]ledger.Segment{}, stable: map[uint64][2]time.Time{1: {time.Now()}}}
	k.s = &service{Ledger: url, Checks: checks, Records: 800, Share: 0.05, Phase: 1, Spec: "@every 10s", Hash: "one", Settle: time.Second, Page: 20,
		Delay: 4 * time.Millisecond, Silence: 5 * time.Second, Workers: 4, Cut: 2, Bounds: auditor.Bounds{Record: 20 * time.Millisecond}}
	began := time.Now()
	members := []*child{k.s.launch(t), k.s.launch(t), k.s.launch(t)}
	kills, freezes, logs := 0, 0, strings.Builder{}
	for time.Since(began) < lasts {
		pause(time.Duration(1000+r.IntN(3000)) * time.Millisecond)
		i := r.IntN(len(members))
		if r.IntN(2) == 0 {
			members[i].kill()
			logs.WriteString(members[i].said())
			kills++
			pause(time.Duration(r.IntN(3000)) * time.Millisecond)
			members[i] = k.s.launch(t)
			continue
		}
		members[i].signal(syscall.SIGSTOP)
		freezes++
		pause(k.s.Silence + time.Duration(2000+r.IntN(4000))*time.Millisecond)
		members[i].signal(syscall.SIGCONT)
		k.look()
	}
	end := time.Now()
	pause(2 * k.s.Silence) // for what was left to be taken over
	var ended []string
	for _, c := range members {
		c.stop()
		ended = append(ended, c.id)
		logs.WriteString(c.said())
	}
	k.nothingRuns(ended...)
	schedule, err := auditor.ParseSchedule(k.s.Spec)
	must(t, err)
	k.settleDown()
	t.Logf("%d kills, %d freezes; %d jobs were taken over, and %d times somebody found his work taken over", kills, freezes,
		strings.Count(logs.String(), "took over work of a process"), strings.Count(logs.String(), "work was taken over"))
	k.slots(schedule, began, end)
	k.judge()
}

// pause lets time pass: what happens meanwhile is what is tried.
func pause(d time.Duration) { time.Sleep(d) }

// slots fails unless each slot between two times is accounted for once, with as
// many runs as it says, none of which overlap.
func (k *killing) slots(schedule auditor.Schedule, from, until time.Time) {
	byCheck := map[string][]*ledger.Run{}
	for after := ""; ; {
		runs, next, err := k.l.Runs(context.Background(), ledger.RunFilter{Limit: 500, After: after})
		must(k.t, err)
		for _, r := range runs {
			byCheck[r.Check] = append(byCheck[r.Check], r)
		}
		if after = next; next == "" {
			break
		}
	}
	outcomes, longest := map[ledger.SlotOutcome]int{}, time.Duration(0)
	for i := range k.s.Checks {
		name := k.s.name(i)
		slots, err := k.l.Slots(context.Background(), name, from.Add(-time.Minute)) // none is older
		must(k.t, err)
		for at := schedule.Next(from.Add(time.Second)); at.Before(until.Add(-11 * time.Second)); at = schedule.Next(at) {
			times := 0
			for _, s := range slots {
				if !at.Before(s.At) && !at.After(s.Until) {
					times++
					outcomes[s.Outcome]++
				}
			}
			if times != 1 {
				k.t.Errorf("slot %s of %s is accounted for %d times", at, name, times)
			}
		}
		runs := byCheck[name]
		slices.SortFunc(runs, func(a, b *ledger.Run) int { return int(a.Number - b.Number) })
		for n, r := range runs {
			of := slices.IndexFunc(slots, func(s ledger.Slot) bool { return s.At.Equal(r.SlotAt) })
			if of < 0 || slots[of].Outcome != ledger.SlotRun {
				k.t.Errorf("run #%d is of slot %s, which is not one that was run", r.Number, r.SlotAt)
			}
			if n > 0 && (r.CreatedAt.Before(runs[n-1].EndedAt) || r.SlotAt.Equal(runs[n-1].SlotAt)) {
				k.t.Errorf("run #%d of %s overlaps #%d", r.Number, name, runs[n-1].Number)
			}
			longest = max(longest, r.FinishedAt.Sub(r.CreatedAt))
		}
	}
	k.t.Logf("slots: %v; the longest run took %s from its slot to its last word", outcomes, longest.Round(time.Millisecond))
	if longest > 90*time.Second {
		k.t.Errorf("a run took %s: nobody took it over", longest)
	}
	if outcomes[ledger.SlotRun] < k.s.Checks {
		k.t.Errorf("only %d slots were run", outcomes[ledger.SlotRun])
	}
}
