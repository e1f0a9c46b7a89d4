package main

import (
	"bytes"
	"math"
	"strconv"

	chart "github.com/go-analyze/charts/chartdraw"
)

// line is one peer in a plot; y has a figure for every place on the x axis.
type line struct {
	name string
	y    []float64
}

// plot draws lines over sizes as an SVG. The y axis is logarithmic, since the
// peers lie far apart; the logarithm is taken here, because the range of the
// library that does so begins at 1.
func plot(title, xName string, sizes []int, lines []line) ([]byte, error) {
	low, high := math.Inf(1), math.Inf(-1)
	c := chart.Chart{
		Title: title, Width: 860, Height: 460,
		Background: chart.Style{Padding: chart.NewBox(50, 200, 20, 20)},
		XAxis:      chart.XAxis{Name: xName},
		// Shown by default, with nothing on it.
		YAxisSecondary: chart.YAxis{Style: chart.Hidden()},
	}
	for i, n := range sizes {
		c.XAxis.Ticks = append(c.XAxis.Ticks, chart.Tick{Value: float64(i), Label: strconv.Itoa(n)})
	}
	for i, l := range lines {
		s := chart.ContinuousSeries{Name: l.name, Style: chart.Style{
			StrokeColor: chart.GetDefaultColor(i), StrokeWidth: 2.5, DotColor: chart.GetDefaultColor(i), DotWidth: 3,
		}}
		for x, y := range l.y {
			if math.IsNaN(y) || y <= 0 {
				continue
			}
			s.XValues = append(s.XValues, float64(x))
			s.YValues = append(s.YValues, math.Log10(y))
			low, high = min(low, math.Log10(y)), max(high, math.Log10(y))
		}
		if len(s.XValues) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	if len(c.Series) == 0 {
		low, high = 0, 1
		c.Series = append(c.Series, chart.ContinuousSeries{XValues: []float64{0, 1}, YValues: []float64{0, 0}})
	}
	low, high = math.Floor(low), max(math.Ceil(high), math.Floor(low)+1)
	c.YAxis.Range = &chart.ContinuousRange{Min: low, Max: high}
	c.YAxis.GridMajorStyle = chart.Style{StrokeColor: chart.GetDefaultColor(0).WithAlpha(40), StrokeWidth: 1}
	for e := low; e <= high; e++ {
		c.YAxis.Ticks = append(c.YAxis.Ticks, chart.Tick{Value: e, Label: number(math.Pow(10, e))})
	}
	c.Elements = []chart.Renderable{chart.LegendLeft(&c)}
	var svg bytes.Buffer
	err := c.Render(chart.SVG, &svg)
	return svg.Bytes(), err
}

// bars draws at least one ratio, each with its name below it.
func bars(title string, names []string, ratios []float64) ([]byte, error) {
	c := chart.BarChart{
		Title: title, Width: 860, Height: 460, BarWidth: 50, BarSpacing: 45,
		Background: chart.Style{Padding: chart.NewBox(50, 20, 20, 60)},
	}
	high := 1.0
	for i, y := range ratios {
		label := names[i] + " " + number(y) + "x"
		if math.IsNaN(y) {
			y, label = 0, names[i]
		}
		high = max(high, y)
		// The two bars of a store have one color.
		color := chart.GetDefaultColor(i / 2)
		c.Bars = append(c.Bars, chart.Value{Value: y, Label: label, Style: chart.Style{FillColor: color, StrokeColor: color}})
	}
	step := 0.5
	if high > 5 {
		step = math.Ceil(high / 10)
	}
	high = math.Ceil(high/step) * step
	c.YAxis.Range = &chart.ContinuousRange{Min: 0, Max: high}
	c.YAxis.GridMajorStyle = chart.Style{StrokeColor: chart.GetDefaultColor(0).WithAlpha(40), StrokeWidth: 1}
	c.YAxis.GridMinorStyle = c.YAxis.GridMajorStyle // every other line, to the library
	for y := 0.0; y <= high; y += step {
		c.YAxis.Ticks = append(c.YAxis.Ticks, chart.Tick{Value: y, Label: number(y) + "x"})
	}
	var svg bytes.Buffer
	err := c.Render(chart.SVG, &svg)
	return svg.Bytes(), err
}
