// Package values compares and converts the values of fields in Go as the databases do in
// theirs: for the store in memory, for groups, and for projections.
//
//	a, ok := values.Plain(field) // behind pointers and sql.Null
//	if n, ordered := values.Compare(a, b); ordered && n < 0 {
//		// a is first
//	}
package values
