package auditor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/ledger"
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
		k.overtaken(c, func() {}, false)
	})
	t.Run("postgres gets the beginning late", func(t *testing.T) {
		t.Parallel()
		lateOnItsWay(t, "SET LOCAL lock_timeout = ", false)
	})
}

// What a frozen process had sent, or what it was answered, may also be late at
// any other point of a change.
func TestSoakWhatIsLateOnItsWayChangesNothing(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	t.Parallel()
	for name, held := range map[string]struct {
		text    string
		answers bool
	}{
		"the change":               {"UPDATE ", false},
		"the commit":               {"; COMMIT", false},
		"the answer to the change": {"UPDATE ", true},
		"the answer to the commit": {"; COMMIT", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lateOnItsWay(t, held.text, held.answers)
		})
	}
}

func lateOnItsWay(t *testing.T, text string, answers bool) {
	t.Helper()
	k := newMendRig(t, "postgres", 1)
	var p *proxy
	p, k.s.Mends.Writing = startProxy(t, k.s.Mends.Replica, text, answers)
	c := k.launchOnce()
	select {
	case <-p.held:
	case <-time.After(time.Minute):
		t.Fatalf("after a minute it still sent no %q:\n%s", text, tail(c.said()))
	}
	c.freeze()
	k.overtaken(c, p.let, false)
}

// Wherever it froze.
func TestSoakWriterFrozenAnywhereChangesNothingLater(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	t.Parallel()
	for _, kind := range engines() {
		for i := range 20 {
			t.Run(fmt.Sprintf("%s %d", kind, i), func(t *testing.T) {
				t.Parallel()
				frozenAnywhere(t, kind)
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
	for k.ledgerHeld() { // that ends what all others do until it goes on: a matter of the ledger's file alone
		c.signal(syscall.SIGCONT)
		time.Sleep(time.Duration(rand.IntN(2_000)) * time.Microsecond) // nor here
		c.freeze()
	}
	k.overtaken(c, func() {}, true)
}

// ledgerHeld says whether a frozen process holds the ledger's own lock.
func (k *mendRig) ledgerHeld() bool {
	k.t.Helper()
	l, err := ledger.Open(context.Background(), k.s.Ledger, ledger.Options{})
	var busy *ledger.BusyError
	if errors.As(err, &busy) {
		return true
	}
	must(k.t, err)
	must(k.t, l.Close())
	return false
}

// launchOnce has a process make one plan, apply it, and no more. It is patient: a
// machine that was suspended does not count the time, so a process that comes to
// again may have no reason to give up.
func (k *mendRig) launchOnce() *child {
	k.t.Helper()
	k.s.Mends.Plans, k.s.Mends.Patience = 1, 10*time.Minute
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

// overdue is how long a plan may take that a frozen process does not keep from
// being gone on with, on an idle machine.
const overdue = reconciler.WriteFor + 4*reconciler.WriteMargin

// overtaken has another process go on with a frozen one's plan, whose claims are
// over by the ledger's clock, and take it back; then the frozen one goes on, and
// what it was about to do must not take effect. One that froze anywhere may hold a
// lock, and is let go on before that.
func (k *mendRig) overtaken(c *child, thaw func(), anywhere bool) {
	k.t.Helper()
	ctx := context.Background()
	k.s.Mends.Plans, k.s.Mends.Patience, k.s.Mends.Writing, k.s.Mends.Ahead = 0, 0, k.s.Mends.Replica, reconciler.HoldFor+10*time.Second
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
	ended := func() bool {
		p, err = l.Plan(ctx, p.ID)
		must(k.t, err)
		return p.State != reconciler.Applying
	}
	for began := time.Now(); !ended(); time.Sleep(20 * time.Millisecond) {
		if took := time.Since(began); took > overdue && anywhere && !thawed { // it holds the file itself: nobody comes to it until it goes on
			k.t.Log("thawed before the plan had ended")
			goOn()
		} else if took > 5*overdue {
			k.t.Fatalf("after %s the plan has not ended: %v", took, p.Counts)
		}
	}
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
	prices, changes := k.replica()
	goOn()
	until(k.t, "it is there again", func() bool { return k.beats(c) })
	c.stop()
	must(k.t, a.Stop(ctx))
	if now, more := k.replica(); !maps.Equal(now, prices) || more != changes {
		k.t.Errorf("the replica was left after %d changes, and has had %d; its records are the same: %t", changes, more, maps.Equal(now, prices))
	}
	k.held()
}

// replica is what the replica holds, and how often Plumbline changed it.
func (k *mendRig) replica() (map[int]int64, int64) {
	k.t.Helper()
	prices, err := pricesOf(context.Background(), k.shop.replica, 0)
	must(k.t, err)
	made, err := k.shop.made(context.Background())
	must(k.t, err)
	return prices, made
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
