package session

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var errWatchEnded = errors.New("watch ended")

// Sight is what a watch looks at, and for.
type Sight struct {
	Key  string
	Opts []clientv3.OpOption
	// Lasting, if not nil, ends the context of the call, a child of Session.Watching, and
	// Look returns no error that another look could repair. It saves contexts, of which
	// very many watches would keep as many.
	Lasting *Leash
	// News takes note of changes and reports whether somebody must look. Nil
	// means always.
	News func([]*clientv3.Event) bool
	// Look finds out how things stand, and reports whether it has seen enough.
	// What it sees must be no older than the revision, or with 0 than the call.
	Look func(ctx context.Context, since int64) (bool, error)
}

// Follow calls look whenever something may have happened to what v is about,
// until look reports that it has seen enough, fails for good, or ctx ends.
//
// The watch starts from now, not at a revision: the server serves a watch
// that starts in the past only from its 100 ms catch-up loop. What happened
// before it stood is found by the look that follows its creation.
func (s *Session) Follow(ctx context.Context, v Sight) error {
	var pace Backoff
	for {
		begun := time.Now()
		done, err := s.followOnce(ctx, v)
		if err != nil && s.cli.Ctx().Err() != nil { // which the end of a watch does not say
			err = errClientClosed
		}
		if done || s.Final(err) {
			return err
		}
		if time.Since(begun) > time.Minute { // one that stood for long tells nothing of how the next will do
			pace = Backoff{}
		}
		// Compacted, cancelled, without a leader, or cut: look without the
		// watch, then watch again.
		if !pace.Wait(ctx) {
			return ctx.Err()
		}
		if done, err = v.Look(ctx, 0); done || s.Final(err) {
			return err
		}
	}
}

func (s *Session) followOnce(ctx context.Context, v Sight) (bool, error) {
	// The watch gets the values of the session's context, not the caller's:
	// etcd's client opens a stream for each set of gRPC metadata it meets.
	wctx, w := ctx, v.Lasting
	if w == nil {
		w = &Leash{}
		wctx, w.Cancel = context.WithCancel(s.watching)
		defer w.End()
	}
	w.ask()
	events := s.cli.Watch(wctx, v.Key, append(v.Opts, clientv3.WithCreatedNotify())...)
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			if first && !s.Spawn(func() { <-events; w.answered() }) {
				w.Cancel()
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
			if !resp.Created && v.News != nil && !v.News(resp.Events) {
				continue
			}
			if done, err := v.Look(ctx, resp.Header.Revision); done || err != nil {
				return done, err
			}
		}
	}
}

// FollowKey is Follow for the end of one key.
func (s *Session) FollowKey(ctx context.Context, key string, look func(ctx context.Context, since int64) (bool, error)) error {
	return s.Follow(ctx, Sight{Key: key, Opts: []clientv3.OpOption{clientv3.WithFilterPut()}, Look: look})
}

// AwaitGone returns nil once the key does not exist any more, or exists with
// another create revision than rev (0 means any). An error means that it is
// not known: ctx ended, or etcd refuses to tell.
func (s *Session) AwaitGone(ctx context.Context, key string, rev int64) error {
	return s.FollowKey(ctx, key, func(ctx context.Context, _ int64) (bool, error) {
		var resp *clientv3.GetResponse
		err := s.Call(ctx, func(ctx context.Context) (err error) {
			resp, err = s.cli.Get(ctx, key, clientv3.WithKeysOnly())
			return err
		})
		if err != nil {
			return false, err
		}
		return len(resp.Kvs) == 0 || rev != 0 && resp.Kvs[0].CreateRevision != rev, nil
	})
}
