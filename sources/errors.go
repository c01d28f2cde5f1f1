package sources

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Failure says what became of a read, as far as the Reader acts on it.
type Failure uint8

// The failures. Anything an adapter does not classify is FailureTransient:
// trying again costs a moment, and giving up early would leave records unread.
const (
	FailureTransient Failure = iota // a cut connection, a restart, a deadlock: read again
	FailureTimeout                  // the store gave up in time: read again, less at once
	FailureFinal                    // configuration, permission, a missing table: reading again changes nothing
)

// ReadError is a failed read with its class.
type ReadError struct {
	Failure Failure
	// RetryAfter is how long the store asks to be left alone before it is read
	// again; 0 where it does not say.
	RetryAfter time.Duration
	Err        error
}

func (e *ReadError) Error() string { return e.Err.Error() }

func (e *ReadError) Unwrap() error { return e.Err }

// Final marks err as one that reading again cannot mend; nil stays nil.
func Final(err error) error { return classify(FailureFinal, err) }

// Timeout marks err as the store giving up in time; nil stays nil.
func Timeout(err error) error { return classify(FailureTimeout, err) }

// RetryAfter marks err as one after which the store asks to be left alone for a
// while; nil stays nil.
func RetryAfter(wait time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &ReadError{Failure: FailureOf(err), RetryAfter: wait, Err: err}
}

// RetryAfterOf returns how long the store asks to be left alone; 0 where err does not say.
func RetryAfterOf(err error) time.Duration {
	var re *ReadError
	if errors.As(err, &re) {
		return re.RetryAfter
	}
	return 0
}

func classify(f Failure, err error) error {
	if err == nil {
		return nil
	}
	return &ReadError{Failure: f, Err: err}
}

// FailureOf returns the class of err.
func FailureOf(err error) Failure {
	var re *ReadError
	if errors.As(err, &re) {
		return re.Failure
	}
	return FailureTransient
}

// Quoteless is what a store said without what it quoted of a record: all between
// the first and the last mark of a quotation, and between the first and the last
// brace. Errors about data (a conversion, a range) quote values.
func Quoteless(text string) string {
	for _, marks := range []string{"\"'`«»„“”‘’", "{}[]"} {
		first, last := strings.IndexAny(text, marks), strings.LastIndexAny(text, marks)
		if first >= 0 {
			_, width := utf8.DecodeRuneInString(text[last:])
			text = text[:first] + "…" + text[last+width:]
		}
	}
	return text
}

// NotFoundError says that a table, collection or field is not there. It is final.
type NotFoundError struct {
	What       string // table, column, collection, field
	Name       string
	In         string // the table, for a column; "" otherwise
	Candidates []string
}

func (e *NotFoundError) Error() string {
	msg := fmt.Sprintf("%s %q not found", e.What, e.Name)
	if e.In != "" {
		msg += " in " + e.In
	}
	if near := Nearest(e.Name, e.Candidates); near != "" {
		msg += fmt.Sprintf(" (did you mean %q?)", near)
	}
	return msg
}

// Nearest returns the candidate a person most likely meant by name: the one
// with the smallest edit distance (Damerau-Levenshtein, restricted; ignoring
// case), if at most a third of name's length and no more than 3. "" when none is near.
func Nearest(name string, candidates []string) string {
	best, nearest := min(3, max(1, len(name)/3))+1, ""
	sorted := slices.Sorted(slices.Values(candidates))
	for _, c := range sorted {
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < best {
			best, nearest = d, c
		}
	}
	return nearest
}

func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
