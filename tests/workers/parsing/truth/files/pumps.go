// Package pumps has pumps.
package pumps

import "math"

// Area of a circle.
func Area(r float64) float64 {
	if r < 0 {

		return 0
	}

	return math.Pi * r * r
}

type Pump struct {
	Name string
}
