package mongodb

import (
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// BenchmarkRead reads 200,000 small documents in pages of 5,000, by scan and by
// lookup, and as elements of 20,000 documents.
func BenchmarkRead(b *testing.B) {
	shop := newShop(b)
	source := shop.open()
	var products, baskets []any
	var keys []sources.Key
	for n := range 200_000 {
		products = append(products, bson.D{{Key: "_id", Value: int64(n)}, {Key: "name", Value: fmt.Sprint("product ", n)}, {Key: "price", Value: float64(n) / 4}, {Key: "at", Value: bson.DateTime(n)}})
		keys = append(keys, sources.Key{sources.Int(int64(n))})
	}
	for n := range 20_000 {
		var items bson.A
		for i := range 10 {
			items = append(items, bson.D{{Key: "id", Value: i}, {Key: "productId", Value: n*10 + i}, {Key: "price", Value: 1.5}})
		}
		baskets = append(baskets, bson.D{{Key: "_id", Value: n}, {Key: "items", Value: items}})
	}
	shop.insert("products", products...)
	shop.insert("baskets", baskets...)
	plain := sources.Dataset{Name: "products", Key: []string{"_id"}, Fields: []string{"name", "price", "at"}}
	where := plain
	where.Where = `{"price": {"$gt": 100}}`
	unwound := sources.Dataset{Name: "baskets", Unwind: "items", Key: []string{"items.productId"}, ID: []string{"_id", "items.id"}, Fields: []string{"items.price"}}
	for name, d := range map[string]sources.Dataset{"scan": plain, "scan with where": where, "scan unwound": unwound} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n := len(scanned(b, source, &d, sources.Span{}, 5000)); n != 200_000 {
					b.Fatalf("%d records", n)
				}
			}
		})
	}
	b.Run("lookup", func(b *testing.B) {
		for b.Loop() {
			for n := 0; n < len(keys); n += 1000 {
				if got := len(looked(b, source, &plain, keys[n:n+1000], 2000)); got != 1000 {
					b.Fatalf("%d records", got)
				}
			}
		}
	})
}
