// Package entity reads what a repository must know of an entity type from its
// struct: the fields, the key and the markers. It knows the tags of GORM and
// BSON by their text, so that the backends agree without importing each other.
package entity
