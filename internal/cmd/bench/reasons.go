package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/samber/lo"
)

// missedReasons tells why goals are missed, each in a sentence without its full stop.
// It is shown only where a run has missed the goal.
func missedReasons() map[goalName]string {
	return map[goalName]string{}
}

// missed lists what was measured and missed, each goal with its reason. What several
// clusters missed is listed once.
func (r *report) missed() string {
	names := lo.Filter(r.names(), func(_ goalName, i int) bool {
		g := r.goals[i]
		return len(known(g.got)) > 0 && !g.met()
	})
	if len(names) == 0 {
		return ""
	}
	var s strings.Builder
	s.WriteString("\n### What is missed, and why\n\n")
	for _, n := range lo.Uniq(names) {
		fmt.Fprintf(&s, "- %s: %s.\n", n, cmp.Or(missedReasons()[n], "no reason is known"))
	}
	return s.String()
}
