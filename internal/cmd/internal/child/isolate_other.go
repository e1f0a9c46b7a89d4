//go:build !unix

package child

import "os/exec"

// isolate does nothing here: a child takes no notice of an interrupt that
// reaches it.
func isolate(*exec.Cmd) {}
