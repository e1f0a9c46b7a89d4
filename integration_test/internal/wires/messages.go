package wires

import "bytes"

// IsCommit recognises the message that commits, on both servers.
func IsCommit(m []byte) bool {
	lower := bytes.ToLower(m)
	return bytes.Contains(lower, []byte("commit\x00")) || bytes.HasSuffix(lower, []byte("commit")) || bytes.Contains(lower, []byte("set autocommit = 1"))
}

// IsExecution recognises that PostgreSQL is told to execute a statement which it
// knows.
func IsExecution(m []byte) bool { return m[0] == 'B' }
