package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/samber/lo"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
)

// bench is a run on one etcd cluster.
type bench struct {
	config
	servers
	report   *report
	progress *progress
	members  int  // of the cluster
	first    bool // what does not depend on the cluster is measured on the first one only
}

// work is one thing that is measured.
type work struct {
	name string
	once bool // it is not measured again on the next cluster
	run  func(b *bench, ctx context.Context) error
}

func works() []work {
	return []work{
		{"group", true, (*bench).group}, // what most readers look for
		{"mongo", true, (*bench).mongo},
		{"bulk", true, (*bench).bulk},
		{"import", true, (*bench).imports},
		{"handover", false, (*bench).handover},
		{"local", false, (*bench).local},
		{"uncontended", false, (*bench).uncontended},
		{"seed", false, (*bench).seed},
		{"relock", true, (*bench).relock},
		{"trylock", true, (*bench).trylock},
		{"names", true, (*bench).names},
		{"fence", true, (*bench).fence},
		{"snapshot", true, (*bench).snapshot},
	}
}

// onCluster starts a cluster, does all the works on it and stops it.
func (b *bench) onCluster(ctx context.Context, dir string) (err error) {
	srv, err := child.Start(ctx, serverRole, serverJob{Dir: filepath.Join(dir, fmt.Sprint("members-", b.members)), Members: b.members})
	if err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	defer func() { err = errors.Join(err, srv.End()) }()
	if err := json.NewDecoder(srv.Out).Decode(&b.Etcd); err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	for _, w := range b.planned() {
		began := time.Now()
		if err := w.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		b.progress.finish(fmt.Sprintf("%s%s took %.0f s", b.cluster(), w.name, time.Since(began).Seconds()))
	}
	return nil
}

// planned are the works on this cluster.
func (b *bench) planned() []work {
	return lo.Filter(works(), func(w work, _ int) bool {
		return (b.only == "" || b.only == w.name) && (b.first || !w.once)
	})
}

func (b *bench) say(format string, args ...any) {
	b.progress.step(b.cluster() + fmt.Sprintf(format, args...))
}

func (b *bench) cluster() string { return fmt.Sprintf("[etcd with %s] ", plural(b.members, "member")) }

// peers leaves Redis out on the second cluster: it is the same Redis.
func (b *bench) peers() []peer {
	all := peers(b.servers)
	if b.brief {
		return all[:2] // ours and concurrency.Mutex
	}
	if !b.first {
		return onEtcd(all)
	}
	return all
}

// each calls f for all of items, in every round beginning with another one, so
// that no peer is always measured after the same one.
func each[T any](items []T, round int, f func(i int, item T) error) error {
	for k := range items {
		i := (k + round) % len(items)
		if err := f(i, items[i]); err != nil {
			return err
		}
	}
	return nil
}

// warmUp begins the names that are taken before anything is measured.
const warmUp = "warm-up"

// joined is a member with one taker, ready to lock.
type joined struct {
	peer
	member
	taker
	at int // place in the list of peers
}

// joinAll makes one of each peer, warm. The function returned closes them.
func joinAll(ctx context.Context, s servers, ps []peer) (js []joined, closeAll func() error, err error) {
	closeAll = func() error {
		var errs []error
		for _, j := range js {
			errs = append(errs, closeMember(ctx, j.member))
		}
		return errors.Join(errs...)
	}
	for i, p := range ps {
		m, t, err := joinPeer(ctx, s, p)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("%s: %w", p.name, err), closeAll())
		}
		js = append(js, joined{p, m, t, i})
	}
	return js, closeAll, nil
}

func joinPeer(ctx context.Context, s servers, p peer) (member, taker, error) {
	m, err := p.join(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	t, err := m.taker(ctx)
	if err == nil {
		err = cycle(ctx, t, uniqueName(warmUp))
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeMember(ctx, m))
	}
	return m, t, nil
}

// closeMember works when the run was interrupted, too: a lease left behind
// would change the figures of nobody, but a goroutine may.
func closeMember(ctx context.Context, m member) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return m.close(ctx)
}

// cycle takes a lock and gives it back.
func cycle(ctx context.Context, t taker, name string) error {
	if err := t.lock(ctx, name); err != nil {
		return err
	}
	return t.unlock(ctx)
}

// repeat calls f, at least once, until the window is over, and returns the
// time that each call took on average.
func repeat(ctx context.Context, window time.Duration, f func() error) (time.Duration, error) {
	began := time.Now()
	for calls := time.Duration(1); ; calls++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := f(); err != nil {
			return 0, err
		}
		if d := time.Since(began); d >= window {
			return d / calls, nil
		}
	}
}

// poll calls f until it is true.
func poll(ctx context.Context, f func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := f(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitGone waits until no key begins with prefix: a lock may be given back in
// the background, some time after Unlock.
func awaitGone(ctx context.Context, cli *clientv3.Client, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		resp, err := cli.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		return err == nil && resp.Count == 0, err
	})
	if err != nil {
		return fmt.Errorf("waiting until nothing is left under %s: %w", prefix, err)
	}
	return nil
}

func revision(ctx context.Context, cli *clientv3.Client) (int64, error) {
	resp, err := cli.Get(ctx, "no such key")
	if err != nil {
		return 0, err
	}
	return resp.Header.Revision, nil
}

func uniqueName(what string) string {
	return what + "-" + strings.ToLower(rand.Text()[:10])
}
