package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
)

// contest is what one contender does: take a lock and give it back, again and
// again, for a while.
type contest struct {
	Servers servers
	Peer    string
	Name    string
	Window  time.Duration
}

// visits are one contender's times with the lock.
type visits struct {
	At   []int64 // when it got the lock, nanoseconds of the wall clock, which all processes share
	Wait []int64 // how long it had waited then, nanoseconds
}

// contend connects, warms up, calls ready, waits for start and contends.
func contend(ctx context.Context, c contest, ready func() error, start <-chan struct{}) (v visits, err error) {
	p, err := peerNamed(c.Servers, c.Peer)
	if err != nil {
		return v, err
	}
	m, t, err := joinPeer(ctx, c.Servers, p)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, closeMember(ctx, m)) }()
	if err := ready(); err != nil {
		return v, err
	}
	select {
	case <-start:
	case <-ctx.Done():
		return v, ctx.Err()
	}
	return v, c.visit(ctx, t, &v)
}

// drain bounds how long the last waiters of a window may take. They are served
// and not cut off: etcd's lock service can hang after many waits were cancelled.
const drain = time.Minute

func (c contest) visit(ctx context.Context, t taker, v *visits) error {
	ctx, cancel := context.WithTimeout(ctx, c.Window+drain)
	defer cancel()
	end := time.Now().Add(c.Window)
	for {
		asked := time.Now()
		if asked.After(end) {
			return nil
		}
		if err := t.lock(ctx, c.Name); err != nil {
			return err
		}
		v.At = append(v.At, time.Now().UnixNano())
		v.Wait = append(v.Wait, int64(time.Since(asked)))
		if err := t.unlock(ctx); err != nil {
			return err
		}
	}
}

// contendAsChild is contend in a process of its own: it prints that it is
// ready, starts at a line of input and prints its visits.
func contendAsChild(ctx context.Context, c contest, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start, lines := make(chan struct{}), json.NewEncoder(out)
	go func() {
		one := make([]byte, 1)
		if _, err := io.ReadFull(in, one); err != nil {
			cancel()
			return
		}
		close(start)
	}()
	v, err := contend(ctx, c, func() error { return lines.Encode("ready") }, start)
	if err != nil {
		return err
	}
	return lines.Encode(v)
}

// goroutines runs n contenders, each with a client of its own, and returns
// when they were started and what they did.
func (c contest) goroutines(ctx context.Context, n int) (time.Time, []visits, error) {
	all := make([]visits, n)
	ready, start := make(chan struct{}, n), make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	for i := range n {
		g.Go(func() (err error) {
			all[i], err = contend(ctx, c, func() error { ready <- struct{}{}; return nil }, start)
			return err
		})
	}
	for range n {
		select {
		case <-ready:
		case <-ctx.Done():
			return time.Time{}, nil, g.Wait()
		}
	}
	began := time.Now()
	close(start)
	return began, all, g.Wait()
}

// processes is goroutines with processes.
func (c contest) processes(ctx context.Context, n int) (began time.Time, all []visits, err error) {
	all = make([]visits, n)
	type contender struct {
		*child.Process
		says *json.Decoder
	}
	contenders := make([]contender, 0, n)
	defer func() {
		for _, k := range contenders {
			err = errors.Join(err, k.End())
		}
	}()
	for range n {
		k, err := child.Start(ctx, contenderRole, c)
		if err != nil {
			return began, nil, err
		}
		contenders = append(contenders, contender{k, json.NewDecoder(k.Out)})
	}
	for _, k := range contenders {
		var word string
		if err := k.says.Decode(&word); err != nil {
			return began, nil, fmt.Errorf("starting a contender: %w", err)
		}
	}
	began = time.Now()
	for _, k := range contenders {
		if _, err := k.In.Write([]byte("\n")); err != nil {
			return began, nil, fmt.Errorf("starting a contender: %w", err)
		}
	}
	for i, k := range contenders {
		if err := k.says.Decode(&all[i]); err != nil {
			return began, nil, fmt.Errorf("hearing of a contender: %w", err)
		}
	}
	return began, all, nil
}

// handovers is what became of a contest.
type handovers struct {
	each         float64 // milliseconds between two of them; NaN if there was none
	median, most float64 // milliseconds that a contender waited for it to come from another
	holds        int     // how often the lock was taken, handed over or not
}

// judge counts how often the lock went from one contender to another within
// the window. A contender that takes the lock again at once has handed nothing
// over, however fast it is.
func judge(began time.Time, window time.Duration, all []visits) handovers {
	type visit struct {
		at   int64
		who  int
		wait int64
	}
	var order []visit
	end := began.Add(window).UnixNano()
	for who, v := range all {
		for i, at := range v.At {
			if at <= end {
				order = append(order, visit{at, who, v.Wait[i]})
			}
		}
	}
	slices.SortFunc(order, func(a, b visit) int { return cmp.Compare(a.at, b.at) })
	var waits []float64
	for i := 1; i < len(order); i++ {
		if order[i].who != order[i-1].who {
			waits = append(waits, float64(order[i].wait)/1e6)
		}
	}
	h := handovers{each: math.NaN(), median: math.NaN(), most: math.NaN(), holds: len(order)}
	if len(waits) > 0 {
		h.each = window.Seconds() * 1e3 / float64(len(waits))
		h.median, h.most = median(waits), slices.Max(waits)
	}
	return h
}
