//go:build !unix

package main

import "errors"

// errNoSignals is for systems on which processes cannot be stopped.
var errNoSignals = errors.New("this system cannot stop a process and let it go on")

func (*process) pause() error { return errNoSignals }

func (*process) resume() error { return errNoSignals }

func checkSignals() error { return errNoSignals }
