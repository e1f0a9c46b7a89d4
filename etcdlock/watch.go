package etcdlock

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var errWatchEnded = errors.New("watch ended")

// sight is what a watch looks at, and for.
type sight struct {
	key  string
	opts []clientv3.OpOption
	// lasting, if not nil, ends the context of the call, a child of Locker.watching, and
	// look returns no error that another look could repair. It saves contexts, of which
	// very many watches would keep as many.
	lasting *leash
	// news takes note of changes and reports whether somebody must look. Nil
	// means always.
	news func([]*clientv3.Event) bool
	// look finds out how things stand, and reports whether it has seen enough.
	// What it sees must be no older than the revision, or with 0 than the call.
	look func(ctx context.Context, since int64) (bool, error)
}

// follow calls look whenever something may have happened to what v is about,
// until look reports that it has seen enough, fails for good, or ctx ends.
//
// The watch starts from now, not at a revision: the server serves a watch
// that starts in the past only from its 100 ms catch-up loop. What happened
// before it stood is found by the look that follows its creation.
func (l *Locker) follow(ctx context.Context, v sight) error {
	var pace backoff
	for {
		begun := time.Now()
		done, err := l.followOnce(ctx, v)
		if done || l.final(err) {
			return err
		}
		if time.Since(begun) > time.Minute { // one that stood for long tells nothing of how the next will do
			pace = backoff{}
		}
		// Compacted, cancelled, without a leader, or cut: look without the
		// watch, then watch again.
		if !pace.wait(ctx) {
			return ctx.Err()
		}
		if done, err = v.look(ctx, 0); done || l.final(err) {
			return err
		}
	}
}

func (l *Locker) followOnce(ctx context.Context, v sight) (bool, error) {
	// The watch gets the values of the Locker's context, not the caller's:
	// etcd's client opens a stream for each set of gRPC metadata it meets.
	wctx, w := ctx, v.lasting
	if w == nil {
		w = &leash{}
		wctx, w.cancel = context.WithCancel(l.watching)
		defer w.end()
	}
	w.ask()
	events := l.cli.Watch(wctx, v.key, append(v.opts, clientv3.WithCreatedNotify())...)
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			if first && !l.spawn(func() { <-events; w.answered() }) {
				w.cancel()
			}
			return false, ctx.Err()
		case resp, open := <-events:
			if first {
				w.answered()
			}
			if ctx.Err() != nil { // nobody wants to know any more
				return false, ctx.Err()
			}
			if !open {
				return false, errWatchEnded
			}
			if err := resp.Err(); err != nil {
				return false, err
			}
			// That the watch stands is a reason to look for what was before.
			if !resp.Created && v.news != nil && !v.news(resp.Events) {
				continue
			}
			if done, err := v.look(ctx, resp.Header.Revision); done || err != nil {
				return done, err
			}
		}
	}
}

// followKey is follow for the end of one key.
func (l *Locker) followKey(ctx context.Context, key string, look func(ctx context.Context, since int64) (bool, error)) error {
	return l.follow(ctx, sight{key: key, opts: []clientv3.OpOption{clientv3.WithFilterPut()}, look: look})
}

// awaitGone returns nil once the key does not exist any more, or exists with
// another create revision than rev (0 means any). An error means that it is
// not known: ctx ended, or etcd refuses to tell.
func (l *Locker) awaitGone(ctx context.Context, key string, rev int64) error {
	return l.followKey(ctx, key, func(ctx context.Context, _ int64) (bool, error) {
		var resp *clientv3.GetResponse
		err := l.call(ctx, func(ctx context.Context) (err error) {
			resp, err = l.cli.Get(ctx, key, clientv3.WithKeysOnly())
			return err
		})
		if err != nil {
			return false, err
		}
		return len(resp.Kvs) == 0 || rev != 0 && resp.Kvs[0].CreateRevision != rev, nil
	})
}
