package etcdlock

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// etcd is out of space while goroutines are in line and another process waits. The other
// one gets the name, and they get it once there is space again, whether or not the answer
// to an exchange was lost before.
func TestExchange_OutOfSpace(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"AtOnce": false, "AfterALostAnswer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			var full atomic.Bool
			var sent, refused atomic.Int64
			l := lockerOn(t, srv, &Options{TTL: time.Hour, MaxHold: time.Nanosecond}, func(_ context.Context, req any, serve func() error) error {
				what := step(req)
				switch {
				case what == "Exchange" && lost && sent.Add(1) == 1:
					if err := serve(); err != nil {
						return err
					}
					return errReplyLost
				case full.Load() && (what == "Exchange" || what == "Enqueue"):
					refused.Add(1)
					return rpctypes.ErrGRPCNoSpace
				default:
					return serve()
				}
			}, nil)
			other := lockerOn(t, srv, &Options{TTL: time.Hour, Linger: NoLinger}, nil, nil)
			k := lockNow(t, l, "n")
			queued := make(chan *Lock)
			go func() { queued <- lockNow(t, other, "n") }()
			awaitQueue(t, srv, "n", 2)
			wanted(t, l, "n")
			inLineNow := make(chan *Lock)
			go func() { inLineNow <- lockNow(t, l, "n") }()
			inLine(t, l, "n", 1)
			full.Store(true)
			unlockNow(t, k)
			second := <-queued
			eventually(t, "a refusal", func() bool { return refused.Load() > 0 })
			full.Store(false)
			unlockNow(t, second)
			unlockNow(t, <-inLineNow)
			unlockNow(t, lockNow(t, other, "n"))
		})
	}
}
