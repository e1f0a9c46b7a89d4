package etcdlock

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

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
	if h.Host == "" && h.PID == 0 {
		return "key " + h.Key
	}
	who := fmt.Sprintf("%s pid %d", h.Host, h.PID)
	if h.Service != "" {
		who = h.Service + " on " + who
	}
	return who
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

// self returns this process as the holder of the name with the entry, or, with
// nil, as one that waits for it.
func (l *Locker) self(name string, e *entry) Holder {
	h := Holder{Name: name, Host: l.host, PID: os.Getpid(), Service: l.service, Data: l.data, Waiting: e == nil}
	if e != nil {
		h.Key, h.Revision, h.Lease, h.Since = e.key, e.rev, int64(e.lease.ID), e.since
	}
	return h
}

func (l *Locker) holder(name string, kv *mvccpb.KeyValue) Holder {
	o := ownerIn(kv.Value)
	return Holder{
		Name: name, Key: string(kv.Key), Revision: kv.CreateRevision, Lease: kv.Lease,
		Host: o.Host, PID: o.PID, Service: o.Service, Data: o.Data, Since: o.Since,
	}
}

// heldError says who holds a name.
type heldError struct{ by Holder }

// heldBy says that the first of the queue holds the name.
func (l *Locker) heldBy(name string, queue []*mvccpb.KeyValue) error {
	return &heldError{l.holder(name, queue[0])}
}

func (e *heldError) Error() string { return ErrHeld.Error() + " by " + e.by.String() }
func (e *heldError) Unwrap() error { return ErrHeld }

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
	kvs, err := l.read(ctx, doing, l.prefix(name))
	if err != nil {
		return nil, err
	}
	kvs = queueIn(l.prefix(name), kvs)
	holders := make([]Holder, 0, len(kvs))
	for i, kv := range kvs {
		h := l.holder(name, kv)
		h.Waiting = i > 0
		holders = append(holders, h)
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
	kvs, err := l.read(ctx, doing, l.namespace)
	if err != nil {
		return nil, err
	}
	var holders []Holder
	seen := make(map[string]bool)
	for _, kv := range kvs {
		name, ok := l.nameOf(string(kv.Key))
		if !ok {
			continue
		}
		h := l.holder(name, kv)
		h.Waiting = seen[name]
		seen[name] = true
		holders = append(holders, h)
	}
	slices.SortStableFunc(holders, func(a, b Holder) int { return cmp.Compare(a.Name, b.Name) })
	return holders, nil
}

// read returns all keys under prefix, oldest first.
func (l *Locker) read(ctx context.Context, doing, prefix string) ([]*mvccpb.KeyValue, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("etcdlock: %s: %w", doing, contextError(ctx))
	}
	if l.closing.Err() != nil {
		return nil, fmt.Errorf("etcdlock: %s: %w", doing, ErrClosed)
	}
	var resp *clientv3.GetResponse
	err := l.session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = l.cli.Get(ctx, prefix, allByAge()...)
		return err
	})
	switch {
	case err == nil:
		return resp.Kvs, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("etcdlock: %s: %w", doing, contextError(ctx))
	default:
		return nil, fmt.Errorf("etcdlock: %s: %w", doing, session.Unserved(err))
	}
}

// Revision asks etcd for its current revision, which is no lower than the token
// of any lock that was ever taken there, unless etcd was restored from a backup
// or made anew since.
//
// Errors: ErrRefused, ErrUnavailable, ErrClosed, or those of ctx.
func (l *Locker) Revision(ctx context.Context) (int64, error) {
	const doing = "asking for the revision"
	if ctx == nil {
		return 0, invalid(doing, "nil context")
	}
	if l.closing.Err() != nil {
		return 0, fmt.Errorf("etcdlock: %s: %w", doing, ErrClosed)
	}
	var resp *clientv3.GetResponse
	err := l.session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = l.cli.Get(ctx, session.Prefix, clientv3.WithCountOnly())
		return err
	})
	switch {
	case err == nil:
		return resp.Header.Revision, nil
	case ctx.Err() != nil:
		return 0, fmt.Errorf("etcdlock: %s: %w", doing, contextError(ctx))
	default:
		return 0, fmt.Errorf("etcdlock: %s: %w", doing, session.Unserved(err))
	}
}
