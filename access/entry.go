package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Outcome is what became of an attempt.
type Outcome string

// The outcomes.
const (
	Done   Outcome = "ok"
	Denied Outcome = "denied" // by the role, the scopes or the state of things
	Failed Outcome = "failed" // it was allowed, and did not work
)

// Entry is one line of the audit log.
type Entry struct {
	ID string // random, so that an entry is written once
	// Number counts entries from 1 without a gap, once they are sealed; 0 before.
	Number  int64
	At      time.Time // in milliseconds, as it is kept
	Actor   string
	Account string
	Role    Role
	Via     Via
	Address string
	Action  string
	Object  string
	Outcome Outcome
	Detail  string
	// Seal is the entry's link of the chain; nil before it is sealed.
	Seal []byte
}

// EntryOf is the entry of an attempt.
func EntryOf(a *Attempt, at time.Time, outcome Outcome) Entry {
	return Entry{At: at, Actor: a.Actor.Name, Account: a.Actor.Account, Role: a.Actor.Role, Via: a.Actor.Via, Address: a.Actor.Address,
		Action: a.Action, Object: a.Object, Outcome: outcome, Detail: a.Detail}
}

// Link computes the seal of an entry that follows another: HMAC-SHA-256, under
// the log's key, of the seal before it and of every part of the entry with its
// length, so that no two entries are written alike. previous is empty for the first.
func Link(key, previous []byte, e *Entry) []byte {
	mac := hmac.New(sha256.New, key)
	part := func(b []byte) {
		mac.Write(binary.AppendUvarint(nil, uint64(len(b))))
		mac.Write(b)
	}
	part(previous)
	part(binary.BigEndian.AppendUint64(nil, uint64(e.Number)))
	part(binary.BigEndian.AppendUint64(nil, uint64(e.At.UnixMilli())))
	for _, text := range []string{e.ID, e.Actor, e.Account, string(e.Role), string(e.Via), e.Address, e.Action, e.Object, string(e.Outcome), e.Detail} {
		part([]byte(text))
	}
	return mac.Sum(nil)
}

// Head is the end of the log: how many entries it has and the seal of the last.
// Whoever keeps one elsewhere can tell that none of those entries was taken away.
type Head struct {
	Number int64
	Seal   []byte
}

// String is a head as it is logged and as ParseHead reads it: 10482:9f3c….
func (h Head) String() string {
	return strconv.FormatInt(h.Number, 10) + ":" + hex.EncodeToString(h.Seal)
}

// ParseHead reads what String wrote.
func ParseHead(text string) (Head, error) {
	number, seal, ok := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseInt(number, 10, 64)
	b, badHex := hex.DecodeString(seal)
	if !ok || err != nil || badHex != nil || n < 1 || len(b) != sha256.Size {
		return Head{}, errors.New("a head is written as in the log: a number, a colon and 64 hexadecimal digits")
	}
	return Head{n, b}, nil
}

// BrokenError says where the log is not as it was written.
type BrokenError struct {
	Number int64
	Why    string
}

func (e *BrokenError) Error() string { return fmt.Sprintf("entry %d: %s", e.Number, e.Why) }

// Verifier follows the chain from its first entry.
type Verifier struct {
	key  []byte
	last Head
	want *Head
	seen bool
}

// NewVerifier makes a Verifier of a log's key. want, which may be nil, is a head
// that was kept elsewhere and must be met.
func NewVerifier(key []byte, want *Head) *Verifier { return &Verifier{key: key, want: want} }

// Next takes the next sealed entry, in the order of their numbers.
func (v *Verifier) Next(e *Entry) error {
	if e.Number != v.last.Number+1 {
		return &BrokenError{v.last.Number + 1, fmt.Sprintf("is missing: the next there is has the number %d", e.Number)}
	}
	if !hmac.Equal(e.Seal, Link(v.key, v.last.Seal, e)) {
		return &BrokenError{e.Number, "is not as it was written, or the key is another"}
	}
	v.last = Head{e.Number, bytes.Clone(e.Seal)}
	if v.want != nil && v.want.Number == e.Number {
		if !hmac.Equal(v.want.Seal, e.Seal) {
			return &BrokenError{e.Number, "has another seal than the head that was kept: the log was written anew"}
		}
		v.seen = true
	}
	return nil
}

// End says whether the log ends where it must, and where it ends.
func (v *Verifier) End() (Head, error) {
	if v.want != nil && !v.seen {
		return v.last, &BrokenError{v.last.Number + 1, fmt.Sprintf("and all after it to %d are missing: the log was cut off", v.want.Number)}
	}
	return v.last, nil
}
