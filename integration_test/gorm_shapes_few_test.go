//go:build !allshapes

package integration_test

func moreShapes() []shape { return nil }
