//go:build !race

package fencesim_test

const raced = false
