// Package sqltext writes parts of SQL statements as each dialect has them.
package sqltext
