package http

import (
	"fmt"
	"strings"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// A document whose array is unwound may well have no records. That it is a document,
// and the one that was asked for, shows by those parts of the key that stand outside
// the array.

// outside reads the parts of the key that stand outside the array that is unwound.
type outside struct {
	shape *jsonrecord.Shape // nil where there are none, or no array is unwound
	parts []int             // which parts of the key they are
}

func (p *dataset) prepareOutside() (err error) {
	if p.Unwind == "" {
		return nil
	}
	array, _, _ := strings.Cut(p.Unwind, ".")
	var names []string
	for i, name := range p.Key {
		if name != array && !strings.HasPrefix(name, array+".") {
			names, p.outside.parts = append(names, name), append(p.outside.parts, i)
		}
	}
	if len(names) > 0 {
		p.outside.shape, err = jsonrecord.New(&sources.Dataset{Key: names})
	}
	return err
}

// read returns those parts of a document's key, in the order of parts; nil where they
// cannot be read. One that is not there is an error.
func (o *outside) read(item []byte) (sources.Key, error) {
	records, err := o.shape.Records(item)
	switch {
	case err != nil:
		return nil, err
	case records[0].Unreadable != "":
		return nil, nil
	case !records[0].Key.Whole():
		return nil, fmt.Errorf("has no key: it is no record")
	}
	return records[0].Key, nil
}

// belongs says whether a document's parts of the key are those of a key that was asked
// for, or are written alike.
func (o *outside) belongs(own sources.Key, a asked) bool {
	for i, part := range o.parts {
		text, ok := textOf(own[i])
		if !(ok && text == a.texts[part]) && canonical(own[i:i+1]) != canonical(a.key[part:part+1]) {
			return false
		}
	}
	return true
}

const (
	keyUnreadable = "the service answers with a record whose key cannot be read"
	anotherRecord = "the service answers with another record than the one asked for"
)

// doubtOf says why the document that an answer holds is none of those asked for; "" for
// one that is, and where no array is unwound.
func (p *dataset) doubtOf(item []byte, keys []asked) (string, error) {
	if p.outside.shape == nil {
		return "", nil
	}
	own, err := p.outside.read(item)
	if own == nil || err != nil {
		return keyUnreadable, err
	}
	for _, a := range keys {
		if p.outside.belongs(own, a) {
			return "", nil
		}
	}
	return anotherRecord, nil
}
