// Package yamltree reads YAML into trees of nodes, and says what is wrong without
// quoting the file.
package yamltree
