package mongodb

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// statement is a change as a command, without what bounds it.
type statement struct {
	kind    sources.ChangeKind
	command bson.D
}

// statement makes the command of a change. at is the index of its element.
func (p *dataset) statement(c *sources.Change, at int, until time.Time) (*statement, error) {
	w := &statement{kind: c.Kind()}
	inTime := doc("$lt", bson.A{"$$NOW", bson.DateTime(until.UnixMilli())})
	if w.kind == sources.Insert {
		after, err := p.native(c.After.Native)
		switch {
		case err != nil:
			return nil, err
		case p.Unwind != "":
			return nil, errElements
		case after.whole == nil:
			return nil, errors.New("only a document that was looked at whole can be put back")
		}
		w.command = bson.D{{Key: "aggregate", Value: int32(1)}, {Key: "pipeline", Value: bson.A{
			doc("$documents", bson.A{bson.D{}}),
			doc("$replaceRoot", doc("newRoot", doc("$cond", bson.A{inTime, doc("$literal", bson.Raw(after.whole)), nil}))),
			doc("$merge", bson.D{{Key: "into", Value: p.Name}, {Key: "whenMatched", Value: "fail"}, {Key: "whenNotMatched", Value: "insert"}}),
		}}, {Key: "cursor", Value: bson.D{}}}
		return w, nil
	}
	before, err := p.native(c.Before.Native)
	if err != nil {
		return nil, err
	}
	if w.kind == sources.Delete {
		switch {
		case p.Unwind != "":
			return nil, errElements
		case before.whole == nil:
			return nil, errors.New("only a document that was looked at whole can be deleted")
		}
		expression, err := p.holds(before, c, at, nil)
		if err != nil {
			return nil, err
		}
		filter := p.unchanged(before, c, append(expression, inTime))
		w.command = bson.D{{Key: "delete", Value: p.Name}, {Key: "deletes", Value: bson.A{
			bson.D{{Key: "q", Value: filter}, {Key: "limit", Value: int32(1)}, {Key: "collation", Value: doc("locale", "simple")}}}}}
		return w, nil
	}
	after, err := p.native(c.After.Native)
	if err != nil {
		return nil, err
	}
	update, also, err := p.update(before, after, at)
	if err != nil {
		return nil, err
	}
	expression, err := p.holds(before, c, at, also)
	if err != nil {
		return nil, err
	}
	filter := p.unchanged(before, c, append(expression, inTime))
	w.command = bson.D{{Key: "update", Value: p.Name}, {Key: "updates", Value: bson.A{
		bson.D{{Key: "q", Value: filter}, {Key: "u", Value: update}, {Key: "multi", Value: false}, {Key: "upsert", Value: false}, {Key: "collation", Value: doc("locale", "simple")}}}}}
	return w, nil
}

// unchanged is the filter by which the server finds the document while it is what it was.
func (p *dataset) unchanged(before *native, c *sources.Change, expression bson.A) any {
	condition := func(text any, holds bool) any {
		switch {
		case text == nil:
			return nil
		case holds:
			return text
		}
		return doc("$nor", bson.A{text})
	}
	return and(doc("_id", rawValue(before.id)), p.filter, p.scope, condition(p.where, !c.Before.Record.OutOfScope),
		condition(p.deletedWhen, c.Before.Record.Deleted), doc("$expr", doc("$and", expression)))
}

// holds are conditions that the document holds what the image holds, with further
// ones on what the fields lie in.
func (p *dataset) holds(n *native, c *sources.Change, at int, also bson.A) (bson.A, error) {
	if n.whole != nil {
		all, err := exactly("$$ROOT", bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: n.whole})
		return append(all, also...), err
	}
	all, err := holdingPins("$", n.document)
	if err != nil || p.Unwind == "" {
		return append(all, also...), err
	}
	of, err := holdingPins("$$element.", n.element)
	if err != nil {
		return nil, err
	}
	for i, ch := range p.Unwind {
		if ch == '.' {
			all = append(all, typed("$"+p.Unwind[:i], "object"))
		}
	}
	same, err := p.sameRecord(c)
	if err != nil {
		return nil, err
	}
	array := "$" + p.Unwind
	once := equals(doc("$size", doc("$filter", bson.D{{Key: "input", Value: array}, {Key: "cond", Value: doc("$and", same)}})), int32(1))
	element := doc("$let", bson.D{{Key: "vars", Value: doc("element", doc("$arrayElemAt", bson.A{array, int32(at)}))},
		{Key: "in", Value: doc("$and", append(append(bson.A{typed("$$element", "object")}, of...), also...))}})
	return append(all, guarded(typed(array, "array"), doc("$and", bson.A{once, element}))), nil
}

