// Package fencing is what package lockedrepo needs of package etcdlock, and users do not: it
// is no part of the exported API. Users who enforce fencing tokens themselves have
// etcdlock.FencingToken. Package etcdlock provides the functions here when it is loaded.
package fencing
