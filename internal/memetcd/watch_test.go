package memetcd_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// next is the next response, or a failure after a time that only a hang takes.
func next(t *testing.T, ch clientv3.WatchChan) clientv3.WatchResponse {
	t.Helper()
	select {
	case r, ok := <-ch:
		if !ok {
			t.Fatal("the watch has ended")
		}
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("the watch says nothing")
	}
	panic("unreachable")
}

func TestWatch_CreatedThenEvents(t *testing.T) {
	t.Parallel()
	_, cli := setup(t)
	must(cli.Put(t.Context(), "k", "before"))(t)
	ch := cli.Watch(t.Context(), "k", clientv3.WithCreatedNotify())
	if r := next(t, ch); !r.Created {
		t.Fatalf("the first response is %+v", r)
	}
	must(cli.Put(t.Context(), "other", ""))(t)
	must(cli.Put(t.Context(), "k", "after"))(t)
	if r := next(t, ch); len(r.Events) != 1 || string(r.Events[0].Kv.Value) != "after" {
		t.Fatalf("got %v", r.Events)
	}
}

func TestWatch_Cancelled(t *testing.T) {
	t.Parallel()
	_, cli := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := cli.Watch(ctx, "k", clientv3.WithCreatedNotify())
	stays := cli.Watch(t.Context(), "k", clientv3.WithCreatedNotify())
	next(t, gone)
	next(t, stays)
	cancel()
	for range gone { // must end
	}
	must(cli.Put(t.Context(), "k", ""))(t)
	if r := next(t, stays); len(r.Events) != 1 {
		t.Fatalf("the other watch got %v", r)
	}
}

func TestWatch_EndsWithTheClient(t *testing.T) {
	t.Parallel()
	_, cli := setup(t)
	ch := cli.Watch(t.Context(), "k", clientv3.WithCreatedNotify())
	next(t, ch)
	_ = cli.Close()
	for range ch { // must end
	}
}

func TestWatch_ResumesAfterABrokenStreamWithoutAGap(t *testing.T) {
	t.Parallel()
	srv, cli := setup(t)
	writer := newClient(t, srv, nil)
	ch := cli.Watch(t.Context(), "k", clientv3.WithCreatedNotify())
	next(t, ch)
	const n = 200
	done := make(chan error, 1)
	go func() {
		for i := range n {
			if _, err := writer.Put(context.Background(), "k", strconv.Itoa(i)); err != nil {
				done <- err
				return
			}
			if i%10 == 0 {
				srv.BreakStreams(rpctypes.ErrGRPCLeaderChanged)
			}
		}
		done <- nil
	}()
	for i := 0; i < n; {
		for _, ev := range next(t, ch).Events {
			if string(ev.Kv.Value) != strconv.Itoa(i) {
				t.Fatalf("event %d carries %q", i, ev.Kv.Value)
			}
			i++
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestWatch_NoLeaderEndsIt(t *testing.T) {
	t.Parallel()
	srv, cli := setup(t)
	ch := cli.Watch(clientv3.WithRequireLeader(t.Context()), "k", clientv3.WithCreatedNotify())
	next(t, ch)
	srv.BreakStreams(rpctypes.ErrGRPCNoLeader)
	if r := next(t, ch); r.Err() == nil || !r.Canceled {
		t.Fatalf("got %+v, want the watch cancelled", r)
	}
}

func TestWatch_SlowReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	_, cli := setup(t)
	ch := cli.Watch(t.Context(), "k", clientv3.WithCreatedNotify())
	const n = 5000
	for range n {
		must(cli.Put(t.Context(), "k", ""))(t)
	}
	next(t, ch)
	for got := 0; got < n; {
		got += len(next(t, ch).Events)
	}
}

func TestWatch_Progress(t *testing.T) {
	t.Parallel()
	srv, cli := setup(t)
	ch := cli.Watch(t.Context(), "k", clientv3.WithCreatedNotify())
	next(t, ch)
	must(cli.Put(t.Context(), "other", ""))(t)
	if err := cli.RequestProgress(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := next(t, ch); !r.IsProgressNotify() || r.Header.Revision != srv.Revision() {
		t.Fatalf("got %+v, want progress up to %d", r, srv.Revision())
	}
}
