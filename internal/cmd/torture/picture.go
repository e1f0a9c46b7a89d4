package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// The sizes of the picture, in pixels.
const (
	labelWidth = 210
	cellWidth  = 108
	cellHeight = 26
	headHeight = 60
	fontSize   = 12
)

// The colours: nothing lost, something lost, something wrong, not run.
const (
	green = "#2da44e"
	red   = "#cf222e"
	amber = "#bf8700"
	grey  = "#eaeef2"
)

// picture draws the table: how much each design lost under each fault.
func (s *summary) picture() []byte {
	columns, rows, cells := s.table()
	width, height := labelWidth+cellWidth*len(columns)+10, headHeight+cellHeight*len(rows)+10
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="%d">`+"\n", width, height, width, height, fontSize)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for i, c := range columns {
		x := labelWidth + cellWidth*i + cellWidth/2
		// A title that is too long for one line breaks after its comma.
		first, second, _ := strings.Cut(c.design, ", ")
		if c.design == holdfast {
			second = storeTitles[c.store]
		}
		write := func(y int, s string) {
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" font-size="11">%s</text>`+"\n", x, y, escaped(s))
		}
		write(28, first)
		write(44, second)
	}
	for j, f := range rows {
		y := headHeight + cellHeight*j
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-10, y+17, escaped(f))
		for i, c := range columns {
			x := labelWidth + cellWidth*i
			fill, text := square(cells[f][c])
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" rx="3" fill="%s"/>`+"\n", x+2, y+2, cellWidth-4, cellHeight-4, fill)
			if text != "" {
				fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="white">%s</text>`+"\n", x+cellWidth/2, y+17, escaped(text))
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// square is the colour and the text of a cell.
func square(r *result) (fill, text string) {
	switch {
	case r == nil:
		return grey, ""
	case r.Lost > 0:
		return red, fmt.Sprintf("%d of %d lost", r.Lost, r.Acked)
	case r.Ghosts > 0:
		return red, fmt.Sprintf("%d ghosts", r.Ghosts)
	case r.wrong() != "":
		return amber, fmt.Sprintf("0 of %d lost", r.Acked)
	default:
		return green, fmt.Sprintf("0 of %d lost", r.Acked)
	}
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}
