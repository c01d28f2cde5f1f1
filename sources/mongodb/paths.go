package mongodb

import (
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// node is a place in documents from which fields are wanted: a tree of the
// dotted paths, so that a document is walked once for all of them.
type node struct {
	slots    []int // where the value at this place goes
	branches []branch
	leaves   []int // the slots of this place and of all below it
}

type branch struct {
	name string
	at   *node
}

// add asks for the value at a path.
func (n *node) add(path string, slot int) {
	n.leaves = append(n.leaves, slot)
	name, rest, nested := strings.Cut(path, ".")
	at := n.branch(name)
	if nested {
		at.add(rest, slot)
		return
	}
	at.slots = append(at.slots, slot)
	at.leaves = append(at.leaves, slot)
}

func (n *node) branch(name string) *node {
	for _, b := range n.branches {
		if b.name == name {
			return b.at
		}
	}
	n.branches = append(n.branches, branch{name, &node{}})
	return n.branches[len(n.branches)-1].at
}

// fields are the values read from one document, by slot. why is the first reason
// for which one of them has no canonical form.
type fields struct {
	values []sources.Value
	why    string
}

// spoil notes why the record is unreadable.
func (f *fields) spoil(path, why string) {
	if f.why == "" {
		f.why = fmt.Sprintf("%s: %s", path, why)
	}
}

// read walks a document and fills in what is wanted. What is not there stays absent.
func (n *node) read(document []byte, out *fields) error {
	var few [16]bool
	seen := few[:]
	if len(n.branches) > len(few) {
		seen = make([]bool, len(n.branches))
	}
	return elements(document, func(name []byte, v bsoncore.Value) error {
		for i, b := range n.branches {
			if b.name != string(name) {
				continue
			}
			if seen[i] {
				out.spoil(b.name, sources.ErrDuplicateName.Error())
				return nil
			}
			seen[i] = true
			return b.at.fill(b.name, v, out)
		}
		return nil
	})
}

// fill takes the value found at this place.
func (n *node) fill(name string, v bsoncore.Value, out *fields) error {
	if len(n.slots) > 0 {
		value, err := valueOf(v)
		var reason *unreadable
		switch {
		case errors.As(err, &reason):
			out.spoil(name, reason.why)
		case err != nil:
			return err
		default:
			for _, slot := range n.slots {
				out.values[slot] = value
			}
		}
	}
	if len(n.branches) == 0 {
		return nil
	}
	switch v.Type {
	case bsoncore.TypeEmbeddedDocument:
		return n.read(v.Data, out)
	case bsoncore.TypeArray:
		return n.collect(v.Data, out)
	}
	return nil
}

// collect reads a path through an array as MongoDB does: it gives the list of
// what each document in the array has there. Elements that are no documents, or
// have nothing there, add nothing.
func (n *node) collect(array []byte, out *fields) error {
	lists := make([][]sources.Value, len(out.values))
	one := fields{values: make([]sources.Value, len(out.values))}
	err := elements(array, func(_ []byte, v bsoncore.Value) error {
		if v.Type != bsoncore.TypeEmbeddedDocument {
			return nil
		}
		clear(one.values)
		if err := n.read(v.Data, &one); err != nil {
			return err
		}
		for _, slot := range n.below() {
			if !one.values[slot].IsAbsent() {
				lists[slot] = append(lists[slot], one.values[slot])
			}
		}
		return nil
	})
	for _, slot := range n.below() {
		out.values[slot] = sources.ListOf(lists[slot])
	}
	if out.why == "" {
		out.why = one.why
	}
	return err
}

// below are the slots of the places under this one, without its own.
func (n *node) below() []int {
	var slots []int
	for _, b := range n.branches {
		slots = append(slots, b.at.leaves...)
	}
	return slots
}
