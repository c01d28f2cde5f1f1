package checks_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"plumbline/checks"
)

// likely is the exact probability, by counting, that of drawn keys between least
// and most are among the marked ones of all.
func likely(least, most, drawn, marked, all int64) float64 {
	ways := new(big.Int)
	for k := max(0, least); k <= min(most, drawn, marked); k++ {
		if drawn-k <= all-marked {
			one := new(big.Int).Binomial(marked, k)
			ways.Add(ways, one.Mul(one, new(big.Int).Binomial(all-marked, drawn-k)))
		}
	}
	p, _ := new(big.Rat).SetFrac(ways, new(big.Int).Binomial(all, drawn)).Float64()
	return p
}

func TestIntervalOfAFinitePopulationIsThatOfCountingAllDraws(t *testing.T) {
	t.Parallel()
	for _, all := range []int64{1, 2, 3, 7, 12, 20, 29} {
		for drawn := int64(1); drawn <= all; drawn++ {
			for differ := range drawn + 1 {
				least, most := int64(-1), int64(-1)
				for marked := differ; marked <= all-(drawn-differ); marked++ {
					if least < 0 && likely(differ, drawn, drawn, marked, all) > 0.025 {
						least = marked
					}
					if likely(0, differ, drawn, marked, all) > 0.025 {
						most = marked
					}
				}
				estimate := float64(differ) / float64(drawn)
				wantLow, wantHigh := min(float64(least)/float64(all), estimate), max(float64(most)/float64(all), estimate)
				low, high := checks.Interval(differ, drawn, all)
				if math.Abs(low-wantLow) > 1e-12 || math.Abs(high-wantHigh) > 1e-12 {
					t.Fatalf("%d of %d drawn of %d differ: [%g, %g], counted [%g, %g]", differ, drawn, all, low, high, wantLow, wantHigh)
				}
			}
		}
	}
}

func TestIntervalCoversInAtLeast95OfHundredDrawsWhateverTheRate(t *testing.T) {
	t.Parallel()
	const all, drawn = 300, 60
	for marked := range int64(all + 1) {
		covered := 0.0
		for differ := range int64(drawn + 1) {
			low, high := checks.Interval(differ, drawn, all)
			if rate := float64(marked) / all; low <= rate && rate <= high {
				covered += likely(differ, differ, drawn, marked, all)
			}
		}
		if covered < 0.95 {
			t.Errorf("with %d of %d differing, the interval covers in %.4f of all draws", marked, all, covered)
		}
	}
}

func TestIntervalOfAnUncountedPopulationIsClopperAndPearsons(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		differ, drawn int64
		low, high     float64
	}{ // qbeta(0.025, x, n-x+1), qbeta(0.975, x+1, n-x)
		{0, 10, 0, 0.30849710781876},
		{10, 10, 0.69150289218124, 1},
		{1, 10, 0.00252857854446178, 0.445016117028195},
		{5, 10, 0.187086028447398, 0.812913971552602},
		{0, 2000, 0, 1 - math.Pow(0.025, 1.0/2000)},
	} {
		low, high := checks.Interval(test.differ, test.drawn, 0)
		if math.Abs(low-test.low) > 1e-9 || math.Abs(high-test.high) > 1e-9 {
			t.Errorf("%d of %d: [%.12f, %.12f], not [%.12f, %.12f]", test.differ, test.drawn, low, high, test.low, test.high)
		}
	}
}

func TestIntervalIsSoundAtEverySize(t *testing.T) {
	t.Parallel()
	for _, all := range []int64{0, 100, 2_000, 2_500, 2_000_000, 3_000_000_000, 1 << 50} {
		for _, drawn := range []int64{1, 10, 100, 2_000} {
			if all > 0 && drawn > all {
				continue
			}
			lastLow, lastHigh := 0.0, 0.0
			for _, differ := range []int64{0, 1, 2, drawn / 100, drawn / 3, drawn - 1, drawn} {
				if differ < 0 || differ > drawn {
					continue
				}
				low, high := checks.Interval(differ, drawn, all)
				estimate := float64(differ) / float64(drawn)
				at := fmt.Sprintf("%d of %d of %d: [%g, %g]", differ, drawn, all, low, high)
				if math.IsNaN(low) || math.IsNaN(high) || low < 0 || high > 1 || low > estimate || high < estimate {
					t.Errorf("%s does not hold %g", at, estimate)
				}
				if all == drawn && (low != estimate || high != estimate) {
					t.Errorf("%s is no point, though every key was drawn", at)
				}
				if _, wider := checks.Interval(differ, drawn, 0); high > wider+2/float64(max(all, 1)) {
					t.Errorf("%s ends behind that of an uncounted population, %g", at, wider)
				}
				if differ == 0 && low != 0 || differ == drawn && high != 1 {
					t.Errorf("%s: where none differ it begins at 0, and where all do it ends at 1", at)
				}
				if differ >= 2 && (low < lastLow || high < lastHigh) {
					t.Errorf("%s lies below that of fewer differences, [%g, %g]", at, lastLow, lastHigh)
				}
				lastLow, lastHigh = low, high
			}
		}
	}
}
