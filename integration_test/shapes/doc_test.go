// Package shapes_test saves and reads entities of types of all shapes by random operations, on
// each store, and compares with what was kept in memory. The tag allshapes adds more types.
package shapes_test
