package checks

import (
	"strconv"
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/sources"
)

// near applies the rule's tolerances; false where there is none or none applies.
func (r *Rule) near(owner, replica sources.Value) bool {
	if r.WithinTime > 0 {
		return nearInTime(owner, replica, r.WithinTime)
	}
	if r.Within == nil && r.WithinPercent == nil {
		return false
	}
	o, ok1 := number(owner)
	p, ok2 := number(replica)
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
	if _, err := exact().Mul(&allowed, r.WithinPercent, o); err != nil {
		return false
	}
	allowed.Abs(&allowed)
	if _, err := exact().Mul(&hundred, &distance, apd.New(100, 0)); err != nil {
		return false
	}
	return hundred.Cmp(&allowed) <= 0
}

// exact is a context with digits for any sum or product that a rule or an
// invariant forms of stored numbers; what still does not fit is an error.
func exact() *apd.Context {
	c := apd.BaseContext.WithPrecision(2000)
	c.Traps |= apd.Inexact
	return c
}

// number reads a finite number as a decimal: an exact one exactly, a float as
// the shortest decimal that is that float, which is how people and stores write it.
func number(v sources.Value) (*apd.Decimal, bool) {
	digits, exponent, ok := v.DecimalParts()
	if v.Kind() == sources.KindFloat && !v.NaN() && v.Infinite() == 0 {
		bits := 64
		if v.Precision() == 32 {
			bits = 32
		}
		d, _, err := apd.NewFromString(strconv.FormatFloat(v.AsFloat(), 'g', -1, bits))
		return d, err == nil
	}
	if !ok || exponent > 10_000 || exponent < -10_000 {
		return nil, false
	}
	d, _, err := apd.NewFromString(digits + "e" + strconv.FormatInt(exponent, 10))
	return d, err == nil
}

func subtract(out, a, b *apd.Decimal) bool {
	_, err := exact().Sub(out, a, b)
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
