package sources

import (
	"testing"
	"time"
)

// The second span of a dataset begins with pages as large as the first one's had
// become, and as small; another dataset's, and a fixed size, are their own.
func TestTheNextSpanBeginsWithThePageSizeOfTheLast(t *testing.T) {
	t.Parallel()
	r := NewReader("shop", nil, Limits{Page: time.Second}, nil)
	d, other := &Dataset{Name: "a"}, &Dataset{Name: "b"}
	first := r.Stream(d, ScanRequest{})
	if first.size.records != firstPageRecords {
		t.Fatalf("the first page has %d records", first.size.records)
	}
	first.size.learn(time.Millisecond, firstPageRecords, 1)
	r.scans.note(d, first.size)
	if got := r.Stream(d, ScanRequest{}).size.records; got != 4*firstPageRecords {
		t.Errorf("the next span begins with %d records, not %d", got, 4*firstPageRecords)
	}
	if got := r.Stream(other, ScanRequest{}).size.records; got != firstPageRecords {
		t.Errorf("another dataset begins with %d records", got)
	}
	first.size.shrink()
	first.size.shrink()
	r.scans.note(d, first.size)
	if got := r.Stream(d, ScanRequest{}).size.records; got != firstPageRecords/4 {
		t.Errorf("once the store was too slow the next span begins with %d records", got)
	}
	probe := r.Stream(d, ScanRequest{})
	probe.Probe()
	r.scans.note(d, probe.size)
	if got := r.Stream(d, ScanRequest{}).size.records; got == 1 {
		t.Error("a page of one record, asked for on purpose, was remembered")
	}
	expecting := r.Stream(other, ScanRequest{})
	if expecting.Expect(firstPageRecords); expecting.size.records <= firstPageRecords || expecting.size.records > firstPageRecords+firstPageRecords/10 {
		t.Errorf("a page that may hold all that is expected has %d records", expecting.size.records)
	}
	expecting = r.Stream(other, ScanRequest{})
	expecting.Expect(100_000)
	if expecting.size.records != firstPageRecords {
		t.Errorf("a page that cannot hold what is expected has %d records", expecting.size.records)
	}
}
