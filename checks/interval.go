package checks

import "math"

// interval is the two-sided interval, of confidence sampleConfidence, in which
// lies the share of all keys that differ, where differ of drawn keys do, drawn at
// random and without replacement. all is how many keys there are; 0 where nobody
// counted them.
//
// With all known it is the exact hypergeometric interval by inversion of two
// one-sided tests, each of half the error (Buonaccorsi, "A note on confidence
// intervals for proportions in finite populations", The American Statistician
// 41, 1987; Wright, "Exact confidence bounds when sampling from small finite
// universes", 1991): every number of differing keys, of which as few or as many
// as were drawn are no less likely than that. With all unknown it is the binomial interval
// of the same inversion (Clopper and Pearson, Biometrika 26, 1934).
func interval(differ, drawn, all int64) (low, high float64) {
	if drawn <= 0 {
		return 0, 1
	}
	estimate := float64(differ) / float64(drawn)
	if all > 0 {
		low, high = hypergeometricInterval(differ, drawn, max(all, drawn))
	} else {
		low, high = binomialInterval(differ, drawn)
	}
	return min(low, estimate), max(high, estimate)
}

const tailError = (1 - sampleConfidence) / 2

func hypergeometricInterval(differ, drawn, all int64) (low, high float64) {
	least, most := differ, all-(drawn-differ) // what the drawn keys alone allow
	// The least number of which so many are likely enough to be drawn.
	from, to := least, most
	for from < to {
		m := from + (to-from)/2
		if hypergeometricTail(drawn-differ, drawn, all-m, all) > tailError {
			to = m
		} else {
			from = m + 1
		}
	}
	low = float64(from) / float64(all)
	// The greatest number of which so few are.
	for to = most; from < to; {
		m := from + (to-from+1)/2
		if hypergeometricTail(differ, drawn, m, all) > tailError {
			from = m
		} else {
			to = m - 1
		}
	}
	return low, float64(from) / float64(all)
}

// hypergeometricTail is the probability that of drawn keys at most k are among
// the marked ones of all.
func hypergeometricTail(k, drawn, marked, all int64) float64 {
	least, most := max(0, drawn-(all-marked)), min(drawn, marked)
	mode := int64((float64(drawn) + 1) * (float64(marked) + 1) / (float64(all) + 2))
	n, m, rest := float64(drawn), float64(marked), float64(all-marked-drawn)
	return tail(k, least, min(max(mode, least), most), most, func(i int64) float64 {
		x := float64(i)
		return (m - x) * (n - x) / ((x + 1) * (rest + x + 1))
	})
}

func binomialInterval(differ, drawn int64) (low, high float64) {
	low, high = 0, 1
	if differ > 0 {
		low = 1 - bisect(func(q float64) bool { return binomialTail(drawn-differ, drawn, q) > tailError })
	}
	if differ < drawn {
		high = bisect(func(p float64) bool { return binomialTail(differ, drawn, p) > tailError })
	}
	return low, high
}

// bisect returns the probability up to which holds is true, rounded up.
func bisect(holds func(float64) bool) float64 {
	from, to := 0.0, 1.0
	for range 100 {
		p := (from + to) / 2
		if p == from || p == to {
			break
		}
		if holds(p) {
			from = p
		} else {
			to = p
		}
	}
	return to
}

// binomialTail is the probability that of drawn keys at most k differ, where each
// does with probability p, which is neither 0 nor 1.
func binomialTail(k, drawn int64, p float64) float64 {
	odds := p / (1 - p)
	mode := min(int64((float64(drawn)+1)*p), drawn)
	return tail(k, 0, mode, drawn, func(i int64) float64 {
		return float64(drawn-i) / float64(i+1) * odds
	})
}

// tail is the probability of at most k, of a distribution over least..most with
// one mode, given by the ratio of each probability to the one before (ratio(i) is
// that of i+1 to i). Sums of ratios from the mode outward lose no digits, whatever
// the size of the numbers, as differences of log-gammas do.
func tail(k, least, mode, most int64, ratio func(int64) float64) float64 {
	switch {
	case k < least:
		return 0
	case k >= most:
		return 1
	}
	const negligible = 1e-18
	below, above := 0.0, 0.0
	add := func(i int64, weight float64) {
		if i <= k {
			below += weight
		} else {
			above += weight
		}
	}
	add(mode, 1)
	for i, weight := mode, 1.0; i < most; i++ {
		if weight *= ratio(i); weight < negligible && !math.IsNaN(weight) {
			break
		}
		add(i+1, weight)
	}
	for i, weight := mode, 1.0; i > least; i-- {
		if weight /= ratio(i - 1); weight < negligible && !math.IsNaN(weight) {
			break
		}
		add(i-1, weight)
	}
	return below / (below + above)
}
