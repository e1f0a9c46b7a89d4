package queue

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// HandOff gives the node's place at the head of the queue back and takes one
// at the end for next, on the same lease, in one transaction: an exchange. A process that
// goes on wanting a name that others wait for costs etcd one write for each
// handover that way, where a release and an enqueueing are two, of which the
// second keeps the other process's own from being committed.
//
// It names the successor that the queue expects, see Queue.successor.
//
// It is repeated until its outcome is certain. Sending it again is harmless,
// and nothing can land late: its condition never holds again once the key is
// gone. released is what Release would return. queued is nil when next stands
// in the queue, ErrRequeue when it does not and somebody should try again.
// etcd refuses to put anything when it is out of space, and deletes all the same:
// then the place is only given back.
// answered is called after the first attempt, whatever came of it.
func (n *Node) HandOff(answered func()) (next *Node, released, queued error) {
	next = n.q.newNode(n.lease)
	owner, released, queued := n.handOff(next, n.q.expectedSuccessor(), answered)
	if queued == nil {
		n.q.succeeded(owner, next.lease.Name())
	}
	return next, released, queued
}

// handOff hands the place off for next. With a successor, the transaction is also on
// condition that its lease has a key in the queue, and names it in the value of next's key:
// the successor learns from the notice that it owns the name, if nobody stands between the
// two and it can be no other key of its lease that was found.
// owner is the lease that owns the name now, "" if that is not known.
func (n *Node) handOff(next *Node, successor string, answered func()) (owner string, released, queued error) {
	if n.is(gone) { // it was deleted by hand, and next may have been given its key
		answered()
		released, queued = next.handedOff(nil, false, n)
		return "", released, queued
	}
	sp := n.q.sp
	var pace session.Backoff
	for first, again, full := true, false, false; ; first = false {
		got, err := n.sendHandOff(next, successor, full)
		if first {
			answered()
		}
		switch {
		case err == nil && got.unnamed:
			successor = "" // who is not there
			continue
		case err == nil && got.done && !full:
			n.leave()
			next.rev = got.rev
			if !n.late { // this key is gone for good
				next.others--
			}
			next.queuedBehind(got.pred)
			next.watchOwnKey()
			return got.owner, nil, nil
		case err == nil:
			n.leave()
			released, queued = next.handedOff(got.own, again || got.done, n)
			return "", released, queued
		case session.LeaseGone(err):
			n.lease.Lose(fmt.Errorf("lease %x: %w", int64(n.lease.ID), err))
			return "", context.Cause(n.lease.Ctx()), ErrRequeue
		case session.NoSpace(err) && !full:
			full, successor = true, ""
			continue
		case sp.Session.Final(err):
			next.abandon()
			return "", fmt.Errorf("deleting %s: %w", n.key, session.Unserved(err)), err
		}
		again = true
		sp.Unknown(n.q.name(), "exchange", err)
		if !pace.Wait(n.lease.Ctx()) {
			return "", fmt.Errorf("deleting %s: %w, it goes with its lease: %w", n.key, session.ErrUnavailable, err), ErrRequeue
		}
	}
}

// exchanged is etcd's answer to an exchange.
type exchanged struct {
	done    bool              // the node's key is deleted
	rev     int64             // if next's key was put, its create revision,
	pred    *pb.RangeResponse // the last key before it, and how many there are,
	owner   string            // and the lease that owns the name now, "" if that cannot be told
	unnamed bool              // nothing is done: the node has its place still, and the successor none
	own     *pb.RangeResponse // next's key, if an earlier sending has put it
}

// sendHandOff sends an exchange once, or, to an etcd that is full, the part of it that
// gives the place back.
func (n *Node) sendHandOff(next *Node, successor string, full bool) (exchanged, error) {
	sp, path := n.q.sp, n.q.path
	conditions := []clientv3.Cmp{createdAt(n.key, n.rev)}
	if successor != "" {
		conditions = append(conditions, anyOf(path+successor+"-"))
	}
	work := []clientv3.Op{
		clientv3.OpDelete(n.key),
		clientv3.OpGet(path, lastCreated()...),
		clientv3.OpPut(next.key, next.value(successor), clientv3.WithLease(n.lease.ID)),
		clientv3.OpGet(path, append(clientv3.WithFirstCreate(), clientv3.WithKeysOnly())...),
	}
	if full {
		work = work[:1]
	}
	var resp *clientv3.TxnResponse
	err := sp.Session.Call(n.lease.Ctx(), func(ctx context.Context) (err error) {
		resp, err = sp.Client.Txn(ctx).
			If(conditions...).
			Then(work...).
			Else(clientv3.OpGet(next.key, clientv3.WithKeysOnly()), clientv3.OpGet(n.key, clientv3.WithKeysOnly())).
			Commit()
		return err
	})
	if err != nil {
		return exchanged{}, err
	}
	part := func(i int) *pb.RangeResponse { return resp.Responses[i].GetResponseRange() }
	switch {
	case !resp.Succeeded:
		return exchanged{unnamed: n.isIn(part(1).Kvs), own: part(0)}, nil
	case full:
		return exchanged{done: true}, nil
	default:
		got := exchanged{done: true, rev: resp.Header.Revision, pred: part(1)}
		if first := part(3); !hidden(path, first) {
			got.owner = leaseOf(string(first.Kvs[0].Key))
		}
		return got, nil
	}
}

// handedOff finds out, from what a read of the node's key found, what became of
// an exchange for which the key of the node before is gone: an earlier sending
// of it got through, or somebody deleted the key.
func (n *Node) handedOff(own *pb.RangeResponse, again bool, before *Node) (released, queued error) {
	if n.found(own) {
		n.watchOwnKey()
		return nil, nil
	}
	n.End()
	n.vacate()
	if again {
		return nil, ErrRequeue
	}
	return fmt.Errorf("%w: %s: %w", session.ErrLost, before.key, errKeyDeleted), ErrRequeue
}
