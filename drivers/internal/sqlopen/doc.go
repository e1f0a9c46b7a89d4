// Package sqlopen is what the packages that open SQL databases share.
package sqlopen
