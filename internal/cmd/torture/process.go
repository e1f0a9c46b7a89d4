package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

const (
	// roleVariable makes this program be a part of a run instead of the whole.
	roleVariable = "HOLDFAST_TORTURE_ROLE"
	jobVariable  = "HOLDFAST_TORTURE_JOB"
	etcdRole     = "etcd"
	mongoRole    = "mongo"
	workerRole   = "worker"
)

// process is this program in another role. It ends when its input does, so it
// never outlives the run.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended and its last line was read

	mu sync.Mutex
	in io.WriteCloser
}

// startProcess starts a role with a job and calls line for each line that it
// prints, one after the other, until it ends.
func startProcess(ctx context.Context, role string, job any, line func([]byte)) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	// Not bound to ctx: an interrupted run ends its processes in its own order.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	isolate(cmd)
	p := &process{cmd: cmd, gone: make(chan struct{})}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.gone)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			line(lines.Bytes())
		}
		_, _ = io.Copy(io.Discard, out) // a line that was too long must not block it
		_ = cmd.Wait()
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

// runRole is what a process does instead of main.
func runRole(ctx context.Context, role string, in io.Reader, out io.Writer) error {
	text := []byte(os.Getenv(jobVariable))
	switch role {
	case etcdRole:
		return runWith(text, func(job etcdJob) error { return serveEtcd(ctx, job, in, out) })
	case mongoRole:
		return runWith(text, func(job mongoJob) error { return serveMongo(ctx, job, in, out) })
	case workerRole:
		return runWith(text, func(job workerJob) error { return work(ctx, job, in, out) })
	}
	return fmt.Errorf("%s is %q", roleVariable, role)
}

func runWith[J any](text []byte, do func(J) error) error {
	var job J
	if err := json.Unmarshal(text, &job); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	return do(job)
}

// untilClosed reads in until its end, which is when a server of a run ends.
func untilClosed(in io.Reader) error {
	_, err := io.Copy(io.Discard, in)
	return err
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
