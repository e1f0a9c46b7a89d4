//go:build unix

package child

import (
	"os/exec"
	"syscall"
)

// isolate keeps the terminal's interrupt from a child.
func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
