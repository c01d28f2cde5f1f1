package drift

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"plumbline/checks"
	"plumbline/sources"
)

// Value is a value as it may be shown: whole and exact, or masked.
type Value struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Base64 are the bytes of a text that is no valid UTF-8.
	Base64 string `json:"base64,omitempty"`
	Masked bool   `json:"masked,omitempty"`
}

// Masker hides values. Under the hash mask equal values look equal to whoever
// has the same key, and nothing can be computed from them without it.
type Masker struct{ key []byte }

// NewMasker makes a Masker of a key of MaskKeySize random bytes.
func NewMasker(key []byte) *Masker { return &Masker{key} }

// MaskKeySize is how many bytes a Masker's key has.
const MaskKeySize = sha256.Size

// NewMaskKey draws a key. A command that ends keeps it nowhere; the ledger keeps
// its own, so that hashes stay comparable.
func NewMaskKey() []byte {
	key := make([]byte, MaskKeySize)
	_, _ = rand.Read(key) // never fails, as package crypto/rand promises
	return key
}

// Show returns v under a mask. What kind of value it is stays visible.
func (m *Masker) Show(v sources.Value, mask checks.Mask) Value {
	out := Value{Type: v.Kind().String(), Masked: mask != checks.MaskNone}
	nothing := v.IsAbsent() || v.IsNull()
	switch {
	case nothing:
	case mask == checks.MaskNone:
		out.Text = v.String()
		if !utf8.ValidString(out.Text) {
			out.Base64 = base64.StdEncoding.EncodeToString([]byte(out.Text))
		}
	case mask == checks.MaskPartial:
		out.Text = partial(v.String())
	case mask == checks.MaskHash:
		mac := hmac.New(sha256.New, m.key)
		mac.Write(v.AppendEncoding(nil))
		out.Text = "#" + hex.EncodeToString(mac.Sum(nil)[:4])
	default:
		out.Text = "***"
	}
	return out
}

// FindingID is a short stable name of what (check, replica, key, id) identifies,
// as checks.FindingID is, from which nobody can try out keys without the
// Masker's own: ids are shown to those who may see no value.
func (m *Masker) FindingID(check, replica string, key, id sources.Key) string {
	return "F-" + hex.EncodeToString(m.Identity("finding", check, replica, key, id)[:5])
}

// Identity is a keyed hash of what (check, replica, key, id) identifies; each
// purpose has its own.
func (m *Masker) Identity(purpose, check, replica string, key, id sources.Key) []byte {
	mac := hmac.New(sha256.New, m.key)
	who := sources.Key{sources.Text("identity"), sources.Text(purpose), sources.Text(check), sources.Text(replica), sources.ListOf(key), sources.ListOf(id)}
	mac.Write([]byte(who.Encode()))
	return mac.Sum(nil)
}

// partial keeps the first and the last character of at least eight, and tells
// nothing of how many there are.
func partial(text string) string {
	if utf8.RuneCountInString(text) < 8 {
		return "***"
	}
	_, first := utf8.DecodeRuneInString(text)
	_, last := utf8.DecodeLastRuneInString(text)
	return text[:first] + "***" + text[len(text)-last:]
}

// Masks say how the parts of an edge's keys and ids are hidden.
type Masks struct{ key, id []checks.Mask }

// MasksOf are an edge's: a part of a key or an id is hidden as much as the key of
// either side declares, or as the most hidden rule that names its field.
func MasksOf(check *checks.Check, edge *checks.Edge) Masks {
	owner, replica := check.Owner.Dataset.Key, edge.Replica.Dataset.Key
	m := Masks{key: make([]checks.Mask, len(owner)), id: make([]checks.Mask, len(edge.Replica.Dataset.ID))}
	for i := range m.key {
		for _, side := range []*checks.Side{&check.Owner, &edge.Replica} {
			if i < len(side.Masks) {
				m.key[i] = max(m.key[i], side.Masks[i])
			}
		}
		for _, r := range edge.Rules {
			if r.Owner.Name == owner[i] || i < len(replica) && r.Replica.Name == replica[i] {
				m.key[i] = max(m.key[i], r.Mask)
			}
		}
	}
	for i, name := range edge.Replica.Dataset.ID {
		for _, r := range edge.Rules {
			if r.Replica.Name == name {
				m.id[i] = max(m.id[i], r.Mask)
			}
		}
		for j := range m.key {
			if j < len(replica) && replica[j] == name {
				m.id[i] = max(m.id[i], m.key[j])
			}
		}
	}
	return m
}

// HidesKey says whether any part of a key is masked.
func (m Masks) HidesKey() bool {
	for _, mask := range m.key {
		if mask != checks.MaskNone {
			return true
		}
	}
	return false
}

// HidesRecord says whether any part of a key or an id is masked.
func (m Masks) HidesRecord() bool {
	return m.HidesKey() || slices.ContainsFunc(m.id, func(mask checks.Mask) bool { return mask != checks.MaskNone })
}

// Message returns a text of the engine or a store as it may be shown: where
// keys are masked, without what follows the words key and position, since that
// may be one.
func (m Masks) Message(text string) string {
	if !m.HidesKey() {
		return text
	}
	return Keyless(text)
}

// Keyless is a text of the engine or a store without what follows the words key
// and position, since that may be one.
func Keyless(text string) string {
	cut, shown := len(text), text
	for _, word := range []string{"key ", "position "} {
		if at := strings.Index(text, word); at >= 0 && at < cut {
			cut, shown = at, text[:at]+word+"*** (masked)"
		}
	}
	return shown
}

// note returns the note of a field as it may be shown: of a masked field, only
// one that cannot hold a value.
func note(text string, mask checks.Mask) string {
	if mask == checks.MaskNone || text == "" || text == "does not hold" || strings.HasPrefix(text, "the map has no entry") ||
		strings.HasPrefix(text, "one side has a time without a zone") || strings.HasSuffix(text, ": declare as") && !strings.Contains(text, `"`) {
		return text
	}
	return "masked: the reason is not shown"
}
