package mongodb

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// A document of another collection is another record, though it has the same _id
// and holds the same: an undo after a change of the configuration does not write it
// in the other's place.
func TestADocumentOfAnotherCollectionIsAnotherRecord(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	shop.insert("prices", bson.D{{Key: "_id", Value: 1}, {Key: "v", Value: "a"}})
	shop.insert("archive", bson.D{{Key: "_id", Value: 1}, {Key: "v", Value: "a"}})
	there := sources.Dataset{Name: "prices", Key: []string{"_id"}, Fields: []string{"v"}}
	other := sources.Dataset{Name: "archive", Key: []string{"_id"}, Fields: []string{"v"}}
	key := sources.Key{sources.Int(1)}
	for _, whole := range []bool{false, true} {
		a, b := shop.look(w, &there, key, nil, sources.Looking{Whole: whole}), shop.look(w, &other, key, nil, sources.Looking{Whole: whole})
		if string(a.Native) == string(b.Native) {
			t.Errorf("whole %t: documents of two collections have one image", whole)
		}
	}
	before := shop.look(w, &there, key, nil, sources.Looking{})
	after := shop.become(w, &there, before, "v", sources.Text("b"))
	was := shop.sole("archive")
	if _, _, refused := refusal(shop.write(w, &other, key, nil, before, after)); !refused {
		t.Error("a change of one collection's document was not refused by another")
	}
	if shop.sole("archive") != was {
		t.Error("the other collection's document was changed")
	}
}
