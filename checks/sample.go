package checks

// Sample is a run's budget of keys. The shares of its parts add up to one.
type Sample struct {
	// Keys is how many keys a run draws in all; 0 means every record.
	Keys int
	// Recent, Rolling and Random are the shares of the keys that changed last, of
	// those that were compared longest ago, and of those drawn at random.
	Recent, Rolling, Random float64
	// RecentBy is the owner's field that says when a record changed; "" leaves
	// the recent part to the others.
	RecentBy string
}

// All says whether every record is compared.
func (s Sample) All() bool { return s.Keys == 0 }
