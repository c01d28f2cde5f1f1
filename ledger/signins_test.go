package ledger_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/ledger"
)

// guarded is a ledger whose hashes are counted.
func guarded(t *testing.T) (*world, *access.Hasher) {
	t.Helper()
	h := access.NewHasher(2)
	w := openWorld(t, address(t, "sqlite"), newClock(), ledger.Options{Passwords: h})
	w.account("ann", access.Admin)
	return w, h
}

func locked(err error) bool { return errors.As(err, new(*ledger.LockedError)) }

func TestKnownAndUnknownNamesTakeTheSameSteps(t *testing.T) {
	t.Parallel()
	w, h := guarded(t)
	w.account("ben", access.Viewer)
	yes := true
	got(w.ChangeAccount(t.Context(), "ben", ledger.AccountChange{Disabled: &yes}))(t)
	for i, c := range []struct{ name, password string }{{"ann", "wrong"}, {"nobody", "wrong"}, {"ben", "wrong"}, {"ben", password}, {"", ""}, {"nobody", password}} {
		before := h.Computed()
		_, _, err := w.SignIn(t.Context(), c.name, c.password, fmt.Sprintf("192.0.2.%d", i), "")
		if !errors.Is(err, ledger.ErrWrongPassword) || err.Error() != "sign in: "+ledger.ErrWrongPassword.Error() {
			t.Errorf("%+v: %v", c, err)
		}
		if n := h.Computed() - before; n != 1 {
			t.Errorf("%+v: %d hashes were computed", c, n)
		}
	}
}

func TestFailuresLockForLongerEachTime(t *testing.T) {
	t.Parallel()
	w, h := guarded(t)
	for i, name := range []string{"ann", "nobody"} { // who is not there is locked alike
		from := fmt.Sprintf("192.0.2.%d", i)
		var lasted []time.Duration
		for n := 1; n <= 16; n++ {
			if _, _, err := w.SignIn(t.Context(), name, "wrong", from, ""); !errors.Is(err, ledger.ErrWrongPassword) {
				t.Fatalf("%s, guess %d: %v", name, n, err)
			}
			if n < 5 {
				w.clock.pass(time.Minute)
				continue
			}
			before := h.Computed()
			_, _, err := w.SignIn(t.Context(), name, password, from, "")
			until, ok := errors.AsType[*ledger.LockedError](err)
			if !ok || h.Computed() != before {
				t.Fatalf("%s, after guess %d: %v", name, n, err)
			}
			lasted = append(lasted, until.Until.Sub(w.clock.now()))
			w.clock.pass(lasted[len(lasted)-1] + time.Minute)
		}
		if lasted[0] != time.Second || lasted[1] != 2*time.Second || lasted[len(lasted)-1] != 15*time.Minute || !slices.IsSorted(lasted) {
			t.Errorf("%s was locked for %v", name, lasted)
		}
	}
	for range 2 { // once the lock is over the right one opens, and begins anew
		_, _, err := w.SignIn(t.Context(), "ann", password, "192.0.2.0", "")
		must(t, err)
		w.clock.pass(25 * time.Hour) // what the address failed before is forgotten
		for range 4 {
			_, _, err := w.SignIn(t.Context(), "ann", "wrong", "192.0.2.0", "")
			must(t, ignoreWrong(err))
		}
		w.clock.pass(time.Hour)
	}
}

func ignoreWrong(err error) error {
	if errors.Is(err, ledger.ErrWrongPassword) {
		return nil
	}
	return err
}

// Whoever guesses from elsewhere locks nobody out, and floods do not keep out who
// has signed in from where they are.
func TestGuessesFromElsewhereLockNobodyOut(t *testing.T) {
	t.Parallel()
	w, _ := guarded(t)
	_, _, err := w.SignIn(t.Context(), "ann", password, here, "")
	must(t, err)
	kept := 0
	for n := range 300 {
		_, _, err := w.SignIn(t.Context(), "ann", "wrong", fmt.Sprintf("198.51.100.%d", n%200), "")
		if !errors.Is(err, ledger.ErrWrongPassword) && !locked(err) {
			t.Fatal(err)
		}
		w.clock.pass(100 * time.Millisecond)
		if n%100 != 99 {
			continue
		}
		if _, _, err := w.SignIn(t.Context(), "ann", password, here, ""); err == nil {
			kept++
		} else {
			t.Errorf("amid %d guesses: %v", n, err)
		}
	}
	if kept != 3 {
		t.Errorf("signed in %d times", kept)
	}
}

