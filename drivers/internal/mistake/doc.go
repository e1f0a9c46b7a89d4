// Package mistake collects what is wrong with a configuration. A mistake holds
// names and places, never a value, because any value may be a secret.
package mistake
