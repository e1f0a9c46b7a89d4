package session

import (
	"context"
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Who follows a key looks once the watch stands, after every change, and again when the
// stream has broken.
func TestWatch(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	s := newSession(t, srv, nil)
	looks := make(chan int64)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- s.Watch(ctx, &Scope{Key: "k", Read: func(_ context.Context, since int64) (bool, error) {
			select {
			case looks <- since:
			case <-ctx.Done():
			}
			return false, nil
		}})
	}()
	if since := <-looks; since != srv.Revision() {
		t.Errorf("the watch stands from %d on, at revision %d", since, srv.Revision())
	}
	if _, err := s.cli.Put(t.Context(), "k", ""); err != nil {
		t.Fatal(err)
	}
	if since := <-looks; since != srv.Revision() {
		t.Errorf("told of revision %d, it is %d", since, srv.Revision())
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A key is gone when it is deleted, or when another one has its name.
func TestAwaitGone(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"Deleted": false, "AnotherOfThatName": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watches := make(chan struct{}, 10)
			s := newSession(t, newServer(t), func(_ context.Context, req any, serve func() error) error {
				if r, ok := req.(*pb.WatchRequest); ok && r.GetCreateRequest() != nil {
					watches <- struct{}{}
				}
				return serve()
			})
			put, err := s.cli.Put(t.Context(), "k", "")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() { done <- s.AwaitGone(t.Context(), "k", put.Header.Revision) }()
			<-watches
			if _, err := s.cli.Delete(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			if again {
				if _, err := s.cli.Put(t.Context(), "k", ""); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// A refusal ends a watch; an etcd that is busy does not.
func TestWatch_Refused(t *testing.T) {
	t.Parallel()
	s := newSession(t, newServer(t), nil)
	busy, denied := status.Error(codes.Unavailable, "busy"), status.Error(codes.PermissionDenied, "no")
	looks := 0
	err := s.Watch(t.Context(), &Scope{Key: "k", Read: func(context.Context, int64) (bool, error) {
		if looks++; looks == 1 {
			return false, busy
		}
		return false, denied
	}})
	if !errors.Is(err, denied) || looks != 2 {
		t.Errorf("%v after %d looks", err, looks)
	}
}
