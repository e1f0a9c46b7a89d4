//go:build !allshapes

package shapes_test

func moreShapes() []shape { return nil }
