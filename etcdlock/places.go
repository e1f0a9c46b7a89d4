package etcdlock

import (
	"math/bits"
	"strconv"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// places numbers the keys that one lease has in the queues. etcd remembers a
// deleted key until it is compacted, and passes over it in every read of the
// queue: with a key of its own for each time that somebody stood in the queue,
// every read would cost more than the one before. So a number is given again,
// the lowest that is free, once nothing can happen to its key any more.
type places struct {
	mu    sync.Mutex
	taken map[string]uint64 // the numbers below 64, by name
	extra uint64            // how many others were drawn; they are not given again
}

// draw returns a number for a key in the queue of the name.
func (p *places) draw(name string) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil {
		p.taken = make(map[string]uint64)
	}
	free := uint64(bits.TrailingZeros64(^p.taken[name]))
	if free == 64 {
		p.extra++
		return 63 + p.extra
	}
	p.taken[name] |= 1 << free
	return free
}

// giveBack makes the number free for the next key.
func (p *places) giveBack(name string, number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[name] &^= 1 << number; p.taken[name] == 0 { // a shift by 64 or more takes nothing away
		delete(p.taken, name)
	}
}

// takePlace gives the entry a key that is not in the queue, and that nothing
// under way can put there or take away.
func (e *entry) takePlace() {
	e.number = e.lease.places.draw(e.name)
	e.key = e.lease.keyPrefix(e.prefix) + strconv.FormatUint(e.number, 10)
}

// vacate lets others use the entry's key. It is not in the queue any more, and
// whatever may arrive late is guarded by its create revision.
func (e *entry) vacate() { e.lease.places.giveBack(e.name, e.number) }

// createdAt is the condition that the key is the one of that create revision, 0
// for that it is not there. (clientv3.Compare makes the same and copies it twice
// on the way.)
func createdAt(key string, rev int64) clientv3.Cmp {
	var is clientv3.Cmp
	c := is.GetCompare()
	c.Key, c.Target, c.Result = []byte(key), pb.Compare_CREATE, pb.Compare_EQUAL
	c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: rev}
	return is
}
