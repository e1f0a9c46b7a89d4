// Package shop is a small shop on the interfaces of package repo: customers, products
// and orders, and the HTTP handlers around them.
//
// It knows neither a database nor a lock. Package main gives it its [Stores], locked
// ones, and the tests give it stores in memory.
package shop
