// Package secret hides secrets in the texts of errors.
package secret
