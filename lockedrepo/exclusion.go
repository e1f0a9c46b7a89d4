package lockedrepo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/fencing"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// exclusion is how others are kept out of what one repository does, or several
// do in one transaction.
type exclusion struct {
	locker *etcdlock.Locker
	// keys are locked by one call. They are sorted.
	keys []string
	// fenced are those of the keys whose claims the store is shown.
	fenced []string
	// also are taken after the keys, in this order.
	also    []Also
	timeout time.Duration
}

// member is a repository as its transactions see it, whatever its entity type is.
type member struct {
	exclusion
	// guards are the keys under one of which the store may have registered the
	// entities: the former one, while a key is being renamed, then the key. There
	// are none without a fence.
	guards []string
	// all are the keys of the type; without stripes they are the keys.
	all []string
	// set is the name of the set of stripes, empty where the type has one lock.
	set string
	// renamed tells that a former key is locked, too.
	renamed bool
	// unusable is why no transaction can take it; see Repository.For.
	unusable error
	// queues is called before a call by itself waits for the lock.
	queues func()
	// The capabilities of the wrapped repository. Each is nil if it has not got it.
	transactor repo.Transactor
	source     driver.TxSource
	reporter   driver.TxReporter
}

func newMember[T any](inner repo.Repository[T], locker *etcdlock.Locker, o Options) *member {
	own, keys := []string{o.guard()}, o.keys()
	if o.FormerKey != "" {
		own, keys = []string{o.FormerKey, o.guard()}, append(keys, o.FormerKey)
	}
	m := &member{exclusion: exclusion{locker: locker, keys: slices.Sorted(slices.Values(keys)), also: o.Also, timeout: o.LockTimeout}}
	m.all, m.renamed = m.keys, o.FormerKey != ""
	if o.Stripes.by != "" {
		m.set = o.guard()
	}
	if !o.Unfenced {
		m.guards, m.fenced = own, m.keys
	}
	m.transactor, _ = repo.As[repo.Transactor](inner)
	m.source, _ = repo.As[driver.TxSource](inner)
	m.reporter, _ = repo.As[driver.TxReporter](inner)
	return m
}

func (m *member) txState(ctx context.Context) driver.TxState {
	if m.reporter != nil {
		return m.reporter.TxState(ctx)
	}
	if _, ok := driver.TxFrom(ctx); ok {
		return driver.TxForeign
	}
	return driver.TxNone
}

// holding reports whether ctx holds a key of the type, or takes the name of the set for
// one.
func (m *member) holding(ctx context.Context) bool {
	holds := func(key string) bool { return fencing.OfLocker(m.locker).Holding(ctx, key) }
	return m.set != "" && holds(m.set) || slices.ContainsFunc(m.all, holds)
}

// whole refuses a context that holds one of two keys: the other one would be
// given back after each call, and a process that locks only that one could come
// in between.
func (m *member) whole(ctx context.Context, doing string) error {
	lacks := func(key string) bool { return !fencing.OfLocker(m.locker).Holding(ctx, key) }
	if m.set != "" && !lacks(m.set) {
		return fmt.Errorf("lockedrepo: %s: %w: the context holds %q, which is the name of a set of stripes and locks none of them; "+
			"lock Keys or KeysOf the repository", doing, ErrStripes, m.set)
	}
	if !m.renamed || !m.holding(ctx) || !slices.ContainsFunc(m.keys, lacks) {
		return nil
	}
	return fmt.Errorf("lockedrepo: %s: %w: the context holds one of the keys %q, which are both needed while the key is being renamed; "+
		"lock all Keys of the repository by one call of Lock", doing, repo.ErrInvalid, m.keys)
}

// waitBounded bounds the wait for a connection as that for the lock: the one
// connection of a pool may be the caller's own.
func (x exclusion) waitBounded(ctx context.Context) context.Context {
	if d, ok := driver.ConnWait(ctx); ok && d <= x.timeout {
		return ctx
	}
	return driver.WithConnWait(ctx, x.timeout)
}

// join adds what another exclusion keeps out.
func (x exclusion) join(other exclusion) exclusion {
	union := func(a, b []string) []string { return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b)))) }
	x.keys, x.fenced = union(x.keys, other.keys), union(x.fenced, other.fenced)
	x.also = sortedAlso(slices.Concat(x.also, other.also))
	x.timeout = min(x.timeout, other.timeout)
	return x
}

// only is the member with one of its stripes.
func (m *member) only(stripe string) *member {
	one := *m
	keep := func(keys []string) []string {
		return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return driver.SetOf(key) == m.set && key != stripe })
	}
	one.keys, one.fenced = keep(m.keys), keep(m.fenced)
	return &one
}
