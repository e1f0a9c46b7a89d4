package child

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
)

// Process is a child as its parent sees it. What it prints as errors goes where
// the parent's do.
type Process struct {
	Cmd *exec.Cmd
	In  io.WriteCloser // what the child reads
	Out io.Reader      // what it prints; all of it is read before Cmd.Wait
}

// Start starts a child. It is not bound to ctx: a parent that was interrupted
// closes first what it has on the child, and then ends it.
func Start(ctx context.Context, role string, job any) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	isolate(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{cmd, in, out}, nil
}

// End lets the child come to its end, and waits for it.
func (p *Process) End() error {
	return errors.Join(p.In.Close(), p.Cmd.Wait())
}
