package mongodb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// index is what a collection says of one of its indexes.
type index struct {
	name      string
	keys      []string
	unique    bool
	collation string // "" for the simple one, which is plain byte order
	// usable: it holds every document (but perhaps those without its fields), and
	// the planner may take it for conditions of equality.
	usable bool
	// expires: the server deletes documents by it.
	expires bool
}

// indexes lists a collection's indexes.
func (s *source) indexes(ctx context.Context, collection string) (all []index, err error) {
	err = s.each(ctx, doc("listIndexes", collection), func(d bsoncore.Document) error {
		i, err := indexOf(d)
		all = append(all, i)
		return err
	})
	return all, err
}

func indexOf(d bsoncore.Document) (index, error) {
	i := index{name: textOf(d, "name"), usable: true}
	err := elements(d, func(name []byte, v bsoncore.Value) error {
		switch string(name) {
		case "key":
			return elements(v.Data, func(field []byte, direction bsoncore.Value) error {
				i.keys = append(i.keys, string(field))
				kind, special := direction.StringValueOK()
				i.usable = i.usable && (!special || kind == "hashed")
				return nil
			})
		case "unique":
			i.unique, _ = v.BooleanOK()
		case "expireAfterSeconds":
			i.expires = true
		case "hidden":
			if hidden, _ := v.BooleanOK(); hidden {
				i.usable = false
			}
		case "partialFilterExpression":
			i.usable = false
		case "collation":
			if locale := textOf(v.Data, "locale"); locale != "simple" {
				i.collation = locale
			}
		}
		return nil
	})
	if slices.Equal(i.keys, []string{"_id"}) {
		i.unique = true // said of no index on _id, and true of all
	}
	return i, err
}

// byKey describes the index that serves a lookup by key best: that whose leading
// fields are most of the key's. name is "" where none begins with a field of the key.
func byKey(all []index, key []string, collation string) (name string) {
	most := 0
	for _, i := range all {
		n := 0
		for n < len(i.keys) && slices.Contains(key, i.keys[n]) {
			n++
		}
		if i.usable && i.collation == collation && n > most {
			name, most = i.name, n
		}
	}
	return name
}

// unique says whether an index keeps two records from sharing the fields. An
// index over an array's elements binds different documents only.
func unique(all []index, d *sources.Dataset) bool {
	fields := slices.Concat(d.Key, d.ID)
	if d.Unwind != "" {
		return false
	}
	for _, i := range all {
		covered := !slices.ContainsFunc(i.keys, func(k string) bool { return !slices.Contains(fields, k) })
		if i.unique && i.usable && covered {
			return true
		}
	}
	return false
}

// onID is the index on _id; ok is false in what has none.
func onID(all []index) (index, bool) {
	at := slices.IndexFunc(all, func(i index) bool { return slices.Equal(i.keys, []string{"_id"}) && i.usable })
	if at < 0 {
		return index{}, false
	}
	return all[at], true
}
