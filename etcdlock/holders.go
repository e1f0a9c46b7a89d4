package etcdlock

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Holder is one place in the queue of a name: the one who holds the lock, or
// one who waits for it.
type Holder struct {
	Name     string    // the lock's name, as given to Lock
	Key      string    // the key in etcd that stands for the place; later maybe for another one
	Revision int64     // the key's create revision, the place's own; the token of the lock once it is held
	Lease    int64     // id of the lease that the key lives on
	Waiting  bool      // false for the one who holds
	Host     string    // owner data, as is all below; empty when another library wrote the key
	PID      int       // the owner's process id on Host
	Service  string    // what the owner calls itself
	Data     string    // what the owner says about itself, see Options.Data
	Since    time.Time // when the place was taken, by the owner's clock
}

// String names the owner: service, host and process, as far as known.
func (h Holder) String() string {
	o := queue.Owner{Host: h.Host, PID: h.PID, Service: h.Service}
	return queue.Member{Key: h.Key, Owner: o}.String()
}

// holder returns a member of a queue as a Holder, the first of a queue or one that waits.
func holder(m *queue.Member, waiting bool) Holder {
	return Holder{
		Name: m.Name, Key: m.Key, Revision: m.Revision, Lease: m.Lease, Waiting: waiting,
		Host: m.Host, PID: m.PID, Service: m.Service, Data: m.Data, Since: m.Since,
	}
}

// Holders returns the queue of a name: the first holds the lock, the rest wait
// in this order. It is empty when the lock is free. It reads etcd once; by the
// time it returns, the queue may have moved on.
//
// Errors: ErrInvalid, ErrClosed, ErrRefused, ErrUnavailable, or those of ctx.
func (l *Locker) Holders(ctx context.Context, name string) ([]Holder, error) {
	doing := fmt.Sprintf("reading the holders of %q", name)
	if ctx == nil {
		return nil, invalid(doing, "nil context")
	}
	if _, err := l.checkNames(doing, []string{name}); err != nil {
		return nil, err
	}
	var holders []Holder
	err := l.query(ctx, doing, func() error {
		members, err := l.queues.Members(ctx, name)
		holders = make([]Holder, 0, len(members))
		for i := range members {
			holders = append(holders, holder(&members[i], i > 0))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return holders, nil
}

// List returns the queues of all names of the namespace, sorted by name, each
// as Holders returns it. Those of a namespace that continues this one are among them,
// under the names that they have here. A key that is in no queue is left out.
//
// Errors: ErrUnsupported with Options.RawNames, ErrInvalid, ErrClosed,
// ErrRefused, ErrUnavailable, or those of ctx.
func (l *Locker) List(ctx context.Context) ([]Holder, error) {
	const doing = "listing locks"
	if ctx == nil {
		return nil, invalid(doing, "nil context")
	}
	if l.namespace == "" {
		return nil, fmt.Errorf("etcdlock: %s: %w: without a namespace, locks cannot be told from other keys", doing, ErrUnsupported)
	}
	var members []queue.Member
	err := l.query(ctx, doing, func() (err error) {
		members, err = l.queues.All(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	var holders []Holder
	seen := make(map[string]bool)
	for i := range members {
		name := members[i].Name
		holders = append(holders, holder(&members[i], seen[name]))
		seen[name] = true
	}
	slices.SortStableFunc(holders, func(a, b Holder) int { return cmp.Compare(a.Name, b.Name) })
	return holders, nil
}

// query asks etcd something, once, unless ctx or the Locker has ended.
func (l *Locker) query(ctx context.Context, doing string, request func() error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("etcdlock: %s: %w", doing, contextError(ctx))
	}
	if l.closing.Err() != nil {
		return fmt.Errorf("etcdlock: %s: %w", doing, ErrClosed)
	}
	switch err := request(); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("etcdlock: %s: %w", doing, contextError(ctx))
	default:
		return fmt.Errorf("etcdlock: %s: %w", doing, session.Unserved(err))
	}
}

// revision asks etcd for its current revision.
func (l *Locker) revision(ctx context.Context) (rev int64, err error) {
	const doing = "asking for the revision"
	if ctx == nil {
		return 0, invalid(doing, "nil context")
	}
	err = l.query(ctx, doing, func() error {
		rev, err = l.queues.Revision(ctx)
		return err
	})
	return rev, err
}
