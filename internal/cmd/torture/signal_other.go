//go:build !unix

package main

import (
	"errors"
	"os/exec"
)

// errNoSignals is for systems on which processes cannot be stopped.
var errNoSignals = errors.New("this system cannot stop a process and let it go on")

func isolate(*exec.Cmd) {}

func (*process) pause() error { return errNoSignals }

func (*process) resume() error { return errNoSignals }

func checkSignals() error { return errNoSignals }
