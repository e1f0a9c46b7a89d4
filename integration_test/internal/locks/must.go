package locks

import (
	"context"
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// MustLock takes locks, and ends the test when it cannot.
func MustLock(ctx context.Context, t *testing.T, l *etcdlock.Locker, names ...string) *etcdlock.Lock {
	t.Helper()
	k, err := l.Lock(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// MustUnlock gives locks back, and ends the test when it cannot.
func MustUnlock(ctx context.Context, t *testing.T, k *etcdlock.Lock) {
	t.Helper()
	if err := k.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
}
