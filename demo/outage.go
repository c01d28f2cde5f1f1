package demo

import "time"

// maintained is the service whose store is locked for a while now and then. It
// copies nothing that goes wrong: what its check tells meanwhile is about the
// audit, and nothing about the data.
const maintained = "loyalty"

const (
	firstOutage  = 20 * time.Second
	outageEvery  = 5 * time.Minute
	outageLength = 170 * time.Second // long enough that the audit no longer waits for the store to come back
)

// underMaintenance says whether the store is locked when the shop has been open for this long.
func underMaintenance(open time.Duration) bool {
	return open >= firstOutage && (open-firstOutage)%outageEvery < outageLength
}
