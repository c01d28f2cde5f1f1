package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumbline/reconciler"
	"plumbline/sources"
)

// contentMark begins the content of an item as this version encodes it.
const contentMark = "plumbline item 1"

// contentOf encodes what an item's hash covers, and what is needed to apply it.
func contentOf(i *reconciler.Item) ([]byte, error) {
	request := ""
	if i.Request != nil {
		b, err := json.Marshal(i.Request)
		if err != nil {
			return nil, fmt.Errorf("write a request: %w", err)
		}
		request = string(b)
	}
	parts := []sources.Value{sources.Text(contentMark), listOf(i.Key), listOf(i.CopyID), listOf(i.Asked), listOf(i.AskedID),
		sources.Bytes(i.Owner[:]), imageValue(i.Before), imageValue(i.After), sources.Text(request)}
	return encodeKey(parts), nil
}

// listOf keeps apart a key of no values and no key.
func listOf(values []sources.Value) sources.Value {
	if values == nil {
		return sources.Null()
	}
	return sources.ListOf(values)
}

// imageValue keeps beside a record's fields how fine their times are, which no
// encoding of a value tells.
func imageValue(i *sources.Image) sources.Value {
	if i == nil {
		return sources.Null()
	}
	r := &i.Record
	var read int64
	if !i.ReadAt.IsZero() {
		read = i.ReadAt.UnixNano()
	}
	native := sources.Null()
	if i.Native != nil {
		native = sources.Bytes(i.Native)
	}
	var digits []sources.Value
	for _, f := range r.Fields {
		digits = append(digits, sources.Int(int64(f.Precision())))
	}
	return sources.ListOf([]sources.Value{sources.Bool(i.Exists), native, sources.Int(read), listOf(r.Key), listOf(r.ID), listOf(r.Fields), listOf(digits),
		sources.Bool(r.OutOfScope), sources.Bool(r.Deleted), sources.Text(r.Unreadable), sources.Text(r.Skipped)})
}

// takeContent reads an item's content back.
func takeContent(i *reconciler.Item, content []byte) error {
	values, err := decodeKey(content)
	if err != nil {
		return err
	}
	r := &contentReader{values: values}
	if r.text() != contentMark {
		return errContent
	}
	i.Key, i.CopyID, i.Asked, i.AskedID = r.list(), r.list(), r.list(), r.list()
	owner := r.text()
	if r.err == nil && len(owner) != len(i.Owner) {
		return errContent
	}
	copy(i.Owner[:], owner)
	i.Before, i.After = r.image(), r.image()
	if request := r.text(); request != "" {
		i.Request = &reconciler.PreparedRequest{}
		if err := undocument(request, i.Request); err != nil {
			return err
		}
	}
	return r.end()
}

var errContent = errors.New("the content of an item cannot be read")

// contentReader reads values one by one; after an error what it reads is empty.
type contentReader struct {
	values []sources.Value
	err    error
}

func (r *contentReader) next(kinds ...sources.Kind) (v sources.Value) {
	if r.err != nil {
		return v
	}
	if len(r.values) == 0 || !slices.Contains(kinds, r.values[0].Kind()) {
		r.err = errContent
		return v
	}
	v, r.values = r.values[0], r.values[1:]
	return v
}

// text reads a text or bytes.
func (r *contentReader) text() string { return r.next(sources.KindText, sources.KindBytes).AsText() }

func (r *contentReader) bool() bool { return r.next(sources.KindBool).AsBool() }

// list reads what listOf wrote.
func (r *contentReader) list() []sources.Value {
	v := r.next(sources.KindNull, sources.KindList)
	if v.Kind() == sources.KindList && v.Items() == nil {
		return []sources.Value{}
	}
	return v.Items()
}

func (r *contentReader) image() *sources.Image {
	v := r.next(sources.KindNull, sources.KindList)
	if v.Kind() != sources.KindList {
		return nil
	}
	in := &contentReader{values: v.Items(), err: r.err}
	i := &sources.Image{Exists: in.bool()}
	if native := in.next(sources.KindNull, sources.KindBytes); native.Kind() == sources.KindBytes {
		i.Native = []byte(native.AsText())
	}
	if at := in.next(sources.KindInt).AsInt(); at != 0 {
		i.ReadAt = time.Unix(0, at).UTC()
	}
	i.Record.Key, i.Record.ID, i.Record.Fields = in.list(), in.list(), in.list()
	digits := in.list()
	for n := range min(len(digits), len(i.Record.Fields)) {
		i.Record.Fields[n] = i.Record.Fields[n].WithPrecision(int(digits[n].AsInt()))
	}
	i.Record.OutOfScope, i.Record.Deleted, i.Record.Unreadable, i.Record.Skipped = in.bool(), in.bool(), in.text(), in.text()
	r.err = in.end()
	return i
}

// end says whether all was read, and nothing is left.
func (r *contentReader) end() error {
	if r.err == nil && len(r.values) > 0 {
		return errContent
	}
	return r.err
}
