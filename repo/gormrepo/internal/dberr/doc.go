// Package dberr reads what databases say in their errors. The drivers are not imported:
// those of PostgreSQL have a SQLSTATE, that of SQLite an extended code, and what that of
// MySQL has is read by reflection.
package dberr
