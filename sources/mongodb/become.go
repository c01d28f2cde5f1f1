package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// Become works out what a record would be; the server is asked only what its
// validator, and the dataset's conditions, would say of the document.
func (s *source) Become(ctx context.Context, d *sources.Dataset, before *sources.Image, set []sources.Assignment) (*sources.Image, error) {
	p, err := s.plainly(ctx, d)
	if err != nil {
		return nil, err
	}
	after, changes, err := p.become(before, set)
	if err != nil {
		return nil, sources.Final(err)
	}
	if len(changes) == 0 {
		return after, nil
	}
	if err := s.judgeChanged(ctx, p, before, after, changes); err != nil {
		return nil, err
	}
	return after, nil
}

// become is the image after some assignments, and what they change.
func (p *dataset) become(before *sources.Image, set []sources.Assignment) (*sources.Image, []pin, error) {
	if !before.Exists || before.Record.Unreadable != "" {
		return nil, nil, errors.New("there is no readable record to assign to")
	}
	n, err := p.native(before.Native)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range set {
		if err := p.assignable(a.Field); err != nil {
			return nil, nil, err
		}
	}
	was, err := n.rebuilt(p.Unwind)
	if err != nil {
		return nil, nil, err
	}
	is, changes := was, []pin(nil)
	for _, a := range set {
		old, err := p.valueAt(is, a.Field)
		if err != nil {
			return nil, nil, err
		}
		value, err := fitted(a.Value, old)
		if err != nil {
			return nil, nil, fmt.Errorf("field %s: %w", a.Field, err)
		}
		if equalBSON(value, old) {
			continue
		}
		if is, err = p.editedAt(is, a.Field, value); err != nil {
			return nil, nil, fmt.Errorf("field %s: %w", a.Field, err)
		}
		changes = append(changes, pin{a.Field, value})
	}
	after, err := p.imageOf(is, n.whole != nil)
	if err != nil {
		return nil, nil, err
	}
	after.Record.OutOfScope, after.Record.Deleted = before.Record.OutOfScope, before.Record.Deleted
	after.ReadAt = before.ReadAt
	return after, changes, nil
}

// assignable says why a field cannot be assigned to.
func (p *dataset) assignable(field string) error {
	switch {
	case !slices.Contains(p.Fields, field):
		return fmt.Errorf("field %q is none of the dataset's", field)
	case p.leads(field):
		return fmt.Errorf("field %q leads to the record: with another value it would be another record", field)
	case field == p.Unwind:
		return fmt.Errorf("field %q is the element itself: only fields of an element can be written", field)
	case p.Unwind != "" && !strings.HasPrefix(field, p.Unwind+"."):
		return fmt.Errorf("field %q is of the document, and so of all its records: only fields under %s can be written", field, p.Unwind)
	}
	return nil
}

// leads says whether a field is, holds, or lies in one that leads to the record.
func (p *dataset) leads(field string) bool {
	leading := append(slices.Concat(p.Key, p.ID), "_id")
	for _, c := range p.Scope {
		leading = append(leading, c.Field)
	}
	return slices.ContainsFunc(leading, func(l string) bool { return overlap(l, field) })
}

// overlap says whether one path is the other, or leads through it.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
}

// soleElement is the one element of a rebuilt document's unwound array.
func (p *dataset) soleElement(d []byte) (bsoncore.Value, error) {
	array, err := pinnedAt(d, p.Unwind)
	if err != nil {
		return bsoncore.Value{}, err
	}
	one, _, err := member(array.value.Data, "0")
	if err == nil && one.Type != bsoncore.TypeEmbeddedDocument {
		err = fmt.Errorf("the element of %s is no document", p.Unwind)
	}
	return one, err
}

// valueAt is what a rebuilt document holds in a field's place.
func (p *dataset) valueAt(d []byte, field string) (bsoncore.Value, error) {
	if p.Unwind != "" {
		one, err := p.soleElement(d)
		if err != nil {
			return one, err
		}
		d, field = one.Data, strings.TrimPrefix(field, p.Unwind+".")
	}
	at, err := pinnedAt(d, field)
	if at.path != field && !at.missing() {
		return bsoncore.Value{}, fmt.Errorf("field %s: %w", field, &notViable{at.path, at.value.Type.String()})
	}
	return at.value, err
}

// editedAt puts a value in a field's place of a rebuilt document.
func (p *dataset) editedAt(d bsoncore.Document, field string, v bsoncore.Value) (bsoncore.Document, error) {
	if p.Unwind == "" {
		return edited(d, field, v)
	}
	one, err := p.soleElement(d)
	if err != nil {
		return nil, err
	}
	if one.Data, err = edited(one.Data, strings.TrimPrefix(field, p.Unwind+"."), v); err != nil {
		return nil, err
	}
	list := bsonDocument([]string{"0"}, []bsoncore.Value{one})
	list.Type = bsoncore.TypeArray
	return edited(d, p.Unwind, list)
}

// imageOf is the image of a rebuilt document.
func (p *dataset) imageOf(d bsoncore.Document, whole bool) (*sources.Image, error) {
	b := &builder{p: p, shape: p.whole}
	if _, err := b.add(d); err != nil {
		return nil, err
	}
	if len(b.records) != 1 {
		return nil, errNative
	}
	r := b.records[0]
	if r.Unreadable != "" {
		return nil, fmt.Errorf("the record would be unreadable: %s", r.Unreadable)
	}
	n, err := p.nativeOf(d, 0, whole)
	if err != nil {
		return nil, err
	}
	return &sources.Image{Exists: true, Record: r, Native: n.bytes()}, nil
}

// judgeChanged asks the server what its validator, and the dataset's conditions,
// say of the document with some changes.
func (s *source) judgeChanged(ctx context.Context, p *dataset, before, after *sources.Image, changes []pin) error {
	c, err := s.collection(ctx, p.Name)
	if err != nil {
		return err
	}
	const valid = "valid"
	b := &builder{p: p, limit: sources.Limit{Records: maxAlike}}
	asked := b.asked(false)
	if c.validator != nil {
		asked = append(asked, bson.E{Key: valid, Value: c.validator})
	}
	if len(asked) == 0 || p.Unwind != "" { // of an element, no condition can be judged
		return nil
	}
	n, err := p.native(before.Native)
	if err != nil {
		return err
	}
	stages := bson.A{doc("$match", doc("_id", rawValue(n.id)))}
	for _, change := range changes {
		if change.missing() {
			stages = append(stages, doc("$unset", change.path))
		} else {
			stages = append(stages, doc("$set", doc(change.path, doc("$literal", rawValue(change.value)))))
		}
	}
	holds := map[string]bool{}
	there := false
	err = s.judged(ctx, b, judging(stages, bson.A{doc("$project", doc("_id", int32(1)))}, asked, p.satisfying), func(as string, _ bsoncore.Document) error {
		there = there || as == judgedRecord
		holds[as] = true
		return nil
	})
	if err != nil || !there { // gone by now: the write will find that out
		return err
	}
	if c.validator != nil && !holds[valid] {
		return sources.Final(errors.New("the collection's validator refuses the record as it would be"))
	}
	after.Record.OutOfScope = p.where != nil && !holds[judgedIn]
	after.Record.Deleted = holds[judgedGone]
	return nil
}
