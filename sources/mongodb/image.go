package mongodb

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// native is what an image holds of a record in BSON's own types: each value that
// the dataset's fields are read from, or that there is none, or the whole document.
type native struct {
	in string         // the collection, with its database
	id bsoncore.Value // the document's _id
	// document are places in the document, element those in the record's element of
	// the unwound array, by their paths below it; "" is the element itself.
	document, element []pin
	// whole is the document; the places are empty then.
	whole bsoncore.Document
}

// pin is a place in a document and the value there. Its path ends where nothing
// can lie below: at a field's own place, or before it at what is no document (a
// list, null, nothing).
type pin struct {
	path  string
	value bsoncore.Value // without a type where there is none
}

func (p pin) missing() bool { return p.value.Type == 0 }

// errNative says that an image was not made by this package.
var errNative = errors.New("the image is none of a MongoDB document")

// errNoList says that a record is no element of a list.
var errNoList = errors.New("it is no list reached through documents alone: only elements of such a list can be written")

// places are the paths that a record is read from: those of the document, and
// those of its element where there is an unwound array.
func (p *dataset) places() (document, element []string) {
	document = []string{"_id"}
	for _, name := range p.names() {
		below, within := strings.CutPrefix(name, p.Unwind+".")
		switch {
		case p.Unwind != "" && name == p.Unwind:
			element = append(element, "")
		case p.Unwind != "" && within:
			element = append(element, below)
		default:
			document = append(document, name)
		}
	}
	slices.Sort(document)
	slices.Sort(element)
	return slices.Compact(document), slices.Compact(element)
}

// nativeOf takes what an image holds from a document. at is where the record's
// element is in the unwound array.
func (p *dataset) nativeOf(d bsoncore.Document, at int, whole bool) (*native, error) {
	id, _, err := member(d, "_id")
	if err != nil {
		return nil, err
	}
	if whole {
		return &native{in: p.place(), id: id, whole: d}, nil
	}
	document, element := p.places()
	n := &native{in: p.place(), id: id}
	if n.document, err = pinned(d, document); err != nil || p.Unwind == "" {
		return n, err
	}
	array, err := pinned(d, []string{p.Unwind})
	if err != nil {
		return nil, err
	}
	if array[0].path != p.Unwind || array[0].value.Type != bsoncore.TypeArray {
		return nil, sources.Final(fmt.Errorf("%s: %w", p.Unwind, errNoList))
	}
	index := 0
	err = elements(array[0].value.Data, func(_ []byte, v bsoncore.Value) (err error) {
		if index == at {
			n.element, err = pinnedIn(v, element)
		}
		index++
		return err
	})
	return n, err
}

// pinnedIn is pinned of an element, which may be no document.
func pinnedIn(v bsoncore.Value, paths []string) ([]pin, error) {
	if v.Type != bsoncore.TypeEmbeddedDocument || slices.Contains(paths, "") {
		return []pin{{value: v}}, nil
	}
	return pinned(v.Data, paths)
}

// pinned are the places that some paths lead to, in the order of their own paths.
func pinned(d []byte, paths []string) (pins []pin, err error) {
	for _, path := range paths {
		p, err := pinnedAt(d, path)
		if err != nil {
			return nil, err
		}
		pins = append(pins, p)
	}
	slices.SortFunc(pins, func(a, b pin) int { return strings.Compare(a.path, b.path) })
	return slices.CompactFunc(pins, func(a, b pin) bool { return a.path == b.path }), nil
}

func pinnedAt(d []byte, path string) (pin, error) {
	end := 0
	for {
		name, _, deeper := strings.Cut(path[end:], ".")
		end += len(name)
		v, times, err := member(d, name)
		if err != nil || times == 0 {
			return pin{path: path[:end]}, err
		}
		if !deeper || v.Type != bsoncore.TypeEmbeddedDocument {
			return pin{path[:end], v}, nil
		}
		d, end = v.Data, end+1
	}
}

// bytes is the form in which images keep it.
func (n *native) bytes() []byte {
	if n.whole != nil {
		return bsonDocument([]string{"in", "whole"}, []bsoncore.Value{bsonString(n.in), {Type: bsoncore.TypeEmbeddedDocument, Data: n.whole}}).Data
	}
	return bsonDocument([]string{"in", "_id", "document", "element"}, []bsoncore.Value{bsonString(n.in), n.id, pinList(n.document), pinList(n.element)}).Data
}

