package etcdlock

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// watches counts what is being watched in queues.
type watches struct {
	clientv3.Watcher
	open  atomic.Int64
	whole atomic.Int64 // those of the open ones that are of a whole queue
	all   atomic.Int64
}

func (w *watches) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	if len(key) < len(session.Prefix) || key[:len(session.Prefix)] != session.Prefix {
		w.all.Add(1)
		w.open.Add(1)
		whole := int64(0)
		if strings.HasSuffix(key, "/") {
			whole = 1
		}
		w.whole.Add(whole)
		context.AfterFunc(ctx, func() {
			w.whole.Add(-whole)
			w.open.Add(-1)
		})
	}
	return w.Watcher.Watch(ctx, key, opts...)
}

// However a process parts with a name, it watches its queue no longer.
func TestWatches_End(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(t *testing.T, l, other *Locker, w *watches){
		"Waited": func(t *testing.T, l, other *Locker, _ *watches) {
			t.Helper()
			held := lockNow(t, other, "n")
			next := make(chan *Lock)
			go func() { next <- lockNow(t, l, "n") }()
			inLine(t, l, "n", 1)
			unlockNow(t, held)
			unlockNow(t, <-next)
			unlockNow(t, lockNow(t, other, "n")) // it may linger
		},
		"GivenUp": func(t *testing.T, l, other *Locker, w *watches) {
			t.Helper()
			held := lockNow(t, other, "n")
			ctx, cancel := context.WithCancel(t.Context())
			next := make(chan error)
			go func() {
				_, err := l.Lock(ctx, "n")
				next <- err
			}()
			eventually(t, "the watch", func() bool { return w.whole.Load() > 0 })
			cancel()
			if err := <-next; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			unlockNow(t, held)
		},
		"Lingered": func(t *testing.T, l, other *Locker, _ *watches) {
			t.Helper()
			unlockNow(t, lockNow(t, l, "n"))
			unlockNow(t, lockNow(t, other, "n"))
		},
		"UsedAgain": func(t *testing.T, l, other *Locker, _ *watches) {
			t.Helper()
			for range 3 {
				unlockNow(t, lockNow(t, l, "n"))
			}
			unlockNow(t, lockNow(t, other, "n"))
		},
		"HeldForLong": func(t *testing.T, l, _ *Locker, w *watches) {
			t.Helper()
			k := lockNow(t, l, "n")
			eventually(t, "the watch", func() bool { return w.whole.Load() > 0 })
			l.cohorts.Linger = 0
			unlockNow(t, k)
		},
		"Lost": func(t *testing.T, l, _ *Locker, w *watches) {
			t.Helper()
			k := lockNow(t, l, "n")
			eventually(t, "the watch", func() bool { return w.whole.Load() > 0 })
			if _, err := clientOf(l).Delete(t.Context(), k.held.parts[0].turn.Node.Member().Key); err != nil {
				t.Fatal(err)
			}
			<-k.Context().Done()
			_ = k.Unlock(t.Context()) // lost
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			w := &watches{}
			l := lockerOn(t, srv, &Options{Linger: time.Hour}, nil, func(cli *clientv3.Client) {
				w.Watcher, cli.Watcher = cli.Watcher, w
			})
			other := lockerOn(t, srv, &Options{Linger: NoLinger}, nil, nil)
			use(t, l, other, w)
			awaitQueue(t, srv, "n", 0)
			eventually(t, "the end of the watches", func() bool { return w.open.Load() == 0 })
			if w.all.Load() == 0 {
				t.Error("nothing was watched: the test proves nothing")
			}
		})
	}
}
