package session

import (
	"math/bits"
	"sync"
)

// Slots number the keys that one lease has in the queues. etcd remembers a
// deleted key until it is compacted, and skips it in every read of the
// queue: with a key of its own for each time that somebody stood in the queue,
// every read would cost more than the one before. So a number is given again,
// the lowest that is free, once nothing can happen to its key any more.
type Slots struct {
	mu    sync.Mutex
	taken map[string]uint64 // the numbers below 64 whose keys may be in a queue, or come to be, by name
	spent map[string]uint64 // those whose keys never will, and that are not given again
	extra uint64            // how many others were drawn; they are not given again either
	out   uint64            // how many of these have keys that may be in a queue
}

// Draw returns a number for a key in the queue of the name, and how many others
// are taken there: their keys may be in the queue, or come to be.
func (p *Slots) Draw(name string) (number, others uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil {
		p.taken = make(map[string]uint64)
	}
	others = uint64(bits.OnesCount64(p.taken[name])) + p.out
	free := bits.TrailingZeros64(^(p.taken[name] | p.spent[name]))
	if free == 64 {
		p.extra++
		p.out++
		return 63 + p.extra, others
	}
	p.taken[name] |= 1 << free
	return uint64(free), others
}

// GiveBack makes the number free for the next key.
func (p *Slots) GiveBack(name string, number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free(name, number)
}

// Spend notes that the number's key is not in the queue and never will be, but is
// no good for the next.
func (p *Slots) Spend(name string, number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free(name, number)
	if number < 64 {
		if p.spent == nil {
			p.spent = make(map[string]uint64)
		}
		p.spent[name] |= 1 << number
	}
}

func (p *Slots) free(name string, number uint64) {
	if number >= 64 {
		p.out--
		return
	}
	if p.taken[name] &^= 1 << number; p.taken[name] == 0 {
		delete(p.taken, name)
	}
}
