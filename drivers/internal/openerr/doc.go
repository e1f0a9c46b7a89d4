// Package openerr tells why a connection could not be opened: because the other
// side was not reached, or because one of the two did not accept the other.
package openerr