// One machine is one address, however it writes it.
func TestAddressesAreCountedByNetwork(t *testing.T) {
	t.Parallel()
	w, _ := guarded(t)
	for n := range 20 {
		_, _, err := w.SignIn(t.Context(), fmt.Sprint("name ", n), "wrong", fmt.Sprintf("2001:db8::%x", n+1), "")
		if !errors.Is(err, ledger.ErrWrongPassword) {
			t.Errorf("guess %d of a network: %v", n, err)
		}
		w.clock.pass(2500 * time.Millisecond)
	}
	w.clock.pass(-2500 * time.Millisecond)
	if _, _, err := w.SignIn(t.Context(), "ann", password, "2001:db8::ffff", ""); !locked(err) {
		t.Errorf("its neighbour: %v", err)
	}
	w.clock.pass(time.Minute)
	if _, _, err := w.SignIn(t.Context(), "ann", password, "2001:db8:0:1::1", ""); err != nil {
		t.Errorf("another network: %v", err)
	}
	for n := range 6 {
		from := []string{here, "::ffff:" + here}[n%2]
		_, _, err := w.SignIn(t.Context(), "ann", "wrong", from, "")
		if n < 5 && !errors.Is(err, ledger.ErrWrongPassword) || n == 5 && !locked(err) {
			t.Errorf("guess %d from %s: %v", n, from, err)
		}
		w.clock.pass(900 * time.Millisecond)
	}
}

// Of all guesses under 200 names and addresses none succeeds, and in no
// minute are more than 50 hashes computed.
func TestManyGuessesAreFewHashes(t *testing.T) {
	t.Parallel()
	testGuesses(t, 800)
}

func TestSoakManyGuessesAreFewHashes(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	testGuesses(t, 2_000)
}

func testGuesses(t *testing.T, guesses int) {
	w, h := guarded(t)
	begun := w.clock.now()
	var computed []time.Time
	for n := range guesses {
		name := "ann"
		if n%4 == 3 {
			name = fmt.Sprint("name ", n%200)
		}
		before := h.Computed()
		_, _, err := w.SignIn(t.Context(), name, fmt.Sprint("guess number ", n), fmt.Sprintf("203.0.113.%d", n%200), "")
		if !errors.Is(err, ledger.ErrWrongPassword) && !locked(err) {
			t.Fatalf("guess %d: %v", n, err)
		}
		for range h.Computed() - before {
			computed = append(computed, w.clock.now())
		}
		w.clock.pass(90 * time.Millisecond)
	}
	most := 0
	for i, from := range computed {
		inMinute := 0
		for _, at := range computed[i:] {
			if at.Sub(from) < time.Minute {
				inMinute++
			}
		}
		most = max(most, inMinute)
	}
	t.Logf("%d guesses in %s: %d hashes, at most %d in a minute", guesses, w.clock.now().Sub(begun), len(computed), most)
	if most > 50 || len(computed) < guesses/40 {
		t.Errorf("%d hashes, at most %d in a minute", len(computed), most)
	}
	if n := w.count(`SELECT COUNT(*) FROM sessions`); n != 0 {
		t.Errorf("%d sessions", n)
	}
	if n := w.count(`SELECT COUNT(*) FROM sign_ins`); n > 2*int64(len(computed))+1 {
		t.Errorf("%d rows of %d guesses", n, len(computed))
	}
}

