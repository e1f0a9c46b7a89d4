package alsoredis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/lockedrepo/alsoredis"
	"github.com/holdfast-go/holdfast/repo"
)

// wire is how a client is connected to Redis.
type wire struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errCut}
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		w.conns = append(w.conns, c)
	}
	return c, err
}

var errCut = errors.New("the wire is cut")

// sever ends all connections, and lets no new ones be made.
func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, c := range w.conns {
		_ = c.Close()
	}
}

// redisAddr is where Redis is.
func redisAddr(t *testing.T) string {
	t.Helper()
	addr := os.Getenv("REDIS_ADDR")
	switch {
	case addr != "":
	case os.Getenv("REQUIRE_BACKENDS") == "1":
		t.Fatal("REDIS_ADDR is not set, and REQUIRE_BACKENDS=1 demands it")
	default:
		t.Skip("REDIS_ADDR is not set: no Redis to test with")
	}
	return addr
}

// client returns a client of Redis and its wire.
func client(t *testing.T) (*redis.Client, *wire) {
	t.Helper()
	w := &wire{}
	c := redis.NewClient(&redis.Options{Addr: redisAddr(t), Dialer: w.dial, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c, w
}

func locker(t *testing.T, c *redis.Client, ttl time.Duration) *alsoredis.Locker {
	t.Helper()
	l, err := alsoredis.New(redislock.New(c), &alsoredis.Options{TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// name is a key of the test's own, which is gone when the test ends.
func name(t *testing.T) string {
	t.Helper()
	name := "holdfast:test:" + rand.Text()
	c, _ := client(t)
	t.Cleanup(func() { c.Del(context.Background(), name) })
	return name
}

func soon(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// It is the lock of redislock: each keeps the other out.
func TestLock_IsThatOfRedislock(t *testing.T) {
	t.Parallel()
	c, _ := client(t)
	l, key := locker(t, c, 0), name(t)
	theirs, err := redislock.Obtain(t.Context(), c, key, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Lock(soon(t, 100*time.Millisecond), key)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("a lock that another has: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		ours, err := l.Lock(t.Context(), key)
		if err == nil {
			_, obtained := redislock.Obtain(t.Context(), c, key, time.Minute, nil)
			if !errors.Is(obtained, redislock.ErrNotObtained) {
				t.Errorf("redislock under our lock: %v", obtained)
			}
			err = ours.Unlock(t.Context())
		}
		got <- err
	}()
	if err := theirs.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	if n := c.Exists(t.Context(), key).Val(); n != 0 {
		t.Error("the key is still there")
	}
}

func TestLock_IsRenewed(t *testing.T) {
	t.Parallel()
	c, _ := client(t)
	key := name(t)
	held, err := locker(t, c, time.Second).Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	last := time.Second
	etcdtest.Eventually(t, "a longer life", func() bool {
		before := last
		last = c.PTTL(t.Context(), key).Val()
		return last > before
	})
	if err := held.Unlock(t.Context()); err != nil || held.Context().Err() == nil {
		t.Error(err, held.Context().Err())
	}
}

// A key that somebody else has by now is not deleted, and its former holder learns of it.
func TestLock_TakenOver(t *testing.T) {
	t.Parallel()
	c, _ := client(t)
	key := name(t)
	held, err := locker(t, c, 300*time.Millisecond).Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	c.Set(t.Context(), key, "another", 0)
	<-held.Context().Done()
	if err := context.Cause(held.Context()); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("got %v", err)
	}
	if err := held.Unlock(t.Context()); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("given back: %v", err)
	}
	if v := c.Get(t.Context(), key).Val(); v != "another" {
		t.Errorf("the key has %q", v)
	}
}

func TestLock_RedisIsGone(t *testing.T) {
	t.Parallel()
	c, w := client(t)
	l, key := locker(t, c, 300*time.Millisecond), name(t)
	held, err := l.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	w.sever()
	<-held.Context().Done()
	if err := context.Cause(held.Context()); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("got %v", err)
	}
	for what, err := range map[string]error{
		"given back": held.Unlock(t.Context()),
		"taken":      func() error { _, err := l.Lock(t.Context(), key); return err }(),
	} {
		if !errors.Is(err, etcdlock.ErrUnavailable) || !errors.Is(err, errCut) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A server that takes connections and says nothing.
func TestLock_RedisIsSilent(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := redis.NewClient(&redis.Options{Addr: silent.Addr().String(), ContextTimeoutEnabled: true})
	defer c.Close()
	_, err = locker(t, c, 0).Lock(soon(t, 100*time.Millisecond), "key")
	if !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := alsoredis.New(nil, nil); !errors.Is(err, repo.ErrInvalid) {
		t.Error(err)
	}
	c := redis.NewClient(&redis.Options{})
	defer c.Close()
	if _, err := alsoredis.New(redislock.New(c), &alsoredis.Options{TTL: 1}); !errors.Is(err, repo.ErrInvalid) {
		t.Error(err)
	}
}