// sameRecord are conditions that an element, $$this, has what the key and the id
// say of it, however it is spelled.
func (p *dataset) sameRecord(c *sources.Change) (all bson.A, err error) {
	values := slices.Concat(c.Key, c.ID)
	for i, name := range slices.Concat(p.Key, p.ID) {
		below, within := strings.CutPrefix(name, p.Unwind)
		if !within || below != "" && below[0] != '.' || i >= len(values) {
			continue
		}
		forms, err := keyForms(values[i])
		if err != nil {
			return nil, err
		}
		var list bson.A
		for _, f := range forms {
			list = append(list, rawValue(f))
		}
		all = append(all, doc("$in", bson.A{"$$this" + below, doc("$literal", list)}))
	}
	return all, nil
}

// update is what turns one image into another, and on what further conditions: a
// document that goes because it came with a field must hold nothing else.
func (p *dataset) update(before, after *native, at int) (update bson.D, also bson.A, err error) {
	if before.whole != nil || after.whole != nil {
		if before.whole == nil || after.whole == nil {
			return nil, nil, errNative
		}
		document, _ := p.places()
		if before.document, err = pinned(before.whole, document); err != nil {
			return nil, nil, err
		}
		if after.document, err = pinned(after.whole, document); err != nil {
			return nil, nil, err
		}
	}
	root, in, was, is := "", "$", before.document, after.document
	if p.Unwind != "" {
		root, in, was, is = p.Unwind+"."+strconv.Itoa(at)+".", "$$element.", before.element, after.element
	}
	set, unset := bson.D{}, bson.D{}
	for _, now := range is {
		old, i := pin{}, slices.IndexFunc(was, func(o pin) bool { return o.path == now.path })
		if i >= 0 {
			old = was[i]
		}
		switch {
		case i >= 0 && old.missing() == now.missing() && equalBSON(old.value, now.value):
		case !now.missing() && (i >= 0 || leadsTo(was, now.path)):
			place := strings.TrimSuffix(root+now.path, ".") // of the element itself, too
			set = append(set, bson.E{Key: place, Value: rawValue(now.value)})
		case now.missing() && i >= 0:
			unset = append(unset, bson.E{Key: root + now.path, Value: ""})
		case now.missing() && leadsTo(was, now.path): // another field makes what it lies in
		case now.missing():
			unset = append(unset, bson.E{Key: root + now.path, Value: ""})
			also = append(also, alone(in, now.path, was)...)
		default:
			return nil, nil, fmt.Errorf("what %s lies in has changed its form", now.path)
		}
	}
	for _, list := range []*bson.D{&set, &unset} {
		*list = slices.DeleteFunc(*list, func(e bson.E) bool {
			return slices.ContainsFunc(set, func(o bson.E) bool { return strings.HasPrefix(e.Key, o.Key+".") })
		})
	}
	if len(set) > 0 {
		update = append(update, bson.E{Key: "$set", Value: set})
	}
	if len(unset) > 0 {
		update = append(update, bson.E{Key: "$unset", Value: unset})
	}
	if len(update) == 0 {
		return nil, nil, errors.New("there is nothing to change")
	}
	return update, also, nil
}

// leadsTo says whether the places say that there is nothing on the way to a path.
func leadsTo(pins []pin, path string) bool {
	return slices.ContainsFunc(pins, func(p pin) bool { return p.missing() && strings.HasPrefix(path, p.path+".") })
}

// alone are conditions that a document, and those in it, have no members but those
// that lead to places.
func alone(root, path string, pins []pin) (all bson.A) {
	members := map[string][]string{}
	var order []string
	for _, p := range pins {
		if p.missing() || !strings.HasPrefix(p.path, path+".") {
			continue
		}
		for at := len(path); at < len(p.path); {
			parent := p.path[:at]
			name, _, _ := strings.Cut(p.path[at+1:], ".")
			if _, known := members[parent]; !known {
				order = append(order, parent)
			}
			if !slices.Contains(members[parent], name) {
				members[parent] = append(members[parent], name)
			}
			at += 1 + len(name)
		}
	}
	for _, parent := range order {
		names := mapped(doc("$objectToArray", root+parent), "$$this.k")
		all = append(all, guarded(typed(root+parent, "object"), doc("$setEquals", bson.A{names, doc("$literal", members[parent])})))
	}
	return all
}
