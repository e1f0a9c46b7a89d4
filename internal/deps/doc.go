// Package deps keeps modules in go.mod until the packages that need them exist.
package deps
