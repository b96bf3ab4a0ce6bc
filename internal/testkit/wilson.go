package testkit

import "math"

// Wilson is the interval of 95 % of a share of which so many hits were measured (Wilson's score
// interval).
func Wilson(hits, of int) (least, most float64) {
	const z = 1.96
	n, p := float64(of), float64(hits)/float64(of)
	middle, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, (middle-half)/(1+z*z/n)-1e-9), (middle+half)/(1+z*z/n) + 1e-9
}