// Guesses made at once are counted as those made one after the other.
func TestGuessesAtOnceAreCounted(t *testing.T) {
	t.Parallel()
	w, h := guarded(t)
	before := h.Computed()
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() {
			if _, _, err := w.SignIn(t.Context(), "ann", "wrong", here, ""); !errors.Is(err, ledger.ErrWrongPassword) && !locked(err) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := h.Computed() - before; n != 5 {
		t.Errorf("%d of 40 guesses were looked at", n)
	}
}

// A clock that is set back locks nobody for longer than the longest lock.
func TestAClockSetBackLocksNobody(t *testing.T) {
	t.Parallel()
	w, _ := guarded(t)
	for range 30 {
		_, _, err := w.SignIn(t.Context(), "ann", "wrong", here, "")
		must(t, ignoreLocked(ignoreWrong(err)))
	}
	w.clock.pass(-24 * time.Hour)
	if _, _, err := w.SignIn(t.Context(), "ann", password, here, ""); err != nil {
		t.Error(err)
	}
}

func ignoreLocked(err error) error {
	if locked(err) {
		return nil
	}
	return err
}

// Guesses that were not looked at are not in the log: the one that locked is.
func TestTheLogIsNotFlooded(t *testing.T) {
	t.Parallel()
	w, _ := guarded(t)
	told := 0
	for range 200 {
		a := &access.Attempt{Actor: access.Actor{Name: "nobody known"}, Action: "sign in"}
		_, _, err := w.SignIn(access.With(t.Context(), a), "ann", "wrong", here, "")
		must(t, ignoreLocked(ignoreWrong(err)))
		if !a.Recorded() { // as whoever began the attempt asks
			must(t, w.Attest(t.Context(), a, access.Denied))
			told++
			if a.Object != "account ann" {
				t.Errorf("it is about %q", a.Object)
			}
		}
	}
	if told != 5 {
		t.Errorf("%d entries", told)
	}
}

// TestSoakSigningInTakesTheSameTime is the time that known and unknown names take:
// the medians of 500 each are within 5 ms. It returns unless PLUMBLINE_SOAK is set.
func TestSoakSigningInTakesTheSameTime(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	w, _ := guarded(t)
	took := map[string][]time.Duration{}
	for n := range 1000 {
		w.clock.pass(time.Minute)
		name := []string{"ann", "nobody"}[n%2]
		from := fmt.Sprintf("10.%d.%d.%d", rand.IntN(250), rand.IntN(250), rand.IntN(250))
		begun := time.Now()
		_, _, err := w.SignIn(t.Context(), name, "a wrong password", from, "")
		took[name] = append(took[name], time.Since(begun))
		must(t, ignoreWrong(err))
	}
	median := func(name string) time.Duration {
		slices.Sort(took[name])
		return took[name][len(took[name])/2]
	}
	known, unknown := median("ann"), median("nobody")
	t.Logf("median known %s, unknown %s", known, unknown)
	if gap := (known - unknown).Abs(); gap > 5*time.Millisecond {
		t.Errorf("the medians are %s apart", gap)
	}
}

// What somebody types as a name is folded while nobody waits for the ledger, and
// not much of it: folding can make it eleven times as long.
func TestLongNamesAndPasswordsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	w, h := guarded(t)
	long := strings.Repeat("\uFDFA", 100_000)
	for i, c := range []struct{ name, password string }{{long + "a", "wrong"}, {long + "b", long}, {"ann", password + strings.Repeat("\x00", 4096)}} {
		before := h.Computed()
		_, _, err := w.SignIn(t.Context(), c.name, c.password, here, "")
		if !errors.Is(err, ledger.ErrWrongPassword) || h.Computed()-before != 1 {
			t.Errorf("row %d: %v, %d hashes", i, err, h.Computed()-before)
		}
	}
	if n := w.count(`SELECT COUNT(*) FROM sign_ins WHERE subject LIKE 'pair:%'`); n != 2 {
		t.Errorf("%d names were counted: more than their beginning was looked at", n)
	}
}

// Who signs in with a password that is being changed at that moment is not left
// with a session.
func TestNoSessionOutlivesAChangeOfThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "postgres")
	ann := w.account("ann", access.Admin)
	// A change by another process, as far as before its commit.
	change := got(w.DB().BeginTx(t.Context(), nil))(t)
	for _, statement := range []string{`UPDATE accounts SET changed_at = changed_at + 1000 WHERE id = $1`, `DELETE FROM sessions WHERE account = $1`} {
		got(change.ExecContext(t.Context(), statement, ann.ID))(t)
	}
	signedIn := make(chan error, 1)
	go func() {
		_, _, err := w.SignIn(t.Context(), "ann", password, here, "")
		signedIn <- err
	}()
	waits := func() bool {
		return w.count(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	}
	for deadline := time.Now().Add(30 * time.Second); !waits(); {
		if time.Now().After(deadline) {
			t.Fatal("signing in does not wait for the change")
		}
	}
	must(t, change.Commit())
	if err := <-signedIn; !errors.Is(err, ledger.ErrWrongPassword) {
		t.Errorf("signed in with the password before: %v", err)
	}
	if n := w.count(`SELECT COUNT(*) FROM sessions`); n != 0 {
		t.Errorf("%d sessions outlive the change", n)
	}
}
