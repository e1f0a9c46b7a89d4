package etcdlock

import (
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
)

// The data of a Locker's Options is shown wherever a Holder is.
func TestData(t *testing.T) {
	t.Parallel()
	const data = "job 7 \"ä\"\n"
	srv := newServer(t)
	l, other := lockerOn(t, srv, &Options{Data: data}, nil, nil), lockerOn(t, srv, nil, nil, nil)
	k := lockNow(t, l, "n")
	term, err := l.LockWithTTL(t.Context(), time.Minute, "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := term.Extend(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	listed, err := other.List(t.Context())
	if err != nil || len(listed) != 2 {
		t.Fatalf("listed %v, %v", listed, err)
	}
	for _, h := range listed {
		if h.Data != data {
			t.Errorf("%q has the data %q", h.Name, h.Data)
		}
	}
	_, err = other.TryLock(t.Context(), "t")
	var held *queue.HeldError
	if !errors.As(err, &held) || held.By.Data != data {
		t.Errorf("a try: %v", err)
	}
	unlockNow(t, k)
	unlockNow(t, term)
	if resp, err := clientOf(l).Get(t.Context(), l.Path("t"), clientv3.WithPrefix()); err != nil || resp.Count != 0 {
		t.Errorf("left %v, %v", resp, err)
	}
}
