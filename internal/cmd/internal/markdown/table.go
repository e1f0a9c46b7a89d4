package markdown

import (
	"fmt"
	"strings"
)

// Table returns a table with a line for its head and one for each row.
func Table(head []string, rows [][]string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, row := range rows {
		fmt.Fprintf(&s, "| %s |\n", strings.Join(row, " | "))
	}
	return s.String()
}
