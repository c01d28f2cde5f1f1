package auditor_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/reconciler"
)

// A process that froze while it wrote a record, and comes to again after another
// found out what became of that, went on, and took it all back, changes nothing:
// the record is then just as it was before, and only the time is over.
func TestFrozenWriterChangesNothingAfterAnUndo(t *testing.T) {
	t.Parallel()
	t.Run("sqlite waits for the file", func(t *testing.T) {
		t.Parallel()
		k := newMendRig(t, "sqlite", 1)
		must(t, k.shop.drift(context.Background(), 0, 1))
		lock, err := k.shop.replica.BeginTx(context.Background(), nil)
		must(t, err)
		defer lock.Rollback() // which does nothing the second time
		c := k.launchOnce()
		until(t, "it is about to write a record", func() bool { return k.look(false) > 0 })
		c.freeze()
		must(t, lock.Rollback())
		k.overtaken(c, func() {})
	})
	for name, held := range map[string]struct {
		text    string
		answers bool
	}{
		"postgres gets the beginning late":    {"SET LOCAL lock_timeout = ", false},
		"postgres gets the change late":       {"UPDATE ", false},
		"postgres gets the commit late":       {"; COMMIT", false},
		"postgres's word for the change late": {"UPDATE ", true},
		"postgres's word for the commit late": {"; COMMIT", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newMendRig(t, "postgres", 1)
			var p *proxy
			p, k.s.Mends.Writing = startProxy(t, k.s.Mends.Replica, held.text, held.answers)
			c := k.launchOnce()
			select {
			case <-p.held:
			case <-time.After(time.Minute):
				t.Fatalf("after a minute it still sent no %q:\n%s", held.text, tail(c.said()))
			}
			c.freeze()
			k.overtaken(c, p.let)
		})
	}
}

// Wherever it froze.
func TestSoakWriterFrozenAnywhereChangesNothingLater(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	t.Parallel()
	for _, kind := range engines() {
		for i := range 5 {
			t.Run(fmt.Sprintf("%s %d", kind, i), func(t *testing.T) {
				t.Parallel()
				for range 10 {
					frozenAnywhere(t, kind)
				}
			})
		}
	}
}

func frozenAnywhere(t *testing.T, kind string) {
	t.Helper()
	k := newMendRig(t, kind, 1)
	c := k.launchOnce()
	until(t, "it writes a record", func() bool { return k.look(false) > 0 })
	time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond) // not to wait for anything: the moment is what is tried
	c.freeze()
	k.overtaken(c, func() {})
}

// launchOnce has a process make one plan, apply it, and no more.
func (k *mendRig) launchOnce() *child {
	k.t.Helper()
	k.s.Mends.Plans = 1
	return k.s.launch(k.t)
}

// freeze stops a process as a machine does that is suspended.
func (c *child) freeze() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	until(c.t, "the process stands still", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
		must(c.t, err)
		_, rest, _ := strings.Cut(string(text), ") ")
		return strings.HasPrefix(rest, "T")
	})
}

// overtaken has another process go on with a frozen one's plan, whose claims are
// over by the ledger's clock, and take it back; then the frozen one goes on, and
// what it was about to do must not take effect.
func (k *mendRig) overtaken(c *child, thaw func()) {
	k.t.Helper()
	ctx := context.Background()
	k.s.Mends.Plans, k.s.Mends.Writing, k.s.Mends.Ahead = 0, k.s.Mends.Replica, reconciler.HoldFor+10*time.Second
	l := openLedger(k.t, k.s.Ledger, k.s.Mends.now)
	o, err := k.s.options(l)
	must(k.t, err)
	a := start(k.t, o)
	d := auditor.NewDesk(l, a, k.s.Mends.now)

	thawed := false
	goOn := func() {
		if !thawed {
			thawed = true
			thaw()
			c.signal(syscall.SIGCONT)
		}
	}
	p := k.plans()[0]
	patience := time.Now().Add(reconciler.WriteFor + 4*reconciler.WriteMargin)
	until(k.t, "the plan ends", func() bool {
		if p, err = l.Plan(ctx, p.ID); err != nil {
			k.t.Fatal(err)
		}
		if p.State == reconciler.Applying && time.Now().After(patience) { // it may hold the file itself: nobody comes to it then
			k.t.Log("thawed before the plan had ended")
			goOn()
		}
		return p.State != reconciler.Applying
	})
	if p.State != reconciler.Applied {
		k.t.Errorf("%s came to %s with %v: %s", p.ID, p.State, p.Counts, p.Reason)
	}
	undo, err := d.UndoFix(me(ctx), p.ID)
	must(k.t, err)
	_, err = d.ApplyFix(me(ctx), undo.ID, undo.Hash)
	must(k.t, err)
	until(k.t, "the plan is taken back", func() bool {
		undo, err = l.Plan(ctx, undo.ID)
		must(k.t, err)
		return undo.State != reconciler.Applying
	})
	if undo.State != reconciler.Applied || undo.Counts[reconciler.ItemApplied] != p.Items() {
		k.t.Errorf("%s came to %s with %v: %s", undo.ID, undo.State, undo.Counts, undo.Reason)
	}
	left := k.rows()
	goOn()
	until(k.t, "it is there again", func() bool { return k.beats(c) })
	c.stop()
	must(k.t, a.Stop(ctx))
	if now := k.rows(); now != left {
		k.t.Errorf("the replica was left as %s, and is %s", left, now)
	}
	k.held()
}

// rows are all that the replica holds, and all that was ever changed in it.
func (k *mendRig) rows() (text string) {
	k.t.Helper()
	prices, err := pricesOf(context.Background(), k.shop.replica, 0)
	must(k.t, err)
	var n sql.NullInt64
	must(k.t, k.shop.replica.QueryRow(`SELECT COUNT(*) FROM changes`).Scan(&n))
	return fmt.Sprint(prices, " after ", n.Int64, " changes")
}

// beats says whether a process has said in the last second that it is there.
func (k *mendRig) beats(c *child) bool {
	k.t.Helper()
	list, err := k.l.Processes(context.Background())
	must(k.t, err)
	for _, p := range list {
		if p.ID == c.id {
			return time.Since(p.Heartbeat) < time.Second
		}
	}
	return false
}
