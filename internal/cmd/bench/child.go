package main

import (
	"context"
	"io"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

const (
	serverRole    = "server"
	contenderRole = "contender"
	saverRole     = "saver"
)

// roles are what this program does in processes of their own.
func roles() map[string]child.Role {
	return map[string]child.Role{
		serverRole:    child.Doing(serve),
		contenderRole: child.Doing(contendAsChild),
		saverRole:     child.Doing(saveAsChild),
	}
}

// serverJob is an etcd that runs apart from what is measured, so that neither
// its memory nor its garbage collection gets into the figures.
type serverJob struct {
	Dir     string
	Members int
}

// serve returns without stopping the server, which ends with this process:
// its data is thrown away, and etcd's lock service, once its waiters were cut
// off, can keep a server from stopping at all.
func serve(ctx context.Context, job serverJob, in io.Reader, out io.Writer) error {
	srv, err := devserver.StartEtcd(ctx, job.Dir, &devserver.EtcdOptions{Members: job.Members})
	if err != nil {
		return err
	}
	return child.Serve(srv.Endpoints(), in, out)
}
