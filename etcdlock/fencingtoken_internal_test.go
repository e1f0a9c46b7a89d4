package etcdlock

import (
	"testing"
	"time"
)

// The rule is strict, and an order among the tokens of one etcd.
func TestFencingToken_Succeeds(t *testing.T) {
	t.Parallel()
	inOrder := []FencingToken{{}, {1, "a", 1, 1}, {1, "a", 1, 2}, {1, "a", 2, 1}, {2, "b", 1, 1}, {3, "a", 1, 1}}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if b.Succeeds(a) != (j > i) {
				t.Errorf("%v succeeds %v: %v", b, a, b.Succeeds(a))
			}
		}
	}
	one, two := FencingToken{1, "a", 1, 1}, FencingToken{1, "b", 2, 2}
	if one.Succeeds(two) || two.Succeeds(one) {
		t.Error("one of two owners of one revision succeeds the other")
	}
}

// Each token of a name succeeds those drawn before, by whichever Lock.
func TestFencingToken_Grows(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var last FencingToken
	l, other := lockerOn(t, srv, nil, nil, nil), lockerOn(t, srv, nil, nil, nil)
	shows := func(k *Lock) {
		t.Helper()
		for range 2 {
			token, ok := k.FencingToken("n")
			if !ok || !token.Succeeds(last) || token.Revision != k.Token() || len(token.Owner) != 26 {
				t.Errorf("%v, %v after %v", token, ok, last)
			}
			last = token
		}
	}
	for range 2 {
		for _, by := range []*Locker{l, l, other} {
			k := lockNow(t, by, "n")
			shows(k)
			nested, err := by.Lock(k.Context(), "n")
			if err != nil {
				t.Fatal(err)
			}
			shows(nested)
			unlockNow(t, nested)
			shows(k)
			if token, ok := k.FencingToken("m"); ok || token != (FencingToken{}) {
				t.Errorf("of a name that it does not hold: %v", token)
			}
			unlockNow(t, k)
		}
		k, err := other.LockWithTTL(t.Context(), time.Minute, "n")
		if err != nil {
			t.Fatal(err)
		}
		shows(k)
		unlockNow(t, k)
		if k, err = other.ForceLock(t.Context(), "n"); err != nil {
			t.Fatal(err)
		}
		shows(k)
		unlockNow(t, k)
	}
}
