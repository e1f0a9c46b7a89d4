package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

// The etcd of a run elects a leader within half a second, so that a lease can
// be as short as the one second of the weakest design.
const (
	heartbeat = 50 * time.Millisecond
	election  = 500 * time.Millisecond
)

type etcdJob struct{ Member devserver.EtcdMember }

// serveEtcd ends without stopping the member, which ends with the process.
func serveEtcd(ctx context.Context, job etcdJob, in io.Reader, out io.Writer) error {
	if _, err := devserver.StartEtcdMember(ctx, job.Member); err != nil {
		return err
	}
	return child.Serve(job.Member.Endpoints(), in, out)
}

type mongoJob struct{ Dir string }

func serveMongo(ctx context.Context, job mongoJob, in io.Reader, out io.Writer) error {
	m, err := devserver.StartMongo(ctx, job.Dir, nil)
	if err != nil {
		return err
	}
	return child.Serve(m.MongoURI(), in, out)
}

// cluster is an etcd whose members are processes.
type cluster struct {
	jobs      []etcdJob
	members   []*process
	endpoints []string
	cli       *clientv3.Client // without proxies
}

// startCluster tries again with other ports when some process took one of them.
func startCluster(ctx context.Context, dir string, members int) (c *cluster, err error) {
	for range 3 {
		if c, err = tryCluster(ctx, dir, members); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("starting etcd with %d: %w", members, err)
}

func tryCluster(ctx context.Context, dir string, members int) (_ *cluster, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if dir, err = os.MkdirTemp(dir, "etcd-"); err != nil {
		return nil, err
	}
	ports, err := devserver.FreePorts(3 * members)
	if err != nil {
		return nil, err
	}
	c := &cluster{members: make([]*process, members)}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	names := make([]string, members)
	for i := range names {
		names[i] = fmt.Sprintf("m%d", i)
	}
	all := make([]int, members)
	for i := range names {
		all[i] = i
		c.jobs = append(c.jobs, etcdJob{devserver.EtcdMember{
			Names: names, Index: i, Ports: ports, Dir: dir, Heartbeat: heartbeat, Election: election, UnsafeNoFsync: true,
		}})
	}
	c.endpoints = c.jobs[0].Member.Endpoints()
	if err := c.start(ctx, all...); err != nil {
		return nil, err
	}
	c.cli, err = clientv3.New(clientv3.Config{
		Endpoints: c.endpoints, DialTimeout: 10 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second,
	})
	return c, err
}

// start runs members, all at the same time, and waits until they serve.
func (c *cluster) start(ctx context.Context, which ...int) error {
	failed := make(chan error)
	for _, i := range which {
		go func() {
			var endpoints []string
			p, err := awaitLine(ctx, etcdRole, c.jobs[i], &endpoints)
			if err == nil {
				c.members[i] = p
			}
			failed <- err
		}()
	}
	var first error
	for range which {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (c *cluster) close() {
	if c.cli != nil {
		_ = c.cli.Close()
	}
	for _, m := range c.members {
		if m != nil {
			m.kill()
		}
	}
}

// leader returns the number of the leading member that at least one other
// agrees on, if there are others, and the term.
func (c *cluster) leader(ctx context.Context) (member int, term uint64, err error) {
	for {
		ids, leaders := make([]uint64, len(c.members)), map[uint64]int{}
		for i, ep := range c.endpoints {
			asked, cancel := context.WithTimeout(ctx, time.Second)
			status, err := c.cli.Status(asked, ep)
			cancel()
			if err == nil && status.Leader != 0 {
				ids[i] = status.Header.MemberId
				leaders[status.Leader]++
				term = max(term, status.RaftTerm)
			}
		}
		for id, votes := range leaders {
			if i := slices.Index(ids, id); i >= 0 && votes > len(c.members)/2 {
				return i, term, nil
			}
		}
		if !wait(ctx, heartbeat) {
			return 0, 0, fmt.Errorf("etcd has no leader: %w", context.Cause(ctx))
		}
	}
}

// wait pauses for d and reports whether ctx is still going on.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// startMongo runs the stand-in for MongoDB in a process of its own.
func startMongo(ctx context.Context, dir string) (*process, string, error) {
	dir = filepath.Join(dir, "mongo")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, "", err
	}
	var uri string
	p, err := awaitLine(ctx, mongoRole, mongoJob{dir}, &uri)
	return p, uri, err
}

// queue reads all keys below a prefix.
func (c *cluster) queue(ctx context.Context, prefix string) (*clientv3.GetResponse, error) {
	return c.cli.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
}
