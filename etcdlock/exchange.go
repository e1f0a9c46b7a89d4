package etcdlock

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// exchange gives the entry's place at the head of the queue back and takes one
// at the end for next, on the same lease, in one transaction. A process that
// goes on wanting a name that others wait for costs etcd one write for each
// handover that way, where a release and an enqueueing are two, of which the
// second keeps the other process's own from being committed.
//
// With a successor, the transaction is also on condition that its lease has a key in
// the queue, and names it in the value of next's key: the successor learns from the
// notice that it owns the name, if nobody stands between the two and it can be no
// other key of its lease that was found.
//
// It is repeated until its outcome is certain. Sending it again is harmless,
// and nothing can land late: its condition never holds again once the key is
// gone. released is what release would return. queued is nil when next stands
// in the queue, errRequeue when it does not and somebody should try again.
// etcd refuses to put anything when it is out of space, and deletes all the same:
// then the place is only given back.
// owner is the lease that owns the name now, "" if that is not known.
// answered is called after the first attempt, whatever came of it.
func (e *entry) exchange(next *entry, successor string, answered func()) (owner string, released, queued error) {
	if e.left.Load() { // it was deleted by hand, and next may have been given its key
		answered()
		released, queued = next.exchanged(nil, false, e)
		return "", released, queued
	}
	var pace session.Backoff
	for first, again, full := true, false, false; ; first = false {
		got, err := e.sendExchange(next, successor, full)
		if first {
			answered()
		}
		switch {
		case err == nil && got.unnamed:
			successor = "" // who is not there
			continue
		case err == nil && got.done && !full:
			e.leave()
			next.rev = got.rev
			next.sole = next.others == 1 && !e.unsure // that of e, which is gone
			next.follow(got.before)
			next.watchOwnKey()
			return got.owner, nil, nil
		case err == nil:
			e.leave()
			released, queued = next.exchanged(got.own, again || got.done, e)
			return "", released, queued
		case session.LeaseGone(err):
			e.lease.Lose(fmt.Errorf("lease %x: %w", int64(e.lease.ID), err))
			return "", context.Cause(e.lease.Ctx()), errRequeue
		case session.NoSpace(err) && !full:
			full, successor = true, ""
			continue
		case e.l.session.Final(err):
			next.abandon()
			return "", fmt.Errorf("deleting %s: %w", e.key, session.Unserved(err)), err
		}
		again = true
		e.l.hooks.unknown(e.name, "exchange", err)
		if !pace.Wait(e.lease.Ctx()) {
			return "", fmt.Errorf("deleting %s: %w, it goes with its lease: %w", e.key, ErrUnavailable, err), errRequeue
		}
	}
}

// handOff is etcd's answer to an exchange.
type handOff struct {
	done    bool               // the entry's key is deleted
	rev     int64              // if next's key was put, its create revision,
	before  *pb.RangeResponse  // the last key before it, and how many there are,
	owner   string             // and the lease that owns the name now, "" if that cannot be told
	unnamed bool               // nothing is done: the entry has its place still, and the successor none
	own     []*mvccpb.KeyValue // next's key, if an earlier sending has put it
}

// sendExchange sends an exchange once, or, to an etcd that is full, the part of it that
// gives the place back.
func (e *entry) sendExchange(next *entry, successor string, full bool) (handOff, error) {
	conditions := []clientv3.Cmp{createdAt(e.key, e.rev)}
	if successor != "" {
		conditions = append(conditions, anyOf(e.prefix+successor+"-"))
	}
	work := []clientv3.Op{
		clientv3.OpDelete(e.key),
		clientv3.OpGet(e.prefix, lastCreated()...),
		clientv3.OpPut(next.key, next.value(successor), clientv3.WithLease(e.lease.ID)),
		clientv3.OpGet(e.prefix, append(clientv3.WithFirstCreate(), clientv3.WithKeysOnly())...),
	}
	if full {
		work = work[:1]
	}
	var resp *clientv3.TxnResponse
	err := e.l.session.Call(e.lease.Ctx(), func(ctx context.Context) (err error) {
		resp, err = e.l.cli.Txn(ctx).
			If(conditions...).
			Then(work...).
			Else(clientv3.OpGet(next.key, clientv3.WithKeysOnly()), clientv3.OpGet(e.key, clientv3.WithKeysOnly())).
			Commit()
		return err
	})
	if err != nil {
		return handOff{}, err
	}
	part := func(i int) *pb.RangeResponse { return resp.Responses[i].GetResponseRange() }
	switch {
	case !resp.Succeeded:
		return handOff{unnamed: e.isIn(part(1).Kvs), own: part(0).Kvs}, nil
	case full:
		return handOff{done: true}, nil
	default:
		got := handOff{done: true, rev: resp.Header.Revision, before: part(1)}
		if !hidden(e.prefix, part(3)) {
			got.owner = leaseOf(string(part(3).Kvs[0].Key))
		}
		return got, nil
	}
}

// isIn reports whether what was read of the entry's key shows its place.
func (e *entry) isIn(own []*mvccpb.KeyValue) bool {
	return len(own) > 0 && own[0].CreateRevision == e.rev
}

// exchanged finds out, from what a read of the entry's key found, what became of
// an exchange for which the key of the entry before is gone: an earlier sending
// of it got through, or somebody deleted the key.
func (e *entry) exchanged(own []*mvccpb.KeyValue, again bool, before *entry) (released, queued error) {
	if len(own) > 0 {
		e.rev, e.ahead = own[0].CreateRevision, unknown
		e.watchOwnKey()
		// Whoever is before it may have left meanwhile: that the key is its own
		// predecessor makes await look.
		e.pred = e.key
		return nil, nil
	}
	e.end()
	e.vacate()
	if again {
		return nil, errRequeue
	}
	return fmt.Errorf("%w: %s: %w", ErrLost, before.key, errKeyDeleted), errRequeue
}
