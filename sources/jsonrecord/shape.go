// Package jsonrecord reads the records of a dataset out of JSON documents, for
// stores that hold nothing else: an HTTP API, a store of bare keys. Fields are
// found by dotted path, an array is unwound, and scope, where and deleted_when
// are decided here, since such a store cannot be asked.
//
// A document is taken as bytes and only the fields that are wanted are parsed,
// so that what is wrong with one record spoils neither its neighbours nor the
// whole answer.
package jsonrecord

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
	"plumbline/sources/condition"
)

// Check says whether raw is one whole JSON text, numbers and nesting of any size.
// Its error quotes nothing of it.
func Check(raw []byte) error {
	if json.Valid(raw) {
		return nil
	}
	var syntax *json.SyntaxError
	var into json.RawMessage
	err := json.Unmarshal(raw, &into)
	if !errors.As(err, &syntax) {
		return errNotJSON
	}
	if syntax.Offset >= int64(len(raw)) {
		return fmt.Errorf("%w: it ends too early, after %d bytes", errNotJSON, len(raw))
	}
	return fmt.Errorf("%w at byte %d", errNotJSON, syntax.Offset)
}

// Shape is how the records of a dataset are read; it is safe for many goroutines.
type Shape struct {
	dataset            *sources.Dataset
	names              []string // by slot: key, id, fields, scope, then what conditions look at
	levels             []*node  // of the document, and of an element of each array on the way that Unwind names
	steps              []string // the names of those arrays, each below the one before
	where, deletedWhen *condition.Condition
}

// New prepares a dataset. A condition that makes no sense is a final error.
func New(d *sources.Dataset) (*Shape, error) {
	s := &Shape{dataset: d}
	var err error
	if d.Unwind != "" {
		s.steps = strings.Split(d.Unwind, ".")
	}
	s.names = slices.Concat(d.Key, d.ID, d.Fields)
	for _, c := range d.Scope {
		s.names = append(s.names, c.Field)
	}
	for _, c := range []struct {
		text, what string
		into       **condition.Condition
	}{{d.Where, "where", &s.where}, {d.DeletedWhen, "deleted_when", &s.deletedWhen}} {
		if c.text == "" {
			continue
		}
		if *c.into, err = condition.Compile(c.text); err != nil {
			return nil, fmt.Errorf("%s: %w", c.what, err)
		}
		s.names = append(s.names, (*c.into).Fields()...)
	}
	s.levels = make([]*node, len(s.steps)+1)
	for i := range s.levels {
		s.levels[i] = &node{}
	}
	for slot, name := range s.names {
		level, path := s.place(name)
		if level < len(s.steps) && path == s.steps[level] {
			return nil, sources.Final(fmt.Errorf("field %q holds the unwound array %s: name the fields that are wanted", name, d.Unwind))
		}
		s.levels[level].add(path, slot)
	}
	return s, nil
}

// place is the level at which a field is read, and its path from there.
func (s *Shape) place(name string) (level int, path string) {
	for i := len(s.steps); i > 0; i-- {
		prefix := strings.Join(s.steps[:i], ".")
		if name == prefix && i == len(s.steps) {
			return i, ""
		}
		if rest, below := strings.CutPrefix(name, prefix+"."); below {
			return i, rest
		}
	}
	return 0, name
}

// MostRecords bounds the records of one document, each of which takes far more
// memory than the few bytes that it may have there.
const MostRecords = 1 << 18

var errTooMany = sources.Final(fmt.Errorf("more than %d records in one document", MostRecords))

// Records reads the records of one document, in their order: one, or one for each
// element of the unwound array. Those out of the dataset's scope do not exist. raw
// must have passed Check. An error says that it is no document.
func (s *Shape) Records(raw []byte) ([]sources.Record, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, fmt.Errorf("%s is no object", kindOf(raw))
	}
	var records []sources.Record
	err := s.expand(0, "", raw, values{slots: make([]sources.Value, len(s.names))}, func(v values) error {
		if r, exists := s.record(v, len(raw)); exists {
			records = append(records, r)
		}
		if len(records) > MostRecords {
			return errTooMany
		}
		return nil
	})
	return records, err
}

// expand reads a level and goes on to the elements of the array below it.
func (s *Shape) expand(level int, name string, raw []byte, v values, each func(values) error) error {
	if err := s.levels[level].read(name, raw, &v); err != nil {
		return err
	}
	if level == len(s.steps) {
		return each(v)
	}
	var below []byte
	times := 0
	if raw[0] == '{' {
		err := Members(raw, func(name string, value []byte) error {
			if name == s.steps[level] {
				below = value
				times++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	deeper := func(element []byte) error {
		one := values{slots: slices.Clone(v.slots), why: v.why}
		return s.expand(level+1, s.steps[level], element, one, each)
	}
	switch {
	case times > 1:
		v.spoil(s.steps[level], sources.ErrDuplicateName)
		return each(v)
	case times == 0 || below[0] == 'n':
		return nil
	case below[0] == '[':
		return Elements(below, deeper)
	}
	return deeper(below)
}

// record makes a record of what was read; exists is false where it is out of the
// dataset's scope.
func (s *Shape) record(v values, size int) (r sources.Record, exists bool) {
	keys, ids, fields := len(s.dataset.Key), len(s.dataset.ID), len(s.dataset.Fields)
	r.Key, r.ID = sources.Key(v.slots[:keys:keys]), sources.Key(v.slots[keys:keys+ids:keys+ids])
	if ids == 0 {
		r.ID = nil
	}
	r.Unreadable = v.why
	for i, c := range s.dataset.Scope {
		got := v.slots[keys+ids+fields+i]
		if c.Value.IsNull() && got.IsAbsent() {
			continue
		}
		if !sources.Canonical(got).Equal(sources.Canonical(c.Value)) {
			return r, v.why != "" && got.IsAbsent() // what could not be read may be in scope
		}
	}
	if size > sources.MaxRecordSize {
		r.Skipped = fmt.Sprintf("larger than %d bytes", sources.MaxRecordSize)
		return r, true
	}
	r.Fields = v.slots[keys+ids : keys+ids+fields : keys+ids+fields]
	if r.Unreadable != "" {
		return r, true
	}
	get := func(path string) sources.Value { return v.slots[slices.Index(s.names, path)] }
	if s.where != nil {
		holds, err := s.where.Holds(get)
		if err != nil {
			r.Unreadable = fmt.Sprintf("where: %v", err)
		}
		r.OutOfScope = err == nil && !holds
	}
	if s.deletedWhen != nil {
		holds, err := s.deletedWhen.Holds(get)
		if err != nil && r.Unreadable == "" {
			r.Unreadable = fmt.Sprintf("deleted_when: %v", err)
		}
		r.Deleted = holds
	}
	return r, true
}

// kindOf names a JSON value by its first byte.
func kindOf(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a text"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	}
	return "a number"
}
