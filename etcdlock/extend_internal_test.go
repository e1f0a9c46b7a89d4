package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// lockTerm takes names for a term on a Locker whose clock the test can move.
func lockTerm(t *testing.T, srv *memetcd.Server, ttl time.Duration, intercept memetcd.Interceptor, names ...string) (k *Lock, suspend func(time.Duration)) {
	t.Helper()
	var slept atomic.Int64
	awake := session.NewClock()
	l := lockerWith(t, srv, nil, func() time.Duration { return awake() + time.Duration(slept.Load()) }, intercept, nil)
	k, err := l.LockWithTTL(t.Context(), ttl, names...)
	if err != nil {
		t.Fatal(err)
	}
	return k, func(d time.Duration) { slept.Add(int64(d)) }
}

// leasesOf returns the terms that etcd gave, of the leases that are there still.
func leasesOf(t *testing.T, l *Locker) (terms []time.Duration) {
	t.Helper()
	resp, err := clientOf(l).Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range resp.Leases {
		left, err := clientOf(l).TimeToLive(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		terms = append(terms, time.Duration(left.GrantedTTL)*time.Second)
	}
	return terms
}

// A term begins again with the length that is asked for, in the process and in etcd, and the
// hold stays what it is.
func TestExtend(t *testing.T) {
	t.Parallel()
	many := make([]string, 0, 200)
	for i := range 200 {
		many = append(many, fmt.Sprint("n", i))
	}
	for name, c := range map[string]struct {
		ttl, then, want time.Duration
		names           []string
	}{
		"Same":     {10 * time.Second, 10 * time.Second, 10 * time.Second, []string{"n"}},
		"Longer":   {10 * time.Second, time.Hour, time.Hour, []string{"n"}},
		"Shorter":  {time.Hour, 10 * time.Second, 10 * time.Second, []string{"n"}},
		"Fraction": {2500 * time.Millisecond, 9*time.Second + 1, 10 * time.Second, []string{"n", "m"}},
		"Many":     {time.Minute, time.Hour, time.Hour, many},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			k, suspend := lockTerm(t, srv, c.ttl, nil, c.names...)
			token, _ := k.TokenOf(c.names[0])
			suspend(time.Second)
			for range 2 { // the second time from the lease that it has moved to
				if err := k.Extend(t.Context(), c.then); err != nil {
					t.Fatal(err)
				}
				if left := k.Remaining(); left > c.want || left < c.want-c.want/50-time.Second {
					t.Errorf("%v remain of %v", left, c.want)
				}
				eventually(t, "the lease alone", func() bool {
					terms := leasesOf(t, k.l)
					return len(terms) == 1 && terms[0] == c.want
				})
			}
			if after, _ := k.TokenOf(c.names[0]); after != token || k.Context().Err() != nil {
				t.Errorf("token %d, before %d; %v", after, token, context.Cause(k.Context()))
			}
			for _, name := range c.names[:2%len(c.names)+1] {
				if holders, err := k.l.Holders(t.Context(), name); err != nil || len(holders) != 1 {
					t.Errorf("%q is held by %v, %v", name, holders, err)
				}
			}
			suspend(c.want)
			<-k.Context().Done()
			if k.Remaining() != 0 {
				t.Errorf("%v remain of what is over", k.Remaining())
			}
			if err := k.Extend(t.Context(), c.then); !errors.Is(err, ErrLost) {
				t.Errorf("extending what is over: %v", err)
			}
			if err := k.Unlock(t.Context()); !errors.Is(err, ErrLost) {
				t.Errorf("Unlock: %v", err)
			}
		})
	}
}

// Unlock after an extension frees the names and leaves no lease.
func TestExtend_Unlock(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	k, _ := lockTerm(t, srv, time.Minute, nil, "n", "m")
	for _, ttl := range []time.Duration{time.Hour, time.Minute, time.Minute} {
		if err := k.Extend(t.Context(), ttl); err != nil {
			t.Fatal(err)
		}
	}
	unlockNow(t, k)
	if err := k.Extend(t.Context(), time.Minute); !errors.Is(err, ErrLost) || k.Remaining() != 0 {
		t.Errorf("extending what was given back: %v, %v remain", err, k.Remaining())
	}
	eventually(t, "no lease", func() bool { return len(leasesOf(t, k.l)) == 0 })
	if keys := srv.Keys(); len(keys) != 0 {
		t.Errorf("left %q", keys)
	}
}

// Whatever answer of an extension is lost, the names are on a lease that lives for as long as
// the process thinks, and Unlock frees them.
func TestExtend_WithoutAnswer(t *testing.T) {
	t.Parallel()
	for _, then := range []time.Duration{time.Hour, 10 * time.Second, time.Minute} {
		for _, lost := range []string{"grant", "keys", "keys of the second request"} {
			for _, comes := range []bool{true, false} { // at the second try
				t.Run(fmt.Sprint(then, lost, comes), func(t *testing.T) {
					t.Parallel()
					extendWithoutAnswer(t, then, lost, comes)
				})
			}
		}
	}
}