func pinList(pins []pin) bsoncore.Value {
	var names []string
	var values []bsoncore.Value
	for i, p := range pins {
		member, value := []string{"at", "value"}, []bsoncore.Value{bsonString(p.path), p.value}
		if p.missing() {
			member, value = member[:1], value[:1]
		}
		names, values = append(names, fmt.Sprint(i)), append(values, bsonDocument(member, value))
	}
	list := bsonDocument(names, values)
	list.Type = bsoncore.TypeArray
	return list
}

// place tells the collection from those of the same name in other databases.
func (p *dataset) place() string { return p.database + "." + p.Name }

// errElsewhere says that an image is of a document of another collection.
var errElsewhere = sources.Final(errors.New("the record is of another collection than the dataset's"))

// native reads what bytes made of a record of the dataset's.
func (p *dataset) native(b []byte) (*native, error) {
	n, err := nativeFrom(b)
	if err == nil && n.in != p.place() {
		return nil, errElsewhere
	}
	return n, err
}

// nativeFrom reads what bytes made.
func nativeFrom(b []byte) (*native, error) {
	n := &native{in: textOf(b, "in")}
	err := elements(b, func(name []byte, v bsoncore.Value) (err error) {
		switch string(name) {
		case "_id":
			n.id = v
		case "whole":
			n.whole = v.Data
			n.id, _, err = member(v.Data, "_id")
		case "document":
			n.document, err = pinsFrom(v.Data)
		case "element":
			n.element, err = pinsFrom(v.Data)
		}
		return err
	})
	if err != nil || n.id.Type == 0 {
		return nil, errNative
	}
	return n, nil
}

func pinsFrom(list []byte) (pins []pin, err error) {
	err = elements(list, func(_ []byte, v bsoncore.Value) error {
		value, _, err := member(v.Data, "value")
		pins = append(pins, pin{textOf(v.Data, "at"), value})
		return err
	})
	return pins, err
}

// rebuilt is a document from which this can be read: the record's own, or one
// with nothing but its places, the element alone in its array.
func (n *native) rebuilt(unwind string) (bsoncore.Document, error) {
	if n.whole != nil {
		return n.whole, nil
	}
	d, err := planted(n.document)
	if err != nil || unwind == "" {
		return d, err
	}
	one := bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument}
	if len(n.element) == 1 && n.element[0].path == "" {
		one = n.element[0].value
	} else if one.Data, err = planted(n.element); err != nil {
		return nil, err
	}
	list := bsonDocument([]string{"0"}, []bsoncore.Value{one})
	list.Type = bsoncore.TypeArray
	return edited(d, unwind, list)
}

func planted(pins []pin) (bsoncore.Document, error) {
	d := bsoncore.Document(bsonDocument(nil, nil).Data)
	for _, p := range pins {
		if p.missing() {
			continue
		}
		var err error
		if d, err = edited(d, p.path, p.value); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// edited is a document with a value put at a path, or, where the value has no
// type, with what is there taken away. Members keep their order, new ones come
// last, and documents on the way are made.
func edited(d []byte, path string, v bsoncore.Value) (bsoncore.Document, error) {
	name, rest, deeper := strings.Cut(path, ".")
	var names []string
	var values []bsoncore.Value
	found := false
	err := elements(d, func(n []byte, old bsoncore.Value) (err error) {
		if string(n) == name && !found {
			found = true
			switch {
			case deeper && old.Type != bsoncore.TypeEmbeddedDocument:
				return &notViable{name, old.Type.String()}
			case deeper:
				old.Data, err = edited(old.Data, rest, v)
			case v.Type == 0:
				return nil
			default:
				old = v
			}
		}
		names, values = append(names, string(n)), append(values, old)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !found && v.Type != 0 {
		if deeper {
			inner, err := edited(bsonDocument(nil, nil).Data, rest, v)
			if err != nil {
				return nil, err
			}
			v = bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: inner}
		}
		names, values = append(names, name), append(values, v)
	}
	return bsonDocument(names, values).Data, nil
}

// notViable says that a path leads through what is no document.
type notViable struct{ name, kind string }

func (e *notViable) Error() string {
	return fmt.Sprintf("%s holds a BSON %s, no document: nothing can be written below it", e.name, e.kind)
}

func sameImage(a, b *sources.Image) bool {
	return a.Exists == b.Exists && (!a.Exists || bytes.Equal(a.Native, b.Native))
}
