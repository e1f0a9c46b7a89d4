package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
)

const (
	etcdRole   = "etcd"
	mongoRole  = "mongo"
	workerRole = "worker"
	// programRole runs a program of this machine.
	programRole = "program"
)

// roles are what this program does in processes of their own.
func roles() map[string]child.Role {
	return map[string]child.Role{etcdRole: child.Doing(serveEtcd), mongoRole: child.Doing(serveMongo), workerRole: child.Doing(work), programRole: child.Doing(serveProgram)}
}

// process is a child that is heard all the time, and that comes to harm.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended and its last line was read

	mu sync.Mutex
	in io.WriteCloser
}

// startProcess starts a role with a job and calls line for each line that it
// prints, one after the other, until it ends.
func startProcess(ctx context.Context, role string, job any, line func([]byte)) (*process, error) {
	c, err := child.Start(ctx, role, job)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: c.Cmd, in: c.In, gone: make(chan struct{})}
	go func() {
		defer close(p.gone)
		lines := bufio.NewScanner(c.Out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			line(lines.Bytes())
		}
		_, _ = io.Copy(io.Discard, c.Out) // a line that was too long must not block it
		_ = c.Cmd.Wait()
	}()
	return p, nil
}

// send writes one line of JSON. A process that has gone gets nothing.
func (p *process) send(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = p.in.Write(append(text, '\n'))
	return err
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// end closes the input and waits until the process is gone; when ctx is over
// before, it is killed.
func (p *process) end(ctx context.Context) error {
	p.mu.Lock()
	_ = p.in.Close()
	p.mu.Unlock()
	select {
	case <-p.gone:
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("process %d did not end: %w", p.pid(), context.Cause(ctx))
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("process %d: %s", p.pid(), p.cmd.ProcessState)
	}
	return nil
}

// kill ends the process at once, stopped or not.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// awaitLine starts a process and waits for its first line.
func awaitLine(ctx context.Context, role string, job, first any) (*process, error) {
	ready := make(chan error, 1)
	seen := false
	p, err := startProcess(ctx, role, job, func(line []byte) {
		if !seen {
			seen = true
			ready <- json.Unmarshal(line, first)
		}
	})
	if err != nil {
		return nil, err
	}
	select {
	case err = <-ready:
	case <-p.gone:
		err = fmt.Errorf("the %s process ended while it started: %s", role, p.cmd.ProcessState)
	case <-ctx.Done():
		err = fmt.Errorf("the %s process does not get ready: %w", role, context.Cause(ctx))
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// lines writes values as lines of JSON, whole even when several goroutines do.
type lines struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *lines) write(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.out.Write(append(text, '\n'))
	return err
}
