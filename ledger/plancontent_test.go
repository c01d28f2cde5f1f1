package ledger

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/reconciler"
	"plumbline/sources"
)

// What is read of an item's content is what was kept, type for type.
func TestContentsOfItemsComeBack(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	key := func() sources.Key {
		switch r.IntN(4) {
		case 0:
			return nil
		case 1:
			return sources.Key{}
		}
		return sources.Key{sources.Text("k\x00\xff"), sources.Int(r.Int64())}
	}
	picture := func() *sources.Image {
		switch r.IntN(4) {
		case 0:
			return nil
		case 1:
			return &sources.Image{}
		}
		return &sources.Image{Exists: true, Native: []byte{0xfe, 0, byte(r.IntN(256))}, ReadAt: time.Unix(r.Int64N(1e9), r.Int64N(1e9)).UTC(), Record: sources.Record{Key: key(), ID: key(),
			Fields:  []sources.Value{{}, sources.Null(), sources.Time(time.Unix(r.Int64N(1e9), 5), 6), sources.Float(-0.5), sources.ListOf([]sources.Value{sources.Bool(true)})},
			Deleted: r.IntN(2) == 0, OutOfScope: r.IntN(2) == 0, Skipped: "too large", Unreadable: "twice"}}
	}
	same := cmp.Comparer(func(a, b sources.Value) bool {
		return a.Equal(b) && a.Precision() == b.Precision() && a.Kind() == b.Kind()
	})
	for n := range 500 {
		item := reconciler.Item{Key: key(), CopyID: key(), Asked: key(), AskedID: key(), Before: picture(), After: picture(),
			Owner: sources.FingerprintOf([]sources.Value{sources.Int(int64(n))})}
		if r.IntN(2) == 0 {
			item.Request = &reconciler.PreparedRequest{Method: "PUT", URL: "https://shop/1?a=b&c", Body: `{"a":"<\u0000>"}`, Name: "n"}
		}
		content, err := contentOf(&item)
		if err != nil {
			t.Fatal(err)
		}
		var back reconciler.Item
		if err := takeContent(&back, content); err != nil {
			t.Fatalf("seed %d, %d: %v", seed, n, err)
		}
		if diff := cmp.Diff(item, back, same); diff != "" {
			t.Fatalf("seed %d, %d: %s", seed, n, diff)
		}
		if a, b := reconciler.ItemHash("c", "r", "h", "", &item), reconciler.ItemHash("c", "r", "h", "", &back); a != b {
			t.Fatalf("seed %d, %d: it has another hash", seed, n)
		}
		cut := content[:r.IntN(len(content))]
		if err := takeContent(&reconciler.Item{}, cut); err == nil {
			t.Fatalf("seed %d, %d: the first %d of %d bytes were read", seed, n, len(cut), len(content))
		}
	}
}
