package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// barCells are the cells of the bar, and progressWidth is what a line has at most: a longer one
// could not be written over.
const (
	barCells      = 20
	progressWidth = 79
)

// progress tells how far a run is: on a terminal by one line that is written over, and
// elsewhere by a line for each step.
type progress struct {
	out      io.Writer
	terminal bool
	works    int  // of the whole run
	done     int  // of them
	open     bool // the line on the terminal has no end yet
}

func newProgress(out io.Writer, works int) *progress {
	p := &progress{out: out, works: works}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// step tells what is done now, for some time.
func (p *progress) step(text string) {
	text = fmt.Sprintf("work %d of %d, %s", p.done+1, p.works, text)
	if !p.terminal {
		fmt.Fprintln(p.out, text)
		return
	}
	cells := barCells * p.done / max(p.works, 1)
	line := []rune(fmt.Sprintf("%s%s %s", strings.Repeat("█", cells), strings.Repeat("░", barCells-cells), text))
	p.clear()
	fmt.Fprint(p.out, string(line[:min(len(line), progressWidth)]))
	p.open = true
}

// finish ends a work, with a line that stays.
func (p *progress) finish(text string) {
	p.clear()
	p.done++
	fmt.Fprintln(p.out, text)
}

// clear takes an open line away.
func (p *progress) clear() {
	if p.open {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.open = false
	}
}
