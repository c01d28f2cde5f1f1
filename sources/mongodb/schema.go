package mongodb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// Schema implements sources.Shaper: which collection it is and what indexes it
// has. MongoDB declares no fields. Dropping a collection and making it anew, and
// $out, change its identity; emptying it does not. What the role may not list is
// left out.
func (s *source) Schema(ctx context.Context, d *sources.Dataset) (out sources.Schema, err error) {
	kind, err := s.identity(ctx, d.Name, &out)
	if err != nil {
		return sources.Schema{}, err
	}
	if kind != "collection" {
		return out, nil
	}
	err = s.each(ctx, doc("listIndexes", d.Name), func(one bsoncore.Document) error {
		words := "INDEX " + textOf(one, "name") + " " + one.Lookup("key").String()
		if unique, _ := one.Lookup("unique").BooleanOK(); unique {
			words = "UNIQUE " + words
		}
		for _, option := range []string{"partialFilterExpression", "collation", "sparse", "hidden"} {
			if v, err := one.LookupErr(option); err == nil {
				words += " " + option + " " + v.String()
			}
		}
		out.Constraints = append(out.Constraints, words)
		return nil
	})
	slices.Sort(out.Constraints)
	switch codeOf(err) {
	case codeUnauthorized:
		out.Constraints, err = nil, nil
	case codeNamespaceNotFound: // it went between the two commands
		err = sources.Final(&sources.NotFoundError{What: "collection", Name: d.Name, In: "database " + s.database})
	}
	if err != nil {
		return sources.Schema{}, err
	}
	return out, nil
}

// identity is collection, view or timeseries, and what tells it from another of its name.
func (s *source) identity(ctx context.Context, name string, out *sources.Schema) (kind string, err error) {
	list := bson.D{{Key: "listCollections", Value: int32(1)}, {Key: "filter", Value: doc("name", name)}}
	err = s.each(ctx, list, func(one bsoncore.Document) error {
		kind = textOf(one, "type")
		if _, id, ok := one.Lookup("info", "uuid").BinaryOK(); ok {
			out.Identity = hex.EncodeToString(id)
		} else if kind == "view" {
			sum := sha256.Sum256(one.Lookup("options").Data)
			out.Identity = fmt.Sprintf("view %x", sum[:8])
		}
		return nil
	})
	if err == nil && kind != "" {
		return kind, nil
	}
	if err != nil && codeOf(err) != codeUnauthorized {
		return "", err
	}
	return s.collectionType(ctx, name)
}
