package demo

import "time"

// maintained is the service whose store is locked for a while now and then. It
// copies nothing that goes wrong: what its check tells meanwhile is about the
// audit, and nothing about the data.
const maintained = "loyalty"

const (
	firstOutage  = 35 * time.Second
	outageEvery  = 4 * time.Minute
	outageLength = 40 * time.Second
)

// underMaintenance says whether the store is locked when the shop has been open for this long.
func underMaintenance(open time.Duration) bool {
	return open >= firstOutage && (open-firstOutage)%outageEvery < outageLength
}
