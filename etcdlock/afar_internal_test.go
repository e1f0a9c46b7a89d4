package etcdlock

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// What the station has is for the bid under way: one that was called off changes
// none of it, and ends the watch that it made.
func TestAwaitAfar_CalledOff(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"Before": false, "Meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var began, ended atomic.Int64 // watches of whoever is before
			l := lockerOn(t, newServer(t), nil, func(_ context.Context, req any, serve func() error) error {
				if r, ok := req.(*pb.WatchRequest); ok {
					if r.GetCancelRequest() != nil {
						ended.Add(1)
					} else if strings.HasSuffix(string(r.GetCreateRequest().GetKey()), "before-") {
						began.Add(1)
					}
				}
				return serve()
			}, nil)
			before := l.prefix("n") + "before-0"
			if _, err := l.cli.Put(t.Context(), before, ""); err != nil {
				t.Fatal(err)
			}
			e, err := l.enterQueue(t.Context(), "n", true, nil)
			if err != nil {
				t.Fatal(err)
			}
			l.stations.mu.Lock()
			s := l.at("n")
			s.leaving++ // which keeps it
			l.stations.mu.Unlock()
			ctx, callOff := context.WithCancel(t.Context())
			if !begun {
				callOff()
			}
			done := make(chan error)
			go func() { done <- s.awaitAfar(ctx, e) }()
			if begun {
				eventually(t, "a watch", func() bool { return began.Load() == 1 })
			}
			n := l.watchNeighbour(before)
			l.stations.mu.Lock()
			s.before = n
			s.look()
			v := s.view
			l.stations.mu.Unlock()
			callOff()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if begun {
				eventually(t, "the end of its watch", func() bool { return ended.Load() > 0 })
			}
			l.stations.mu.Lock()
			if s.before != n || s.view != v {
				t.Error("it has changed what another bid has")
			}
			s.leaving--
			s.advance()
			l.stations.mu.Unlock()
		})
	}
}

// Who comes to stand near the head again looks at the whole queue, and needs no
// watch of its neighbours.
func TestSucceeded_Near(t *testing.T) {
	t.Parallel()
	l := lockerOn(t, newServer(t), nil, nil, nil)
	before, behind := l.watchNeighbour("before"), l.watchNeighbour("behind")
	l.stations.mu.Lock()
	s := l.at("n")
	s.leaving++ // which keeps it
	s.before, s.behind = before, behind
	l.stations.mu.Unlock()
	s.succeeded("behind", &entry{ahead: nearEnough + 1})
	l.stations.mu.Lock()
	if s.before != before || s.behind != behind {
		t.Error("far from the head, it has other neighbours")
	}
	l.stations.mu.Unlock()
	s.succeeded("behind", &entry{ahead: nearEnough})
	l.stations.mu.Lock()
	defer l.stations.mu.Unlock()
	if s.before != nil || s.behind != nil {
		t.Error("near the head, it has neighbours")
	}
	s.leaving--
	s.advance()
}

// Whoever stands behind is asked for now and then, and whenever the queue has
// become longer or shorter.
func TestStation_HeirIsAskedFor(t *testing.T) {
	t.Parallel()
	l := lockerOn(t, newServer(t), nil, nil, nil)
	behind := l.watchNeighbour("behind-0")
	behind.place.Store(&place{"behind-0", 7})
	l.stations.mu.Lock()
	s := l.at("n")
	s.leaving++ // which keeps it
	s.behind = behind
	l.stations.mu.Unlock()
	exchange := func(ahead int64) (sure bool) {
		t.Helper()
		of := s.heir(&entry{rev: 6})
		if of.key != "behind-0" || of.rev != 7 {
			t.Fatalf("the heir is %+v", of)
		}
		s.succeeded(of.key, &entry{ahead: ahead})
		return of.sure
	}
	for _, ahead := range []int64{9, 8, 9} { // the first, one fewer, one more
		if ahead != 9 {
			for range 5 {
				exchange(17 - ahead)
			}
		}
		exchange(ahead)
		if exchange(ahead) {
			t.Errorf("of %d ahead, as seen for the first time, it is sure", ahead)
		}
		for range 2 {
			for k := range trusted {
				if !exchange(ahead) {
					t.Errorf("%d exchanges after it has asked, it is not sure", k)
				}
			}
			if exchange(ahead) {
				t.Errorf("after %d exchanges it is still sure", trusted)
			}
		}
	}
	if of := s.heir(&entry{rev: 7}); of != (heir{}) {
		t.Errorf("the heir is %+v, which came before", of)
	}
	l.stations.mu.Lock()
	defer l.stations.mu.Unlock()
	s.leaving--
	s.advance()
}
