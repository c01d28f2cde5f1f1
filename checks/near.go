package checks

import (
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/sources"
	"plumbline/sources/condition"
)

// near applies the rule's tolerances; false where there is none or none applies.
func (r *Rule) near(owner, replica sources.Value) bool {
	if r.WithinTime > 0 {
		return nearInTime(owner, replica, r.WithinTime)
	}
	if r.Within == nil && r.WithinPercent == nil {
		return false
	}
	o, ok1 := condition.Number(owner)
	p, ok2 := condition.Number(replica)
	if !ok1 || !ok2 {
		return false
	}
	var distance apd.Decimal
	if !subtract(&distance, o, p) {
		return false
	}
	distance.Abs(&distance)
	if r.Within != nil && distance.Cmp(r.Within) <= 0 {
		return true
	}
	if r.WithinPercent == nil {
		return false
	}
	var allowed, hundred apd.Decimal
	if _, err := condition.Exact().Mul(&allowed, r.WithinPercent, o); err != nil {
		return false
	}
	allowed.Abs(&allowed)
	if _, err := condition.Exact().Mul(&hundred, &distance, apd.New(100, 0)); err != nil {
		return false
	}
	return hundred.Cmp(&allowed) <= 0
}

func subtract(out, a, b *apd.Decimal) bool {
	_, err := condition.Exact().Sub(out, a, b)
	return err == nil
}

func nearInTime(owner, replica sources.Value, within time.Duration) bool {
	if owner.Kind() != replica.Kind() || owner.Infinite() != 0 || replica.Infinite() != 0 {
		return false
	}
	switch owner.Kind() {
	case sources.KindTime:
		d := owner.AsTime().Sub(replica.AsTime())
		return owner.Naive() == replica.Naive() && d <= within && d >= -within
	case sources.KindDate:
		d := owner.AsDays() - replica.AsDays()
		return max(d, -d) <= int64(within/(24*time.Hour))
	case sources.KindDuration:
		om, od, on := owner.AsDuration()
		rm, rd, rn := replica.AsDuration()
		d := on - rn
		return om == rm && od == rd && max(d, -d) <= int64(within)
	}
	return false
}
