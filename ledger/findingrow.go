package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"plumbline/checks"
	"plumbline/drift"
)

const findingColumns = `id, ident, check_name, replica, kind, state, changed_at, first_seen, confirmed_at, last_seen, checked_at,
	asked_at, resolved_at, muted_until, seen, regressions, revision, accepted, whole, pattern_id, counted, resolution, age, search,
	record_key, copy_id, key_text, pattern, reason, fields`

// findingColumnCount is how many columns findingColumns names.
const findingColumnCount = 30

// entry is a finding as a transaction finds and leaves it; nil where there is none.
type entry struct {
	ident         ident
	before, after *drift.Finding
	changedAt     time.Time
	askedAt       time.Time
	counted       string
	dirty         bool
}

func (k *keyring) scanEntry(rows *sql.Rows) (*entry, error) {
	e, f := &entry{}, &drift.Finding{}
	var who, key, copyID, pattern []byte
	var kind, state, age, search, fields string
	var changed, first, confirmed, last, checked, asked, resolved, muted int64
	var whole bool
	err := rows.Scan(&f.ID, &who, &f.Check, &f.Replica, &kind, &state, &changed, &first, &confirmed, &last, &checked, &asked, &resolved, &muted,
		&f.Seen, &f.Regressions, &f.Revision, &f.Accepted, &whole, &pattern, &e.counted, &f.Resolution, &age, &search, &key, &copyID,
		&f.KeyText, &f.Pattern, &f.Reason, &fields)
	if err != nil {
		return nil, err
	}
	copy(e.ident[:], who)
	f.Kind, f.State, f.Age = checks.DifferenceKind(kind), drift.State(state), checks.Age(age)
	f.FirstSeen, f.ConfirmedAt, f.LastSeen, f.CheckedAt = timeOf(first), timeOf(confirmed), timeOf(last), timeOf(checked)
	f.ResolvedAt, f.MutedUntil, e.changedAt, e.askedAt = timeOf(resolved), timeOf(muted), timeOf(changed), timeOf(asked)
	if f.Key, err = k.decodeKey(key); err != nil {
		return nil, err
	}
	if f.CopyID, err = k.decodeKey(copyID); err != nil {
		return nil, err
	}
	if err := undocument(fields, &f.Fields); err != nil {
		return nil, err
	}
	e.before, e.after = f, f
	return e, nil
}

// values are the columns of an entry, as findingColumns names them.
func (e *entry) values(k *keyring) ([]any, error) {
	f := e.after
	fields, err := json.Marshal(f.Fields)
	if err != nil {
		return nil, fmt.Errorf("write the fields of %s: %w", f.ID, err)
	}
	id := patternID(f.Pattern)
	return []any{f.ID, e.ident[:], f.Check, f.Replica, string(f.Kind), string(f.State), millis(e.changedAt), millis(f.FirstSeen),
		millis(f.ConfirmedAt), millis(f.LastSeen), millis(f.CheckedAt), millis(e.askedAt), millis(f.ResolvedAt), millis(f.MutedUntil), f.Seen, f.Regressions,
		f.Revision, f.Accepted, f.Whole(), id[:], e.counted, text(f.Resolution), string(f.Age), searchText(f), k.encodeKey(f.Key),
		k.encodeKey(f.CopyID), text(f.KeyText), text(f.Pattern), text(f.Reason), string(fields)}, nil
}

// patternID is how a pattern is told from others, in few bytes.
func patternID(words string) (id [16]byte) {
	sum := sha256.Sum256([]byte(words))
	copy(id[:], sum[:])
	return id
}

// What is searched is bounded, since it lies in an index.
const (
	mostWords  = 20
	mostLetter = 64 // bytes of a word
)

// wordsOf are the different words of a text in lower case: its letters and
// digits, divided by whatever else there is.
func wordsOf(s string) []string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if len(w) > mostLetter {
			words[i] = strings.ToValidUTF8(w[:mostLetter], "")
		}
	}
	slices.Sort(words)
	words = slices.Compact(words)
	return words[:min(len(words), mostWords)]
}

// searchWords are the words by which a finding is found: those of its id and its key.
func searchWords(f *drift.Finding) []string { return wordsOf(f.ID + " " + text(f.KeyText)) }

// searchText is searchWords, with a space before each.
func searchText(f *drift.Finding) string { return " " + strings.Join(searchWords(f), " ") }

// entriesBy reads findings whose column is one of some values.
func entriesBy[T any](ctx context.Context, k *keyring, from querier, column string, values []T) (list []*entry, err error) {
	err = chunks(values, 1, func(some []T) error {
		args := make([]any, len(some))
		for i := range some {
			args[i] = some[i]
		}
		found, err := collect(ctx, from, k.scanEntry, `SELECT `+findingColumns+` FROM findings WHERE `+column+` IN `+placeholders(1, 1, len(some)), args...)
		list = append(list, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return list, nil
}

// countedIn says whether a run has counted the finding as a kind already: a
// record whose copies lie apart is met more than once.
func (e *entry) countedIn(run string, kind checks.DifferenceKind) bool {
	words := strings.Fields(e.counted)
	if len(words) == 0 || words[0] != run {
		return false
	}
	for _, k := range words[1:] {
		if k == string(kind) {
			return true
		}
	}
	return false
}

func (e *entry) count(run string, kind checks.DifferenceKind) {
	if !strings.HasPrefix(e.counted, run+" ") {
		e.counted = run
	}
	e.counted += " " + string(kind)
	e.dirty = true
}
