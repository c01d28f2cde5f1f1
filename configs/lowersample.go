package configs

import (
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"plumbline/checks"
)

// sample lowers which records a run compares; the zero Sample is all of them.
func (l *lowering) sample(s *setting) checks.Sample {
	if s == nil || s.bad || s.under == nil {
		return checks.Sample{}
	}
	out := checks.Sample{Keys: valueOf[int](s, "keys"), RecentBy: valueOf[string](s, "recent_by")}
	hundredths, fine := l.hundredths(s)
	if !fine {
		return out
	}
	for i, share := range shares(&out) {
		*share, _ = hundredths[i].Float64() // at most 100, and never out of range
		*share /= 100
	}
	if out.RecentBy == "" && out.Recent > 0 {
		l.withoutRecent(s, &out)
	}
	if random := out.Random * float64(out.Keys); random > maxRandom {
		l.report(s, "draws %.0f keys at random, and %d is the most: beyond that a larger part hardly tells more; lower keys, or the share of random",
			random, maxRandom)
	}
	return out
}

// hundredths are the parts of a sample, in the order of standardShares, which add
// up to 100. Parts that are not written share what the written ones leave.
func (l *lowering) hundredths(s *setting) (parts []*apd.Decimal, fine bool) {
	names, standard := standardShares()
	exact := apd.BaseContext.WithPrecision(50)
	left, waiting := apd.New(100, 0), int64(0)
	parts = make([]*apd.Decimal, len(names))
	for i, name := range names {
		if parts[i] = valueOf[*apd.Decimal](s, name); parts[i] == nil {
			waiting += standard[i]
		} else if _, err := exact.Sub(left, left, parts[i]); err != nil {
			l.report(s, "shares are written too finely: use whole hundredths, such as 20%%")
			return nil, false
		}
	}
	if left.Negative || waiting == 0 && !left.IsZero() {
		sum := new(apd.Decimal)
		if _, err := exact.Sub(sum, apd.New(100, 0), left); err != nil {
			sum = left
		}
		sum.Reduce(sum)
		l.report(s, "%s add up to %s%%, not to 100%%: change one", listed(names, parts), sum.Text('f'))
		return nil, false
	}
	for i := range parts {
		if parts[i] != nil {
			continue
		}
		parts[i] = new(apd.Decimal)
		_, errOf := exact.Mul(parts[i], left, apd.New(standard[i], 0))
		if _, err := exact.Quo(parts[i], parts[i], apd.New(waiting, 0)); err != nil || errOf != nil {
			l.report(s, "shares are written too finely: use whole hundredths, such as 20%%")
			return nil, false
		}
	}
	return parts, true
}

// listed names the parts that are written.
func listed(names []string, parts []*apd.Decimal) string {
	var written []string
	for i, name := range names {
		if parts[i] != nil {
			written = append(written, name)
		}
	}
	if last := len(written) - 1; last > 0 {
		return strings.Join(written[:last], ", ") + " and " + written[last]
	}
	return strings.Join(written, "")
}

// withoutRecent gives the recent part, for which no field is named, to the others.
func (l *lowering) withoutRecent(s *setting, out *checks.Sample) {
	names, standard := standardShares()
	rolling, random := standard[slices.Index(names, "rolling")], standard[slices.Index(names, "random")]
	rest := out.Rolling + out.Random
	if rest == 0 {
		out.Rolling, out.Random = float64(rolling)/float64(rolling+random), float64(random)/float64(rolling+random)
	} else {
		out.Rolling, out.Random = out.Rolling/rest, out.Random/rest
	}
	out.Recent = 0
	l.note(s, "has no recent_by, so no key is drawn as recent: %.4g%% are rolling, %.4g%% random; name the owner's field that says when a record changed",
		100*out.Rolling, 100*out.Random)
}
