package jsonrecord

import (
	"errors"
	"fmt"
	"strings"

	"plumbline/sources"
)

// node is a place in documents from which fields are wanted: a tree of the
// dotted paths, so that a document is walked once for all of them.
type node struct {
	slots    []int // where the value at this place goes
	branches []branch
}

type branch struct {
	name string
	at   *node
}

// add asks for the value at a path; "" is the value at this place.
func (n *node) add(path string, slot int) {
	if path == "" {
		n.slots = append(n.slots, slot)
		return
	}
	name, rest, _ := strings.Cut(path, ".")
	for _, b := range n.branches {
		if b.name == name {
			b.at.add(rest, slot)
			return
		}
	}
	at := &node{}
	n.branches = append(n.branches, branch{name, at})
	at.add(rest, slot)
}

// below are the slots of the places under this one, without its own.
func (n *node) below() (slots []int) {
	for _, b := range n.branches {
		slots = append(append(slots, b.at.slots...), b.at.below()...)
	}
	return slots
}

// values are what was read of one record, by slot. why is the first reason for
// which one of them has no canonical form.
type values struct {
	slots []sources.Value
	why   string
}

func (v *values) spoil(name string, err error) {
	if v.why != "" {
		return
	}
	words := sources.Quoteless(err.Error())
	for _, known := range []error{sources.ErrDuplicateName, sources.ErrTooDeep} {
		if errors.Is(err, known) {
			words = known.Error()
		}
	}
	v.why = fmt.Sprintf("%s: %s", name, words)
}

// read fills in what is wanted of the value at this place. What is not there
// stays absent.
func (n *node) read(name string, raw []byte, out *values) error {
	if len(n.slots) > 0 {
		value, err := sources.ParseJSON(raw)
		if err != nil {
			out.spoil(name, err)
		}
		for _, slot := range n.slots {
			out.slots[slot] = value
		}
	}
	switch {
	case len(n.branches) == 0:
	case raw[0] == '{':
		return n.members(raw, out)
	case raw[0] == '[':
		return n.collect(raw, out)
	}
	return nil
}

func (n *node) members(raw []byte, out *values) error {
	seen := make([]bool, len(n.branches))
	return Members(raw, func(name string, value []byte) error {
		for i, b := range n.branches {
			if b.name != name {
				continue
			}
			if seen[i] {
				out.spoil(name, sources.ErrDuplicateName)
				return nil
			}
			seen[i] = true
			return b.at.read(name, value, out)
		}
		return nil
	})
}

// collect reads a path through an array: it gives the list of what each document
// in the array has there. Elements that are no documents, or have nothing there,
// add nothing.
func (n *node) collect(raw []byte, out *values) error {
	wanted := n.below()
	lists := make(map[int][]sources.Value, len(wanted))
	err := Elements(raw, func(element []byte) error {
		if element[0] != '{' {
			return nil
		}
		one := values{slots: make([]sources.Value, len(out.slots))}
		if err := n.members(element, &one); err != nil {
			return err
		}
		for _, slot := range wanted {
			if v := one.slots[slot]; !v.IsAbsent() {
				lists[slot] = append(lists[slot], v)
			}
		}
		if out.why == "" {
			out.why = one.why
		}
		return nil
	})
	for _, slot := range wanted {
		out.slots[slot] = sources.ListOf(lists[slot])
	}
	return err
}
