package sources

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of canonical values. What exceeds them is delivered but unreadable
// (depth) or skipped (size), and never compared.
const (
	MaxDepth      = 128      // nested lists and documents
	MaxRecordSize = 17 << 20 // bytes of one record; a 16 MiB MongoDB document with its envelope fits
)

// ErrTooDeep is returned for lists and documents nested beyond MaxDepth.
var ErrTooDeep = fmt.Errorf("nested deeper than %d levels", MaxDepth)

// ErrDuplicateName is wrapped in the error for a document that holds one name twice.
var ErrDuplicateName = errors.New("name appears twice in a document")

// DocumentOf makes a document, ordering its members by the bytes of their
// names. It keeps fields, which the caller must not use afterwards. A name
// that appears twice is ErrDuplicateName: which of the two counts differs from
// reader to reader, so the document has no canonical form.
func DocumentOf(fields []Field) (Value, error) {
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(fields); i++ {
		if fields[i].Name == fields[i-1].Name {
			return Value{}, fmt.Errorf("%q: %w", fields[i].Name, ErrDuplicateName)
		}
	}
	return Value{kind: KindDocument, nested: &nested{fields: fields}}, nil
}
