package lock_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"
)

// watchLog is one watch of one side.
type watchLog struct {
	ch   clientv3.WatchChan
	from int64 // the revision it starts at, 0 for now
	stop context.CancelFunc
}

// watch opens a watch from now on, or from a revision that is still to come.
func (d *duel) watch() {
	if len(d.watches) > 3 {
		return
	}
	name, opts := d.watchArgs()
	ahead := int64(0)
	if d.seldom("ahead") {
		ahead = rapid.Int64Range(1, 3).Draw(d.rt, "by")
	}
	d.open(fmt.Sprintf("%s ahead %d", name, ahead), spanKey(name), opts, func(ctx context.Context, s *side) (int64, error) {
		if ahead == 0 {
			return 0, nil
		}
		r, err := s.cli.Get(ctx, "x")
		if err != nil {
			return 0, err
		}
		return r.Header.Revision + ahead, nil
	})
}

// watchPast opens a watch on what has happened. It comes after all other
// operations: etcd reads the history some time after it made the watch, and a
// compaction in between would decide differently each time.
func (d *duel) watchPast() {
	name, opts := d.watchArgs()
	at := rapid.Int64Range(1, 30).Draw(d.rt, "at")
	d.open(fmt.Sprintf("%s from %d", name, at), spanKey(name), opts, func(_ context.Context, s *side) (int64, error) {
		return s.base + at, nil
	})
}

func (d *duel) watchArgs() (string, []clientv3.OpOption) {
	name, opts := d.span()
	opts = append(opts, clientv3.WithCreatedNotify())
	for _, o := range []struct {
		name string
		opt  clientv3.OpOption
	}{{"noput", clientv3.WithFilterPut()}, {"nodelete", clientv3.WithFilterDelete()}} {
		if d.seldom(o.name) {
			opts = append(opts, o.opt)
			name += ".. " + o.name
			break // with both there would be nothing to see
		}
	}
	if d.flag("prev") {
		name, opts = name+".. prev", append(opts, clientv3.WithPrevKV())
	}
	return name, opts
}

func (d *duel) open(name, key string, opts []clientv3.OpOption, start func(context.Context, *side) (int64, error)) {
	opened := false
	d.ask(fmt.Sprintf("watch %q", name), func(ctx context.Context, s *side) (string, error) {
		from, err := start(ctx, s)
		if err != nil {
			return "", err
		}
		wctx, stop := context.WithCancel(d.rt.Context())
		ch := s.cli.Watch(wctx, key, append(slices.Clip(opts), clientv3.WithRev(from))...)
		select {
		case r, ok := <-ch:
			if !ok || r.Canceled {
				stop()
				return fmt.Sprintf("refused %v %v", ok, r.Err()), nil
			}
			opened = true
			s.watches = append(s.watches, &watchLog{ch: ch, from: from, stop: stop})
			return fmt.Sprintf("created %v %s", r.Created, s.header(r.Header)), nil
		case <-ctx.Done():
			stop()
			return "", ctx.Err()
		}
	})
	if opened {
		d.watches = append(d.watches, key)
	}
}

// compareWatches compares what each watch has seen up to a last write to its
// first key: a put and a delete, for either may be filtered out.
func (d *duel) compareWatches() {
	for i, key := range d.watches {
		d.ask(fmt.Sprintf("events of watch %d", i), func(ctx context.Context, s *side) (string, error) {
			for {
				r, err := s.cli.Put(ctx, key, "last")
				if err != nil {
					return "", err
				}
				if r.Header.Revision >= s.watches[i].from {
					break
				}
			}
			r, err := s.cli.Delete(ctx, key)
			if err != nil {
				return "", err
			}
			return s.watches[i].until(ctx, s, r.Header.Revision-1)
		})
	}
}

// until collects events up to a revision.
func (w *watchLog) until(ctx context.Context, s *side, last int64) (string, error) {
	var seen []string
	for {
		select {
		case r, ok := <-w.ch:
			if !ok {
				return strings.Join(append(seen, "closed"), "\n"), nil
			}
			if err := r.Err(); err != nil {
				return strings.Join(append(seen, fmt.Sprintf("%v, compacted %s", err, s.rev(r.CompactRevision))), "\n"), nil
			}
			for _, ev := range r.Events {
				seen = append(seen, s.event(ev))
				if ev.Kv.ModRevision >= last {
					return strings.Join(seen, "\n"), nil
				}
			}
		case <-ctx.Done():
			return strings.Join(seen, "\n"), ctx.Err()
		}
	}
}
