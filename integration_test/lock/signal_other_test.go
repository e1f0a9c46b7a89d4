//go:build !unix

package lock_test

import "os"

// Without signals a process can only be killed; its lease then runs out.
func interrupt(p *os.Process) error { return p.Kill() }
