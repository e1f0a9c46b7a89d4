package etcdlock

import (
	"context"
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// An asking key is evicted: the try fails, and nothing of it stays.
func TestAsk_Evicted(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	answers := make(chan struct{})
	l := lockerOn(t, srv, patient(), func(_ context.Context, req any, serve func() error) error {
		if txn, ok := req.(*pb.TxnRequest); ok && len(txn.Success) == 1 && txn.Success[0].GetRequestPut() != nil {
			<-answers
		}
		return serve()
	}, nil)
	k := lockNow(t, l, "n")
	other := lockerOn(t, srv, patient(), nil, nil)
	done := make(chan error, 1)
	go func() {
		_, err := other.TryLock(t.Context(), "n")
		done <- err
	}()
	awaitQueue(t, srv, "n", 2)
	queue, err := other.Holders(t.Context(), "n")
	if err == nil {
		err = other.Evict(t.Context(), queue[1])
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	close(answers)
	unlockNow(t, k)
	unlockNow(t, tryNow(t, other, "n"))
}

// Goroutines that lock a name while another of their process tries it get it.
func TestAsk_LineBehindATry(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	answers := make(chan struct{})
	l := lockerOn(t, srv, patient(), func(_ context.Context, req any, serve func() error) error {
		if txn, ok := req.(*pb.TxnRequest); ok && len(txn.Success) == 1 && txn.Success[0].GetRequestPut() != nil {
			<-answers
		}
		return serve()
	}, nil)
	k := lockNow(t, l, "n")
	other := lockerOn(t, srv, patient(), nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	tried := make(chan error, 1)
	go func() {
		_, err := other.TryLock(ctx, "n")
		tried <- err
	}()
	awaitQueue(t, srv, "n", 2)
	next := make(chan *Lock)
	go func() { next <- lockNow(t, other, "n") }()
	inLine(t, other, "n", 1)
	cancel()
	if err := <-tried; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(answers)
	unlockNow(t, k)
	unlockNow(t, <-next)
}

// A foreign mutex behind a try that has got the name waits for it.
func TestAsk_ForeignBehind(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l, other := lockerOn(t, srv, patient(), nil, nil), lockerOn(t, srv, patient(), nil, nil)
	unlockNow(t, lockNow(t, l, "n"))
	k := tryNow(t, other, "n")
	cli := srv.NewClient(context.Background(), nil)
	t.Cleanup(func() { _ = cli.Close() })
	if _, err := cli.Put(t.Context(), defaultNamespace+"n/ffff", ""); err != nil {
		t.Fatal(err)
	}
	queue, err := cli.Get(t.Context(), defaultNamespace+"n/", clientv3.WithFirstCreate()...)
	if err != nil || queue.Kvs[0].CreateRevision != k.Token() {
		t.Errorf("%v, %v is first, want token %d", err, queue.Kvs, k.Token())
	}
	unlockNow(t, k)
	eventually(t, "the foreign key to be first", func() bool {
		queue, err := cli.Get(t.Context(), defaultNamespace+"n/", clientv3.WithFirstCreate()...)
		return err == nil && string(queue.Kvs[0].Key) == defaultNamespace+"n/ffff"
	})
	if _, err := cli.Delete(t.Context(), defaultNamespace+"n/ffff"); err != nil {
		t.Fatal(err)
	}
}
