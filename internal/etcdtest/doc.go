// Package etcdtest has what the tests of package etcdlock and of those below it share.
package etcdtest
