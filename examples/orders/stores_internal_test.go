package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/checkout"
)

// What a service has to change to get locked repositories, once it has a Locker.
func TestTheSwapIsAFewLines(t *testing.T) {
	t.Parallel()
	removed, added := swap(t)
	if n := max(len(removed), len(added)); n == 0 || n > 5 {
		t.Errorf("%d lines change, want 1 to 5:\n%s\n%s", n, strings.Join(removed, "\n"), strings.Join(added, "\n"))
	}
}

// swap compares the two variants of stores.go line by line.
func swap(t *testing.T) (removed, added []string) {
	t.Helper()
	lines := func(name string) []string { return strings.Split(string(checkout.Read(t, name)), "\n") }
	return difference(lines("examples/orders/testdata/plain/stores.go"), lines("examples/orders/stores.go"))
}

// difference returns the lines that are not in the longest common part.
func difference(before, after []string) (removed, added []string) {
	common := make([][]int, len(before)+1) // of what begins at i and j
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i, b := range slices.Backward(before) {
		for j, a := range slices.Backward(after) {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a == b {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(before) && j < len(after) {
		switch {
		case before[i] == after[j]:
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			removed = append(removed, "-"+before[i])
			i++
		default:
			added = append(added, "+"+after[j])
			j++
		}
	}
	for ; i < len(before); i++ {
		removed = append(removed, "-"+before[i])
	}
	for ; j < len(after); j++ {
		added = append(added, "+"+after[j])
	}
	return removed, added
}

func TestDifference(t *testing.T) {
	t.Parallel()
	removed, added := difference(strings.Split("a b c d", " "), strings.Split("a x c e f", " "))
	if strings.Join(removed, "") != "-b-d" || strings.Join(added, "") != "+x+e+f" {
		t.Errorf("%q, %q", removed, added)
	}
}

// The guide shows the swap as it is.
func TestTheGuideShowsTheSwap(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(string(checkout.Read(t, "docs/migrating-from-spring.md")), "\n```diff\n")
	block, _, _ := strings.Cut(rest, "\n```\n")
	shown := strings.Split(block, "\n")
	begins := func(sign string) []string {
		return slices.DeleteFunc(slices.Clone(shown), func(line string) bool { return !strings.HasPrefix(line, sign) })
	}
	removed, added := swap(t)
	if !slices.Equal(begins("-"), removed) || !slices.Equal(begins("+"), added) {
		t.Errorf("the guide shows\n%s\nand the difference is\n%s\n%s", block, strings.Join(removed, "\n"), strings.Join(added, "\n"))
	}
}
