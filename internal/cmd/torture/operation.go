package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// operation is what a worker is about to do.
type operation struct {
	kind   kind
	how    way
	keys   []string
	amount int64
	stop   bool // waits between reading and writing
	spoil  spoil
	stay   time.Duration // after which the caller leaves
	harm   harm
}

// draw picks an operation of the load. straggle is the part that leaves
// goroutines behind.
func (j workerJob) draw(rng *rand.Rand, straggle float64) operation {
	o := operation{kind: counting, how: j.Place.way(rng)}
	if j.Place.moves() && rng.Float64() < straggle {
		return operation{kind: straggling, how: byTx, keys: one(rng, j.Data.Lists)}
	}
	switch p := rng.IntN(100); {
	case p < 10:
		o.kind, o.keys = appending, one(rng, j.Data.Lists)
	case p < 20 && j.Place.moves():
		o.kind, o.keys, o.amount = moving, two(rng, j.Data.Accounts), 1+rng.Int64N(9)
		if o.how == byUpdate {
			o.how = byTx
		}
	case p < 30:
		o.kind, o.keys = setting, []string{j.Data.register()}
	case p < 40 && !j.Place.Setup.Stale: // where reads without the lock see nothing new
		o.kind, o.keys = reading, []string{j.Data.register()}
	default:
		o.keys = one(rng, j.Data.Counters)
	}
	return o
}

// register is the one that everybody uses this second, so that none has more
// operations than a checker of histories can think through.
func (d data) register() string {
	return d.Registers[time.Now().Unix()%int64(len(d.Registers))]
}

// moves reports whether the store can write two records or none.
func (p place) moves() bool { return p.Store != onMongoDB }

func (p place) ways() []way {
	if !p.moves() {
		return []way{byUpdate, byDo}
	}
	return []way{byUpdate, byDo, byTx}
}

func (p place) way(rng *rand.Rand) way { return one(rng, p.ways())[0] }

func one[V any](rng *rand.Rand, of []V) []V { return []V{of[rng.IntN(len(of))]} }

func two(rng *rand.Rand, of []string) []string {
	i := rng.IntN(len(of))
	return []string{of[i], of[(i+1+rng.IntN(len(of)-1))%len(of)]}
}

// step does the operation that the run asked for.
func (w *worker) step(ctx context.Context, name string, s step) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	w.mu.Lock()
	w.cancels[name] = cancel
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.cancels, name)
	}()
	o := operation{kind: s.Kind, how: s.How, keys: []string{s.Key}, stop: s.Stop, harm: s.Harm}
	if s.List != "" {
		o.keys = append(o.keys, s.List)
	}
	w.perform(ctx, name, o)
}

// stepLimit ends a step that nobody goes on with.
const stepLimit = time.Minute

// perform does an operation and reports its beginning and its end. A process
// that dies in between leaves only the beginning.
func (w *worker) perform(ctx context.Context, name string, o operation) {
	w.say(report{What: isStart, Op: name, Kind: o.kind, Keys: o.keys, How: o.how, New: o.amount, At: time.Now().UnixNano()})
	answer := report{Op: name}
	var written bool
	var err error
	switch o.kind {
	case reading:
		var r *Record
		if r, err = w.back.repo.FindByID(ctx, o.keys[0]); err == nil {
			written, answer.New = true, r.N
		}
	case ignoring:
		written, err = w.ignore(ctx, name, o, &answer)
	case straggling:
		var left sync.WaitGroup
		defer left.Wait()
		written, err = w.straggle(ctx, name, o, &answer, &left)
	case saving, entering:
		written, err = w.save(ctx, name, o, &answer)
	default:
		written, err = o.spoil.attempt(func() (bool, error) { return w.change(ctx, name, o, &answer) })
	}
	answer.At = time.Now().UnixNano()
	answer.What = outcomeOf(written, err)
	if err != nil {
		answer.Err, answer.Kinds = err.Error(), kindsOf(err)
		if unknown, ok := errors.AsType[*repo.UnknownError](err); ok {
			answer.ID = unknown.Op
		}
	}
	w.say(answer)
}

// change reads, changes and writes.
func (w *worker) change(ctx context.Context, name string, o operation, answer *report) (written bool, err error) {
	stopped := false
	return w.current().do(ctx, change{o.how, o.keys, func(rs []*Record) error {
		if err := w.alter(name, o, rs, answer); err != nil {
			return err
		}
		if err := o.spoil.do(rs[0]); err != nil {
			return err
		}
		if o.stop && !stopped {
			stopped = true
			w.await(name)
		}
		return nil
	}})
}

// alter changes the records in memory and notes what they were.
func (w *worker) alter(name string, o operation, rs []*Record, answer *report) error {
	r := rs[0]
	answer.Old = r.N
	switch o.kind {
	case counting:
		r.N++
	case setting:
		r.N = valueOf(name)
	case appending:
		r.Text += name + ","
	case moving:
		if len(rs) != 2 {
			return errors.New("an account is missing")
		}
		from, to := rs[0], rs[1]
		if from.ID != o.keys[0] {
			from, to = to, from
		}
		from.N -= o.amount
		to.N += o.amount
		answer.Old, answer.New = from.N, o.amount
		return nil
	case reading, ignoring, straggling, saving, entering:
	}
	answer.New = r.N
	return nil
}

// valueOf makes an operation's name a number that no other has: "w1.2.3" is
// 1 002 000 003.
func valueOf(name string) int64 {
	var worker, life, n int64
	_, _ = fmt.Sscanf(name, "w%d.%d.%d", &worker, &life, &n)
	return (worker+1)*1e12 + life*1e9 + n
}

// await waits for the run to let the operation go on, whatever became of its
// lock meanwhile, as a process does that was stopped here.
func (w *worker) await(name string) {
	waits := make(chan struct{})
	w.mu.Lock()
	w.waiting[name] = waits
	w.mu.Unlock()
	w.say(report{What: isRead, Op: name})
	limit := time.NewTimer(stepLimit)
	defer limit.Stop()
	select {
	case <-waits:
	case <-limit.C:
	}
}
