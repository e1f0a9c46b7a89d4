// Package drivers_test tests that drivers opens connections as the documentation says, and
// what it says of those that it cannot open: TLS, logins, proxies, time zones, names.
package drivers_test
