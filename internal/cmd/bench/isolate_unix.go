//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// isolate keeps the terminal's interrupt from a child, which is to go on until
// this process has closed its locks.
func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
