// Package query holds what the options of Find say, for package repo that offers
// them and package driver that checks them for backends.
package query
