package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/holdfast-go/holdfast/internal/devserver"
)

const (
	// roleVariable makes this program be a part of a run instead of the whole.
	roleVariable  = "HOLDFAST_BENCH_ROLE"
	jobVariable   = "HOLDFAST_BENCH_JOB"
	serverRole    = "server"
	contenderRole = "contender"
)

// child is a process of this program in another role. It ends when its input
// does, so it never outlives this process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startChild(ctx context.Context, role string, job any) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	// Not bound to ctx: an interrupted run still closes what it has on the
	// server, and then has it stop properly.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	isolate(cmd)
	c := &child{cmd: cmd}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	return c, cmd.Start()
}

// end lets the child come to its end.
func (c *child) end() error {
	return errors.Join(c.in.Close(), c.cmd.Wait())
}

func runChild(ctx context.Context, role string, in io.Reader, out io.Writer) error {
	text := []byte(os.Getenv(jobVariable))
	lines := json.NewEncoder(out)
	switch role {
	case serverRole:
		var job serverJob
		if err := json.Unmarshal(text, &job); err != nil {
			return fmt.Errorf("reading the job: %w", err)
		}
		return serve(ctx, job, in, lines)
	case contenderRole:
		var c contest
		if err := json.Unmarshal(text, &c); err != nil {
			return fmt.Errorf("reading the job: %w", err)
		}
		return contendAsChild(ctx, c, in, lines)
	}
	return fmt.Errorf("%s is %q", roleVariable, role)
}

// serverJob is an etcd that runs apart from what is measured, so that neither
// its memory nor its garbage collection gets into the figures.
type serverJob struct {
	Dir     string
	Members int
}

// serve returns without stopping the server, which ends with this process:
// its data is thrown away, and etcd's lock service, once its waiters were cut
// off, can keep a server from stopping for ever.
func serve(ctx context.Context, job serverJob, in io.Reader, lines *json.Encoder) error {
	srv, err := devserver.StartEtcd(ctx, job.Dir, &devserver.EtcdOptions{Members: job.Members})
	if err != nil {
		return err
	}
	if err := lines.Encode(srv.Endpoints()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
