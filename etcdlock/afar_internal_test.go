package etcdlock

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
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
			e := behindAnother(t, l)
			before := e.pred
			s := kept(t, l)
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
			l.stations.mu.Unlock()
		})
	}
}

// What comes to be known when the station is gone keeps no watch.
func TestSucceeded_Forgotten(t *testing.T) {
	t.Parallel()
	l := lockerOn(t, newServer(t), nil, nil, nil)
	s := &station{l: l, name: "n", before: l.watchNeighbour("before"), successor: "behind"}
	s.succeeded("behind", &entry{lease: &session.Lease{}})
	if s.before != nil || s.successor != "" {
		t.Error("it has neighbours")
	}
}

// behindAnother returns an entry behind the key before-0.
func behindAnother(t *testing.T, l *Locker) *entry {
	t.Helper()
	if _, err := l.cli.Put(t.Context(), l.prefix("n")+"before-0", ""); err != nil {
		t.Fatal(err)
	}
	e, err := l.enterQueue(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// kept returns a station that stays although nothing goes on there.
func kept(t *testing.T, l *Locker) *station {
	t.Helper()
	l.stations.mu.Lock()
	defer l.stations.mu.Unlock()
	s := l.at("n")
	s.leaving++
	t.Cleanup(func() {
		l.stations.mu.Lock()
		defer l.stations.mu.Unlock()
		s.leaving--
		s.advance()
	})
	return s
}

// The lease that owned the name after the last exchange is expected behind the next.
func TestStation_ExpectedSuccessor(t *testing.T) {
	t.Parallel()
	s := kept(t, lockerOn(t, newServer(t), nil, nil, nil))
	if got := s.expectedSuccessor(); got != "" {
		t.Errorf("at first, %q is expected", got)
	}
	for _, c := range []struct{ owner, want string }{
		{"a", "a"}, {"b", "b"}, {"", ""}, {"a", "a"}, {"ee", ""}, // another library, and the process itself
	} {
		s.succeeded(c.owner, &entry{lease: &session.Lease{ID: 0xee}})
		if got := s.expectedSuccessor(); got != c.want {
			t.Errorf("once %q owned the name, %q is expected, want %q", c.owner, got, c.want)
		}
	}
}
