// Package inmemory has the repositories in memory that those of databases are compared with.
package inmemory
