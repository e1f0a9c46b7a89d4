package session

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var errWatchEnded = errors.New("watch ended")

// Scope is what a watch is about, and what it is for.
type Scope struct {
	Key  string
	Opts []clientv3.OpOption
	// Lasting, if not nil, ends the context of the call, a child of Session.Watching, and
	// Read returns no error that another read could repair. It saves contexts, of which
	// very many watches would keep as many.
	Lasting *Leash
	// News takes note of changes and reports whether somebody must read. Nil
	// means always.
	News func([]*clientv3.Event) bool
	// Read finds out how things stand, and reports whether it has seen enough.
	// What it sees must be no older than the revision, or with 0 than the call.
	Read func(ctx context.Context, since int64) (bool, error)
}

// Watch calls Read whenever something may have happened to what v is about,
// until Read reports that it has seen enough, fails for good, or ctx ends.
//
// The watch starts from now, not at a revision: the server serves a watch
// that starts in the past only from its 100 ms catch-up loop. What happened
// before it stood is found by the read that follows its creation.
//
// The scope comes by pointer because a goroutine that waits here, of which there may be one for
// each name, then shrinks to a stack of 4 KiB instead of 8.
func (s *Session) Watch(ctx context.Context, v *Scope) error {
	var pace Backoff
	for {
		begun := time.Now()
		done, err := s.watchOnce(ctx, v)
		if err != nil && s.cli.Ctx().Err() != nil { // which the end of a watch does not say
			err = errClientClosed
		}
		if done || s.Final(err) {
			return err
		}
		if time.Since(begun) > time.Minute { // one that stood for long tells nothing of how the next will do
			pace = Backoff{}
		}
		// Compacted, cancelled, without a leader, or cut: read without the
		// watch, then watch again.
		if !pace.Wait(ctx) {
			return ctx.Err()
		}
		if done, err = v.Read(ctx, 0); done || s.Final(err) {
			return err
		}
	}
}

func (s *Session) watchOnce(ctx context.Context, v *Scope) (bool, error) {
	w := v.Lasting
	if w == nil {
		w = &Leash{}
		defer w.End()
	}
	events := s.ask(ctx, v, w)
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			if first {
				s.unasked(w, events)
			}
			return false, ctx.Err()
		case resp, open := <-events:
			if first {
				w.answered()
			}
			if done, err := v.hear(ctx, &resp, open); done || err != nil {
				return done, err
			}
		}
	}
}

// ask begins a watch.
func (s *Session) ask(ctx context.Context, v *Scope, w *Leash) clientv3.WatchChan {
	if v.Lasting == nil {
		// The watch gets the values of the session's context, not the caller's:
		// etcd's client opens a stream for each set of gRPC metadata it meets.
		ctx, w.Cancel = context.WithCancel(s.watching)
	}
	w.ask()
	return s.cli.Watch(ctx, v.Key, append(v.Opts, clientv3.WithCreatedNotify())...)
}

// unasked ends a watch that is not confirmed yet as soon as it is.
func (s *Session) unasked(w *Leash, events clientv3.WatchChan) {
	if !s.Spawn(func() { <-events; w.answered() }) {
		w.Cancel()
	}
}

// hear takes one message of the watch, or its end.
func (v *Scope) hear(ctx context.Context, resp *clientv3.WatchResponse, open bool) (done bool, err error) {
	switch {
	case ctx.Err() != nil: // nobody wants to know any more
		return false, ctx.Err()
	case !open:
		return false, errWatchEnded
	case resp.Err() != nil:
		return false, resp.Err()
	case !resp.Created && v.News != nil && !v.News(resp.Events): // that the watch stands is a reason to read what was before
		return false, nil
	default:
		return v.Read(ctx, resp.Header.Revision)
	}
}

// watchKey is Watch for the end of one key.
func (s *Session) watchKey(ctx context.Context, key string, read func(ctx context.Context, since int64) (bool, error)) error {
	return s.Watch(ctx, &Scope{Key: key, Opts: []clientv3.OpOption{clientv3.WithFilterPut()}, Read: read})
}

// AwaitGone returns nil once the key does not exist any more, or exists with
// another create revision than rev (0 means any). An error means that it is
// not known: ctx ended, or etcd refuses to tell.
func (s *Session) AwaitGone(ctx context.Context, key string, rev int64) error {
	return s.watchKey(ctx, key, func(ctx context.Context, _ int64) (bool, error) {
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