func extendWithoutAnswer(t *testing.T, then time.Duration, lost string, comes bool) {
	t.Helper()
	srv := newServer(t)
	var failing atomic.Bool
	var moves atomic.Int32
	intercept := func(_ context.Context, req any, serve func() error) error {
		err := serve()
		hit := false
		switch r := req.(type) {
		case *pb.LeaseGrantRequest:
			hit = lost == "grant"
		case *pb.TxnRequest:
			if failing.Load() && len(r.GetSuccess()) > 0 && r.GetSuccess()[0].GetRequestPut() != nil {
				n := moves.Add(1)
				hit = lost == "keys" || lost != "grant" && n == 2
			}
		}
		if hit && failing.Load() {
			failing.Store(!comes)
			return errReplyLost
		}
		return err
	}
	names := make([]string, queue.MaxMoved+1)
	for i := range names {
		names[i] = fmt.Sprint("n", i)
	}
	k, _ := lockTerm(t, srv, time.Minute, intercept, names...)
	failing.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	if comes {
		ctx, cancel = context.WithCancel(t.Context())
	}
	defer cancel()
	err := k.Extend(ctx, then)
	failing.Store(false)
	sent := then != time.Minute && (comes || moves.Load() > 0)
	switch {
	case err == nil && comes || err == nil && then == time.Minute:
	case errors.Is(err, ErrUnavailable) && errors.Is(err, context.DeadlineExceeded) && !comes:
	case err == nil && lost == "keys of the second request": // which was the second, and came again
	default:
		t.Errorf("Extend: %v", err)
	}
	if want := min(then, time.Minute); sent && err != nil && k.Remaining() > want {
		t.Errorf("%v remain, while the names may be on a lease of %v", k.Remaining(), want)
	}
	if k.Context().Err() != nil {
		t.Errorf("it has ended: %v", context.Cause(k.Context()))
	}
	if err := k.Extend(t.Context(), time.Hour); err != nil || k.Remaining() < 50*time.Minute {
		t.Errorf("the next time: %v, %v remain", err, k.Remaining())
	}
	unlockNow(t, k)
	if keys := srv.Keys(); len(keys) != 0 {
		t.Errorf("left %q", keys)
	}
}

// An extension notices that one of the keys is gone.
func TestExtend_KeyDeleted(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	k, _ := lockTerm(t, srv, time.Minute, nil, "n", "m")
	if _, err := clientOf(k.l).Delete(t.Context(), k.l.Path("m"), clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if err := k.Extend(t.Context(), time.Hour); !errors.Is(err, ErrLost) {
		t.Errorf("Extend: %v", err)
	}
	<-k.Context().Done()
	if err := k.Unlock(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("Unlock: %v", err)
	}
	if keys := srv.Keys(); len(keys) != 0 {
		t.Errorf("left %q", keys)
	}
}

// What cannot be extended is told, and nothing is sent.
func TestExtend_Refused(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{TTL: time.Minute})
	renewed := lockNow(t, l, "renewed")
	defer unlockNow(t, renewed)
	if left := renewed.Remaining(); left <= 0 || left > time.Minute {
		t.Errorf("%v remain of a lease of a minute", left)
	}
	term, err := l.LockWithTTL(t.Context(), time.Minute, "term")
	if err != nil {
		t.Fatal(err)
	}
	defer unlockNow(t, term)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"no term":     {renewed.Extend(t.Context(), time.Minute), ErrUnsupported},
		"nil context": {term.Extend(nil, time.Minute), ErrInvalid}, //nolint:staticcheck // on purpose
		"too short":   {term.Extend(t.Context(), 1999*time.Millisecond), ErrInvalid},
		"too long":    {term.Extend(t.Context(), 1<<62), ErrInvalid},
		"cancelled":   {term.Extend(over, time.Hour), context.Canceled},
	} {
		if !errors.Is(c.err, c.want) || !strings.HasPrefix(c.err.Error(), "etcdlock: extending") {
			t.Errorf("%s: %v", what, c.err)
		}
	}
	if left := term.Remaining(); left <= 0 || left > time.Minute || term.Context().Err() != nil {
		t.Errorf("%v remain", left)
	}
}

// A try for a term gets what is free or lingers, and writes nothing for what is in use.
func TestTryLockWithTTL(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l, other := lockerOn(t, srv, &Options{Linger: time.Hour}, nil, nil), lockerOn(t, srv, &Options{Linger: time.Hour}, nil, nil)
	for what, by := range map[string]*Locker{"here": l, "in another process": other} {
		unlockNow(t, lockNow(t, by, "n")) // lingers
		k, err := l.TryLockWithTTL(t.Context(), time.Minute, "n", "m")
		if err != nil {
			t.Fatalf("the name lingers %s: %v", what, err)
		}
		if left := k.Remaining(); left <= 50*time.Second {
			t.Errorf("%v remain", left)
		}
		rev := srv.Revision()
		for _, try := range []*Locker{l, other} {
			if _, err := try.TryLockWithTTL(t.Context(), time.Minute, "a", "n"); !errors.Is(err, ErrHeld) {
				t.Errorf("while it is held for a term: %v", err)
			}
		}
		if srv.Revision() != rev || len(leasesOf(t, l)) > 3 {
			t.Errorf("the tries have written something")
		}
		unlockNow(t, k)
	}
	k := lockNow(t, other, "n")
	defer unlockNow(t, k)
	if _, err := l.TryLockWithTTL(t.Context(), time.Minute, "n"); !errors.Is(err, ErrHeld) {
		t.Errorf("while it is held: %v", err)
	}
	mine := lockNow(t, l, "m")
	defer unlockNow(t, mine)
	if _, err := l.TryLockWithTTL(t.Context(), time.Minute, "m"); !errors.Is(err, ErrHeld) {
		t.Errorf("while it is held here: %v", err)
	}
	if _, err := l.TryLockWithTTL(mine.Context(), time.Minute, "m"); !errors.Is(err, ErrInvalid) {
		t.Errorf("while the context holds it: %v", err)
	}
	if _, err := l.TryLockWithTTL(t.Context(), 1500*time.Millisecond, "o"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a term that etcd does not grant: %v", err)
	}
}
