package main

import (
	"context"
	"fmt"
)

// servers says where the servers of a run are. Child processes get it as JSON.
type servers struct {
	Etcd  []string
	Redis string // empty: there is none
}

// peer is one kind of lock, used as its own documentation advises.
type peer struct {
	name   string
	usage  string // what a reader must know about how it was used
	prefix string // what its keys in etcd begin with; empty for Redis
	join   func(ctx context.Context, s servers) (member, error)
}

// member is what one process has of a lock: its client, and whatever its
// goroutines share.
type member interface {
	// taker returns what one goroutine takes locks with. It is called by one
	// goroutine at a time.
	taker(ctx context.Context) (taker, error)
	// traffic counts what the member sends to etcd. Nil for Redis.
	traffic() *traffic
	close(ctx context.Context) error
}

// taker takes one lock at a time.
type taker interface {
	lock(ctx context.Context, name string) error
	unlock(ctx context.Context) error
	// try reports whether it got the lock, without waiting for it.
	try(ctx context.Context, name string) (bool, error)
}

const (
	ours      = "etcdlock"
	mutex     = "concurrency.Mutex"
	v3lock    = "v3lock"
	redsynced = "redsync"
	redislock = "redislock"

	// ttl is the lease of every lock, in seconds.
	ttl = 10
)

// peers returns all that can be measured with the servers, ours first.
func peers(s servers) []peer {
	ps := []peer{
		{ours, "one `Locker` in each process, default options", "holdfast/", joinOurs},
		{mutex, "one client in each process, one session for each goroutine", mutexPrefix, joinMutex},
		{v3lock, "etcd's lock service; one client in each process, one lease kept alive for each goroutine", v3lockPrefix, joinV3lock},
	}
	if s.Redis == "" {
		return ps
	}
	return append(ps,
		peer{redsynced, "one Redis server, default delay of 50 to 250 ms between tries", "", joinRedsync},
		peer{redislock, fmt.Sprintf("one Redis server, tries again every %v", redisRetry), "", joinRedislock},
	)
}

func peerNamed(s servers, name string) (peer, error) {
	for _, p := range peers(s) {
		if p.name == name {
			return p, nil
		}
	}
	return peer{}, fmt.Errorf("no peer %q", name)
}

// onEtcd returns the peers that live in etcd.
func onEtcd(ps []peer) []peer {
	var some []peer
	for _, p := range ps {
		if p.prefix != "" {
			some = append(some, p)
		}
	}
	return some
}
