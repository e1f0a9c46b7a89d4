package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// EtcdMember says which member of which cluster [StartEtcdMember] runs. All
// members are given the same Names and Ports.
type EtcdMember struct {
	// Names of all members, in order, and which of them this is.
	Names []string
	Index int
	// Ports are three for each member, from [FreePorts]: for clients, for
	// peers, and for the member's own use.
	Ports []int
	// Dir is the folder of this member's data. It may hold data from before.
	Dir string
	// Heartbeat and Election are etcd's. The defaults, 0, mean its own: 100 ms
	// and a second. A lease lives at least one and a half times Election.
	Heartbeat, Election time.Duration
	// UnsafeNoFsync is as in [EtcdOptions].
	UnsafeNoFsync bool
	// Log is as in [EtcdOptions].
	Log io.Writer
}

// FreePorts returns n different loopback ports that were free a moment ago and
// are unlikely to be taken by an outgoing connection later.
func FreePorts(n int) ([]int, error) { return freePorts(n) }

// StartEtcdMember runs one member of a cluster whose others run elsewhere, so
// that each can be a process of its own, and be stopped or killed like one. It
// returns once the member serves, which takes a majority of them. ctx bounds
// the start only. On an error nothing keeps running.
func StartEtcdMember(ctx context.Context, c EtcdMember) (*Etcd, error) {
	m, err := c.member()
	if err != nil {
		return nil, fmt.Errorf("devserver: starting a member of etcd: %w", err)
	}
	e := &Etcd{members: []*member{m}}
	if err := startMembers(ctx, e.members); err != nil {
		stopMembers(e.members)
		return nil, fmt.Errorf("devserver: starting a member of etcd: %w", err)
	}
	return e, nil
}

// Endpoints returns the client URLs of all members.
func (c EtcdMember) Endpoints() []string {
	var eps []string
	for i := range c.Names {
		eps = append(eps, c.url(i, 0).String())
	}
	return eps
}

func (c EtcdMember) url(member, port int) *url.URL {
	u := loopbackURL(c.Ports[3*member+port])
	return &u
}

func (c EtcdMember) member() (*member, error) {
	if c.Index < 0 || c.Index >= len(c.Names) || len(c.Ports) != 3*len(c.Names) || c.Dir == "" {
		return nil, errors.New("the member does not fit its cluster, or has no folder")
	}
	var cluster []string
	for i, name := range c.Names {
		cluster = append(cluster, name+"="+c.url(i, 1).String())
	}
	return &member{
		name:       c.Names[c.Index],
		dir:        filepath.Join(c.Dir, c.Names[c.Index]),
		cluster:    strings.Join(cluster, ","),
		client:     *c.url(c.Index, 0),
		peer:       *c.url(c.Index, 1),
		peerListen: *c.url(c.Index, 2),
		log:        newLogger(c.Log),
		noFsync:    c.UnsafeNoFsync,
		heartbeat:  c.Heartbeat,
		election:   c.Election,
	}, nil
}
