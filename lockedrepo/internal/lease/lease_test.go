package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo/internal/lease"
	"github.com/holdfast-go/holdfast/repo"
)

const ttl = 3 * time.Second

// server is a lock on a server; its times are those of the bubble.
type server struct {
	busy    int // how many tries find the lock taken
	tries   int
	delay   time.Duration
	renew   func(n int) error
	renewed int
	err     error // of Take and Release
}

func (s *server) terms() lease.Terms {
	return lease.Terms{
		TTL: ttl, Every: 20 * time.Millisecond,
		Take: func(ctx context.Context) (bool, error) {
			s.tries++
			if s.delay > 0 {
				select {
				case <-time.After(s.delay):
				case <-ctx.Done():
					return false, ctx.Err()
				}
			}
			return s.tries > s.busy, s.err
		},
		Renew: func(context.Context) error {
			s.renewed++
			if s.renew == nil {
				return nil
			}
			return s.renew(s.renewed)
		},
		Release: func(context.Context) error { return s.err },
	}
}

// pass lets time pass in the bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// lived is how long a lock that was just taken could be relied on.
func lived(t *testing.T, l *lease.Lease) time.Duration {
	t.Helper()
	begun := time.Now()
	<-l.Context().Done()
	return time.Since(begun)
}

func take(t *testing.T, s *server) *lease.Lease {
	t.Helper()
	l, err := lease.Take(t.Context(), s.terms())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTake(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name, c := range map[string]struct {
		server server
		limit  time.Duration
		tries  int
		want   error
	}{
		"Free":   {server{}, time.Minute, 1, nil},
		"Later":  {server{busy: 5}, time.Minute, 6, nil},
		"Taken":  {server{busy: 99}, 50 * time.Millisecond, 3, context.DeadlineExceeded},
		"Down":   {server{err: down}, time.Minute, 1, down},
		"Silent": {server{delay: time.Hour}, time.Minute, 1, etcdlock.ErrUnavailable},
		// A request on its way is not called off: it may have taken the lock.
		"Slow": {server{delay: time.Second}, time.Millisecond, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				l, err := lease.Take(ctx, c.server.terms())
				if !errors.Is(err, c.want) || c.server.tries != c.tries {
					t.Errorf("%v after %d tries, want %v after %d", err, c.server.tries, c.want, c.tries)
				}
				if c.want != nil && errors.Is(err, etcdlock.ErrUnavailable) == (name == "Taken") {
					t.Errorf("got %v", err)
				}
				if l != nil {
					_ = l.Unlock(t.Context())
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := &server{}
		if _, err := lease.Take(ctx, s.terms()); !errors.Is(err, context.Canceled) || s.tries != 0 {
			t.Errorf("%v after %d tries with a context that is over", err, s.tries)
		}
	})
}

func TestKeptAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{renew: func(n int) error {
			if n%3 == 0 {
				return nil
			}
			return errors.New("no answer")
		}}
		l := take(t, s)
		pass(time.Hour)
		if l.Context().Err() != nil || s.renewed < 3600 {
			t.Errorf("renewed %d times, then %v", s.renewed, context.Cause(l.Context()))
		}
		if err := l.Unlock(t.Context()); err != nil || l.Context().Err() == nil {
			t.Errorf("given back: %v, %v", err, l.Context().Err())
		}
		synctest.Wait()
		n := s.renewed
		pass(time.Hour)
		if s.renewed != n {
			t.Error("it is renewed after it was given back")
		}
	})
}

func TestLost(t *testing.T) {
	t.Parallel()
	gone := errors.New("another token")
	for name, c := range map[string]struct {
		delay time.Duration
		renew func(n int) error
		lives time.Duration
	}{
		"NoAnswer":      {0, func(int) error { return errors.New("no answer") }, 2700 * time.Millisecond},
		"NoAnswerLater": {0, func(n int) error { return map[bool]error{true: errors.New("no answer")}[n > 1] }, 3700 * time.Millisecond},
		"Gone":          {0, func(int) error { return errors.Join(etcdlock.ErrLost, gone) }, time.Second},
		// It counts from when the request was sent.
		"TakenSlowly": {500 * time.Millisecond, func(int) error { return errors.New("no answer") }, 2200 * time.Millisecond},
		"RenewedSlowlyOnce": {0, func(n int) error {
			if n > 1 {
				return errors.New("no answer")
			}
			<-time.After(500 * time.Millisecond)
			return nil
		}, 3700 * time.Millisecond},
		"RenewedSlowly": {0, func(int) error {
			<-time.After(1900 * time.Millisecond)
			return nil
		}, 2700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := take(t, &server{delay: c.delay, renew: c.renew})
				if got := lived(t, l); got != c.lives {
					t.Errorf("it lived for %s, want %s", got, c.lives)
				}
				if err := context.Cause(l.Context()); !errors.Is(err, etcdlock.ErrLost) || errors.Is(err, gone) != (name == "Gone") {
					t.Errorf("got %v", err)
				}
				_ = l.Unlock(t.Context())
				pass(time.Minute) // a request that is on its way
			})
		})
	}
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ err, want, not error }{
			{etcdlock.ErrLost, etcdlock.ErrLost, etcdlock.ErrUnavailable},
			{errors.New("down"), etcdlock.ErrUnavailable, etcdlock.ErrLost},
		} {
			s := &server{}
			l := take(t, s)
			s.err = c.err
			if err := l.Unlock(t.Context()); !errors.Is(err, c.want) || errors.Is(err, c.not) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		}
	})
}

func TestTimes(t *testing.T) {
	t.Parallel()
	if ttl, every, err := lease.Times(0, 0); ttl != lease.DefaultTTL || every != lease.DefaultEvery || err != nil {
		t.Error(ttl, every, err)
	}
	for _, c := range [][2]time.Duration{{time.Millisecond, time.Second}, {-1, 0}, {time.Second, -1}, {time.Second, 1}} {
		if _, _, err := lease.Times(c[0], c[1]); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
