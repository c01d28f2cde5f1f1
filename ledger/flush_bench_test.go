package ledger_test

import (
	"fmt"
	"testing"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/ledger"
)

// What recording costs with nobody to be told, and with incidents kept: verdicts
// on so many records, by which half of the findings come and go.
func BenchmarkRecording(b *testing.B) {
	for name, policies := range map[string]alerts.Policies{"told nobody": nil, "told one channel": policies(nil)} {
		for _, size := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				w := openWorld(b, address(b, "sqlite"), newClock(), ledger.Options{Policies: policies})
				var differ, clear []checks.Verdict
				for n := range size {
					differ = append(differ, w.differs(w.suspect(n), "paid", "pending"))
					if n%2 == 0 {
						clear = append(clear, cleared(w.suspect(n), checks.ClearedEqual))
					}
				}
				for b.Loop() {
					w.recheck("search", differ...)
					w.recheck("search", clear...)
				}
			})
		}
	}
}
