package locktest_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// recorder is a test that may fail without failing the test around it.
type recorder struct {
	ctx context.Context

	mu       sync.Mutex
	errors   []string
	skipped  string
	fatal    bool
	cleanups []func()
}

// record runs f as a test, clean-ups included, and returns what it reported.
func record(ctx context.Context, f func(t *recorder)) *recorder {
	ctx, cancel := context.WithCancel(ctx)
	r := &recorder{ctx: ctx}
	inGoroutine(func() { f(r) })
	cancel() // as the context of a test ends before its clean-ups
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		inGoroutine(last)
	}
	return r
}

// inGoroutine is what lets Fatalf end f alone.
func inGoroutine(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (r *recorder) failed() bool { return len(r.errors) > 0 }

func (r *recorder) Helper() {}

func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Logf(string, ...any) {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.fatal = true
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
