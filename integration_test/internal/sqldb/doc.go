// Package sqldb gives tests empty databases of each kind of SQL, and repositories of GORM on
// them.
package sqldb
