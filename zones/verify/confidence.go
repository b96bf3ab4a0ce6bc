package verify

import "math"

// confidence is that of the bounds that samples give.
const confidence = 0.95

// upperBound is the largest share of documents for which finding as few as found among n random ones still has a probability of 1 - confidence or
// more: the one-sided bound of Clopper and Pearson. For found = 0 it is 1 - 0.05^(1/n), which is close to 3/n.
func upperBound(found, n int64) float64 {
	if found >= n {
		return 1
	}
	low, high := float64(found)/float64(n), 1.0
	for range 60 { // halves the interval until it is smaller than a float64 shows
		middle := (low + high) / 2
		if atMost(found, n, middle) > 1-confidence {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// atMost is the probability of finding at most k among n when the share is p, 0 < p < 1.
func atMost(k, n int64, p float64) float64 {
	sum := 0.0
	for i := range k + 1 {
		sum += math.Exp(logChoose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

func logChoose(n, k int64) float64 {
	lgamma := func(x int64) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return lgamma(n) - lgamma(k) - lgamma(n-k)
}
