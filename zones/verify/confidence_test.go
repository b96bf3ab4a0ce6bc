package verify

import (
	"math"
	"testing"
)

// With the bound as the share, the chance to find so few is 5 %: that is what it is the bound of. The last ones are from tables of Clopper and Pearson.
func TestUpperBound(t *testing.T) {
	for _, c := range []struct {
		found, n int64
		want     float64
	}{
		{0, 1, 0.95}, {0, 10, 0.2589}, {0, 100, 0.02951}, {0, 1000, 0.002991}, {0, 1_000_000, 2.9957e-6},
		{1, 10, 0.3942}, {5, 10, 0.7776}, {10, 10, 1}, {3, 100, 0.07571},
	} {
		if got := upperBound(c.found, c.n); math.Abs(got-c.want) > c.want*1e-3 {
			t.Errorf("%d of %d: got %.6g, want %.6g", c.found, c.n, got, c.want)
		}
	}
}
