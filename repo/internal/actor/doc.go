// Package actor carries who writes to the stores.
package actor
