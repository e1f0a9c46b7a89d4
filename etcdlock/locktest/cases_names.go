package locktest

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/holdfast-go/holdfast/etcdlock"
)

func severalExcludeEach(t T, h Harness) {
	b := newBench(t, h, "Several")
	one, two := b.locker(), b.locker()
	k := b.lock(one, "c", "a", "b")
	for _, name := range []string{"a", "b", "c"} {
		b.held(two, name)
	}
	if k.Token() != 0 {
		b.Errorf("Token of several names is %d, want 0", k.Token())
	}
	if h.Features.Tokens {
		for _, name := range []string{"a", "b", "c"} {
			if token, ok := k.TokenOf(name); !ok || token <= 0 {
				b.Errorf("TokenOf(%q) is %d, %v", name, token, ok)
			}
		}
	}
	b.unlock(k)
	for _, name := range []string{"a", "b", "c"} {
		b.free(two, name)
	}
}

func severalAllOrNone(t T, h Harness) {
	b := newBench(t, h, "Several")
	one, two, three := b.locker(), b.locker(), b.locker()
	b.warm(one, two, three)
	k := b.lock(one, "b")
	_, err := two.TryLock(b.patient(), "a", "b", "c")
	b.is("TryLock of several names, one of them held", err, etcdlock.ErrHeld)
	b.free(three, "a")
	b.free(three, "c")
	short, cancel := context.WithTimeout(b.Context(), aWhile)
	defer cancel()
	_, err = two.Lock(short, "a", "b", "c")
	b.is("Lock of several names, one of them held", err, etcdlock.ErrTimeout)
	b.free(three, "a")
	b.free(three, "c")
	b.unlock(k)
	b.free(two, "b")
}

func severalNeverDeadlock(t T, h Harness) {
	b := newBench(t, h, "Several")
	// With names taken in the order given, the first would hold a and wait for
	// b, the second would hold b and wait for m, which the first has.
	one, two, three := b.locker(), b.locker(), b.locker()
	k := b.lock(three, "m")
	first := b.start(one, "a", "m", "b")
	b.awaitQueue("m", 2)
	second := b.start(two, "b", "m", "a")
	b.awaitEither("a", 2, "m", 3)
	b.unlock(k)
	b.unlock(first.granted())
	b.unlock(second.granted())
	b.overlappingSets()
}

// awaitEither waits until one of two queues is that long.
func (b *bench) awaitEither(name string, n int, other string, m int) {
	b.Helper()
	if b.h.Queue == nil {
		return
	}
	err := b.poll(b.patient(), func() (bool, error) {
		have, err := b.h.Queue(b.Context(), name)
		if err != nil || have == n {
			return true, err
		}
		have, err = b.h.Queue(b.Context(), other)
		return have == m, err
	})
	if err != nil {
		b.Fatalf("waiting for %d in the queue of %q or %d in that of %q: %v", n, name, m, other, err)
	}
}

