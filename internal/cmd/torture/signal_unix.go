//go:build unix

package main

import "syscall"

// pause stops the process where it stands, as a long garbage collection, a
// suspended machine or a debugger would.
func (p *process) pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// resume lets it go on as if nothing had happened.
func (p *process) resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// checkSignals reports whether processes can be stopped.
func checkSignals() error { return nil }
