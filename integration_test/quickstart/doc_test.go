// Package quickstart_test runs the program of the README on servers that were given to it.
package quickstart_test
