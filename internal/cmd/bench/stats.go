package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// unknown stands where there is no figure.
const unknown = "–"

// median of the numbers that are there; NaN of none.
func median(xs []float64) float64 {
	xs = known(xs)
	if len(xs) == 0 {
		return math.NaN()
	}
	slices.Sort(xs)
	if n := len(xs); n%2 == 0 {
		return (xs[n/2-1] + xs[n/2]) / 2
	}
	return xs[len(xs)/2]
}

// known returns a copy without what could not be measured.
func known(xs []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(xs), math.IsNaN)
}

// ratios divides round by round: only what was measured in one round is
// comparable.
func ratios(over, under []float64) []float64 {
	rs := make([]float64, min(len(over), len(under)))
	for i := range rs {
		rs[i] = over[i] / under[i]
	}
	return rs
}

// spread shows the median, and in brackets the least and the greatest.
func spread(xs []float64) string { return spreadIn("", xs) }

// spreadIn is spread with a unit behind the median.
func spreadIn(unit string, xs []float64) string {
	xs = known(xs)
	switch len(xs) {
	case 0:
		return unknown
	case 1:
		return number(xs[0]) + unit
	}
	return fmt.Sprintf("%s%s (%s to %s)", number(median(xs)), unit, number(slices.Min(xs)), number(slices.Max(xs)))
}

// number shows three significant digits, and all of a large one.
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return unknown
	case x == 0 || math.Abs(x) >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(x))))
	text := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
