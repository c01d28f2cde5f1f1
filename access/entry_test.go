package access_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plumbline/access"
)

const links = 300

func key() []byte { return []byte("0123456789abcdef0123456789abcdef") }

// chain is a log of entries, sealed.
func chain() []access.Entry {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	entries := make([]access.Entry, links)
	var previous []byte
	for i := range entries {
		e := &entries[i]
		*e = access.Entry{ID: fmt.Sprintf("entry%d", i), Number: int64(i + 1), At: at.Add(time.Duration(i/3) * time.Millisecond), Actor: "ann", Account: "A1",
			Role: access.Operator, Via: access.ByPage, Address: "10.0.0.1", Action: "mute", Object: fmt.Sprintf("finding F-%d", i/2), Outcome: access.Done, Detail: "until"}
		e.Seal = access.Link(key(), previous, e)
		previous = e.Seal
	}
	return entries
}

func verify(entries []access.Entry, want *access.Head) (access.Head, error) {
	v := access.NewVerifier(key(), want)
	for i := range entries {
		if err := v.Next(&entries[i]); err != nil {
			return access.Head{}, err
		}
	}
	return v.End()
}

func headOf(entries []access.Entry) *access.Head {
	last := entries[len(entries)-1]
	return &access.Head{Number: last.Number, Seal: last.Seal}
}

func TestALogAsItWasWrittenIsWhole(t *testing.T) {
	t.Parallel()
	entries := chain()
	for _, want := range []*access.Head{nil, headOf(entries), headOf(entries[:1]), headOf(entries[:links/2])} {
		if head, err := verify(entries, want); err != nil || head.Number != links {
			t.Errorf("got %v, %v", head, err)
		}
	}
	if head, err := verify(nil, nil); err != nil || head.Number != 0 {
		t.Errorf("an empty log: %v, %v", head, err)
	}
}

// Whatever is done to a log without its key is found, at or before where it was done.
func TestAnyChangeOfALogIsFound(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	whole := chain()
	head := headOf(whole)
	for range 1000 {
		entries := slices.Clone(whole)
		for i := range entries {
			entries[i].Seal = slices.Clone(entries[i].Seal)
		}
		what, first := tamper(r, &entries)
		_, err := verify(entries, head)
		broken, ok := errors.AsType[*access.BrokenError](err)
		if !ok {
			t.Fatalf("%s is not found: %v", what, err)
		}
		if broken.Number > int64(first+1) {
			t.Fatalf("%s at entry %d is found at %d", what, first+1, broken.Number)
		}
	}
}

// tamper does one thing to a log, and says what and from which index on.
func tamper(r *rand.Rand, log *[]access.Entry) (what string, first int) {
	entries := *log
	i, j := r.IntN(len(entries)), r.IntN(len(entries)-1)
	switch r.IntN(6) {
	case 0:
		return changeField(r, &entries[i]), i
	case 1: // swapped, with or without their numbers
		if j >= i {
			j++
		}
		entries[i], entries[j] = entries[j], entries[i]
		if r.IntN(2) == 0 {
			entries[i].Number, entries[j].Number = entries[j].Number, entries[i].Number
		}
		return "a swap", min(i, j)
	case 2:
		*log = slices.Delete(entries, i, i+1)
		return "a removal", i
	case 3: // removed, and the rest numbered anew
		entries = slices.Delete(entries, i, i+1)
		for k := range entries {
			entries[k].Number = int64(k + 1)
		}
		*log = entries
		return "a removal that is hidden", i
	case 4:
		*log = entries[:i]
		return "a cut", i
	}
	again := entries[i]
	again.Number = int64(i + 2)
	*log = slices.Insert(entries, i+1, again)
	return "a repetition", i + 1
}

// changeField changes one byte, or moves one from a field to its neighbour.
func changeField(r *rand.Rand, e *access.Entry) string {
	texts := []*string{&e.ID, &e.Actor, &e.Account, (*string)(&e.Role), (*string)(&e.Via), &e.Address, &e.Action, &e.Object, (*string)(&e.Outcome), &e.Detail}
	n := r.IntN(len(texts))
	switch r.IntN(4) {
	case 0:
		e.At = e.At.Add(time.Millisecond)
		return "another time"
	case 1:
		e.Seal[r.IntN(len(e.Seal))] ^= 1 << r.IntN(8)
		return "another seal"
	case 2:
		n = r.IntN(len(texts) - 1)
		from, to := texts[n], texts[n+1]
		*to = (*from)[len(*from)-1:] + *to
		*from = (*from)[:len(*from)-1]
		return "a character moved over"
	}
	b := []byte(*texts[n])
	b[r.IntN(len(b))] ^= 1 << r.IntN(7)
	*texts[n] = string(b)
	return "another character"
}

func TestAnotherKeyVerifiesNothing(t *testing.T) {
	t.Parallel()
	entries := chain()
	if err := access.NewVerifier([]byte("another"), nil).Next(&entries[0]); err == nil {
		t.Error("the first entry is taken")
	}
}

// A log that somebody with the key wrote anew is whole in itself; a head kept
// elsewhere tells.
func TestALogWrittenAnewIsFoundByItsHead(t *testing.T) {
	t.Parallel()
	entries := chain()
	head := headOf(entries[:200])
	var previous []byte
	for i := range entries {
		entries[i].Actor = "ben"
		entries[i].Seal = access.Link(key(), previous, &entries[i])
		previous = entries[i].Seal
	}
	if _, err := verify(entries, nil); err != nil {
		t.Fatal(err)
	}
	if broken, ok := errors.AsType[*access.BrokenError](verifyError(entries, head)); !ok || broken.Number != 200 {
		t.Errorf("got %v", broken)
	}
}

func verifyError(entries []access.Entry, want *access.Head) error {
	_, err := verify(entries, want)
	return err
}

func TestHeadsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		head := access.Head{Number: rapid.Int64Min(1).Draw(t, "number"), Seal: rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seal")}
		again, err := access.ParseHead(head.String() + "\n")
		if err != nil || again.Number != head.Number || !slices.Equal(again.Seal, head.Seal) {
			t.Fatalf("%s: %v, %v", head, again, err)
		}
	})
	for _, bad := range []string{"", ":", "1", "1:", "0:" + fmt.Sprintf("%064d", 0), "-1:" + fmt.Sprintf("%064d", 0), "1:" + fmt.Sprintf("%062d", 0), "x:y"} {
		if head, err := access.ParseHead(bad); err == nil {
			t.Errorf("%q is read as %v", bad, head)
		}
	}
}