// overlappingSets has Lockers take sets of names that meet, all at once.
func (b *bench) overlappingSets() {
	b.Helper()
	sets := [][]string{{"a", "b"}, {"b", "a"}, {"b", "c", "a"}, {"c", "b"}, {"c", "a"}}
	ctx := b.patient()
	errs := make([]error, len(sets))
	var wg sync.WaitGroup
	for i, names := range sets {
		l := b.locker()
		wg.Go(func() {
			for range 10 {
				k, err := l.Lock(ctx, names...)
				if err != nil {
					errs[i] = err
					return
				}
				if err := k.Unlock(ctx); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		b.Errorf("overlapping sets of names: %v", err)
	}
}

func nestedSameName(t T, h Harness) {
	b := newBench(t, h, "Nested")
	l, other := b.locker(), b.locker()
	outer := b.lock(l, "nested")
	ctx, cancel := context.WithTimeout(outer.Context(), h.patience())
	defer cancel()
	inner := b.lockUnder(ctx, l, "nested")
	again, err := l.TryLock(ctx, "nested")
	if err != nil {
		b.Fatalf("TryLock of a name that the context holds: %v", err)
	}
	if inner.Token() != outer.Token() {
		b.Errorf("a nested lock has token %d, its hold %d", inner.Token(), outer.Token())
	}
	b.unlock(again)
	b.unlock(inner)
	if inner.Context().Err() == nil {
		b.Errorf("the context of a nested lock goes on after its Unlock")
	}
	if outer.Context().Err() != nil {
		b.Errorf("the Unlock of a nested lock ended the hold")
	}
	b.held(other, "nested")
	b.held(l, "nested") // a context that holds nothing is not let in
	b.unlock(outer)
	b.free(other, "nested")
}

func nestedEndedHold(t T, h Harness) {
	b := newBench(t, h, "Nested")
	l := b.locker()
	k := b.lock(l, "ended")
	stale := context.WithoutCancel(k.Context())
	b.unlock(k)
	ctx, cancel := context.WithTimeout(stale, h.patience())
	defer cancel()
	again, err := l.Lock(ctx, "ended")
	if err == nil {
		b.unlock(again)
	}
	b.is("Lock under a hold that has ended", err, etcdlock.ErrLost)
	b.free(l, "ended")
}

func nestedAnotherName(t T, h Harness) {
	b := newBench(t, h, "Nested")
	l, other := b.locker(), b.locker()
	outer := b.lock(l, "a")
	inner := b.lockUnder(outer.Context(), l, "b")
	b.held(other, "a")
	b.held(other, "b")
	b.unlock(inner)
	b.free(other, "b")
	b.held(other, "a")
	b.unlock(outer)
	b.free(other, "a")
}

func nestedOrder(t T, h Harness) {
	b := newBench(t, h, "Nested")
	l, other := b.locker(), b.locker()
	outer := b.lock(l, "b")
	inner := b.lockUnder(outer.Context(), l, "a") // before "b", but free
	b.unlock(inner)
	busy := b.lock(other, "a")
	waiting := b.startUnder(outer.Context(), l, "a")
	b.awaitQueue("a", 2)
	b.unlock(busy) // nobody wants "b", so nobody waited in a circle
	b.unlock(waiting.granted())
	b.unlock(outer)
	b.free(other, "b")
}

func nestedDeadlock(t T, h Harness) {
	b := newBench(t, h, "Nested")
	l, other := b.locker(), b.locker()
	outer, busy := b.lock(l, "b"), b.lock(other, "a")
	second := b.startUnder(busy.Context(), other, "b")
	b.awaitQueue("b", 2)
	ctx, cancel := context.WithTimeout(outer.Context(), h.patience())
	defer cancel()
	_, err := l.Lock(ctx, "a")
	b.is("Lock of a name that sorts before one held, by somebody who waits for that", err, etcdlock.ErrOrder)
	if outer.Context().Err() != nil {
		b.Errorf("the refusal ended the hold")
	}
	second.waits()
	b.unlock(outer)
	b.unlock(second.granted())
	b.unlock(busy)
	b.free(l, "a")
}

// namesAreApart holds names at the same time that are prefixes of one another or
// would look alike if they were escaped.
func namesAreApart(t T, h Harness) {
	b := newBench(t, h)
	names := []string{"a", "ab", "A", "a.b", "a-", "a_", "ä", "a b", " a", "a ", "%", "%25", "%61", "a%"}
	if h.Features.AnyName {
		names = append(names, "a/", "a/b", "a/b/c", "/a", "/", "//", "a%2F", "a%2Fb", ".", "..", "../a", ".session")
	}
	b.apart(names)
}

func namesOddOnes(t T, h Harness) {
	b := newBench(t, h, "AnyName")
	b.apart([]string{
		"\x00", "a\x00b", "\n", "\r\n", "\t", "\x7f", "\"quoted\"", `back\slash`, "{json:1}", "100% sure?", "a+b=c&d#e",
		"订单", "\u202e", "e\u0301", "\u00e9", "🔒", "github.com/acme/shop/order.Order", "com.acme.Order$Inner", strings.Repeat("long/", 200),
	})
}

// apart holds all names with one Locker each time, and checks that each is held
// for the other.
func (b *bench) apart(names []string) {
	b.Helper()
	one, two := b.locker(), b.locker()
	var ks []Lock
	for i, name := range names {
		ks = append(ks, b.lock([]Locker{one, two}[i%2], name))
	}
	for i, name := range names {
		b.held([]Locker{two, one}[i%2], name)
	}
	for _, k := range ks {
		b.unlock(k)
	}
	for i, name := range names {
		b.free([]Locker{two, one}[i%2], name)
	}
}
