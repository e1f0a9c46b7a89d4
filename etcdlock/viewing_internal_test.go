package etcdlock

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Who has many ahead watches its predecessor alone, and is not told of all that
// happens before it.
func TestView_FarAway(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l := lockerOn(t, srv, nil, nil, nil)
	var ahead []string
	for who := range nearEnough + 1 {
		key := l.prefix("n") + strconv.Itoa(who)
		ahead = append(ahead, key)
		if _, err := l.cli.Put(t.Context(), key, ""); err != nil {
			t.Fatal(err)
		}
	}
	e, err := l.enterQueue(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	if e.ahead != nearEnough+1 {
		t.Fatalf("%d are ahead", e.ahead)
	}
	s := &station{l: l, name: "n"}
	l.stations.mu.Lock()
	s.look()
	v := s.view
	l.stations.mu.Unlock()
	done := make(chan error)
	go func() { done <- s.awaitInView(t.Context(), e) }()
	eventually(t, "the end of the view", func() bool {
		l.stations.mu.Lock()
		defer l.stations.mu.Unlock()
		return s.view == nil && v.failure != nil
	})
	for _, key := range ahead {
		if _, err := l.cli.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	e.spawnRelease()
}

// Who waits near the head learns from the picture that somebody has deleted its
// key, and from its lease that this is over.
func TestView_PlaceTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(l *Locker, e *entry) error{
		"KeyDeleted": func(l *Locker, e *entry) error {
			_, err := l.cli.Delete(context.Background(), e.key)
			return err
		},
		"LeaseLost": func(_ *Locker, e *entry) error {
			e.lease.Lose(errors.New("the test says so"))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			l, other := lockerOn(t, srv, &Options{TTL: time.Hour}, nil, nil), lockerOn(t, srv, nil, nil, nil)
			held := lockNow(t, other, "n")
			e, err := l.enterQueue(t.Context(), "n")
			if err != nil {
				t.Fatal(err)
			}
			s := &station{l: l, name: "n"}
			done := make(chan error)
			go func() { done <- s.awaitInView(t.Context(), e) }()
			eventually(t, "the picture", func() bool {
				l.stations.mu.Lock()
				defer l.stations.mu.Unlock()
				return s.view != nil && s.view.changed != nil && s.view.rev >= e.rev
			})
			if err := take(l, e); err != nil {
				t.Fatal(err)
			}
			if err := <-done; !errors.Is(err, ErrLost) {
				t.Errorf("it got %v", err)
			}
			if !errors.Is(context.Cause(e.ctx), ErrLost) {
				t.Errorf("its context says %v", context.Cause(e.ctx))
			}
			l.stations.mu.Lock()
			s.lookAway()
			l.stations.mu.Unlock()
			unlockNow(t, held)
			awaitQueue(t, srv, "n", 0)
		})
	}
}

// What etcd refuses to show is told to who waits for it, who then stands in the
// queue no longer; and when etcd is ready to show it again, everything works.
func TestView_Refused(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var refuses atomic.Bool
	l := lockerOn(t, srv, &Options{TTL: time.Hour}, func(_ context.Context, req any, serve func() error) error {
		if step(req) == "View" && refuses.Load() {
			return status.Error(codes.PermissionDenied, "not for you")
		}
		return serve()
	}, nil)
	other := lockerOn(t, srv, nil, nil, nil)
	held := lockNow(t, other, "n")
	refuses.Store(true)
	if _, err := l.Lock(t.Context(), "n"); !errors.Is(err, ErrRefused) {
		t.Errorf("Lock: %v", err)
	}
	awaitQueue(t, srv, "n", 1)
	refuses.Store(false)
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	awaitQueue(t, srv, "n", 2)
	unlockNow(t, held)
	unlockNow(t, <-next)
}

// That etcd once refused to show the queue says nothing to who comes later.
func TestView_RefusedBefore(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l, other := lockerOn(t, srv, nil, nil, nil), lockerOn(t, srv, nil, nil, nil)
	held := lockNow(t, other, "n")
	e, err := l.enterQueue(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	v := pictureOf(l, 0)
	s := v.s
	s.view = v
	v.fail(errors.New("not for you"))
	done := make(chan error)
	go func() { done <- s.awaitInView(t.Context(), e) }()
	unlockNow(t, held)
	if err := <-done; err != nil {
		t.Errorf("it got what befell another: %v", err)
	} else {
		e.spawnRelease()
	}
	l.stations.mu.Lock()
	s.lookAway()
	l.stations.mu.Unlock()
}

// A bid that was called off begins no view: the station may be forgotten, and
// nobody would end it.
func TestView_OfABidCalledOff(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l := lockerOn(t, srv, nil, nil, nil)
	e, err := l.enterQueue(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	ctx, callOff := context.WithCancel(t.Context())
	callOff()
	s := &station{l: l, name: "n"}
	if err := s.awaitInView(ctx, e); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	l.stations.mu.Lock()
	if s.view != nil {
		t.Error("it has begun a view")
	}
	l.stations.mu.Unlock()
	awaitQueue(t, srv, "n", 0)
}

// Where no watch stands for long, looking from time to time has to do.
func TestView_WithoutWatches(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]func(context.Context, *Locker) (*Lock, error){
		"View":  func(ctx context.Context, l *Locker) (*Lock, error) { return l.Lock(ctx, "n") },
		"Await": func(ctx context.Context, l *Locker) (*Lock, error) { return l.LockWithTTL(ctx, time.Minute, "n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			l := lockerOn(t, srv, nil, func(_ context.Context, req any, serve func() error) error {
				if step(req) == "Watch" {
					return status.Error(codes.Unknown, "no watches here")
				}
				return serve()
			}, nil)
			other := lockerOn(t, srv, nil, nil, nil)
			held := lockNow(t, other, "n")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			next := make(chan *Lock)
			go func() {
				k, err := lock(ctx, l)
				if err != nil {
					t.Error(err)
				}
				next <- k
			}()
			awaitQueue(t, srv, "n", 2)
			unlockNow(t, held)
			if k := <-next; k != nil {
				unlockNow(t, k)
			}
		})
	}
}

// Who queues behind its own process, and then behind another, knows in the end
// that another had to leave first.
func TestView_BehindOwnThenAnother(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l := lockerOn(t, srv, nil, nil, nil)
	another := l.prefix("n") + "another"
	if _, err := l.cli.Put(t.Context(), another, ""); err != nil {
		t.Fatal(err)
	}
	var own [2]*entry
	for i := range own {
		var err error
		if own[i], err = l.enterQueue(t.Context(), "n"); err != nil {
			t.Fatal(err)
		}
	}
	e, s := own[1], &station{l: l, name: "n"}
	if e.waited {
		t.Error("its own process is taken for another")
	}
	done := make(chan error)
	go func() { done <- s.awaitInView(t.Context(), e) }()
	waitsWith := func(places int) func() bool {
		return func() bool {
			l.stations.mu.Lock()
			defer l.stations.mu.Unlock()
			return s.view != nil && s.view.changed != nil && len(s.view.places) == places
		}
	}
	eventually(t, "the picture", waitsWith(3))
	own[0].spawnRelease()
	eventually(t, "the picture without the first", waitsWith(2))
	if _, err := l.cli.Delete(t.Context(), another); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !e.waited {
		t.Error("it does not know that it waited for another")
	}
	l.stations.mu.Lock()
	s.lookAway()
	l.stations.mu.Unlock()
	e.spawnRelease()
}
