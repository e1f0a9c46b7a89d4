package queue

import (
	"context"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// snapshot is the queue as it was at one revision: who owned the name at that one
// owns it until its key goes, so the first in the snapshot need not ask.
type snapshot struct {
	places []place // by create revision
	rev    int64   // 0 as long as there is none
}

type place struct {
	key string
	rev int64
}

// load takes the snapshot again, as things were at the revision since or later,
// or with 0 as they are now, as soon as etcd tells.
func (w *watch) load(ctx context.Context, since int64) error {
	sp, path := w.q.sp, w.q.path
	read := func(local bool) (*clientv3.GetResponse, error) {
		opts := append(allByAge(), clientv3.WithKeysOnly())
		if local {
			opts = append(opts, clientv3.WithSerializable())
		}
		// Not on ctx, which the watch keeps: a context that had a child once is 250 bytes larger.
		return sp.get(sp.Session.Watching(), path, opts...)
	}
	var pace session.Backoff
	for {
		resp, err := read(since > 0)
		if err == nil && resp.Header.Revision < since { // another member, which lags behind
			resp, err = read(false)
		}
		if err == nil {
			w.change(func() { w.snapshot.take(path, resp) })
			return nil
		}
		if sp.Session.Final(err) || !pace.Wait(ctx) {
			return err
		}
	}
}

// take replaces the snapshot by what a read has found.
func (s *snapshot) take(path string, resp *clientv3.GetResponse) {
	s.places = s.places[:0]
	for _, kv := range queueIn(path, resp.Kvs) {
		s.places = append(s.places, place{string(kv.Key), kv.CreateRevision})
	}
	s.rev = resp.Header.Revision
}

// apply brings the snapshot up to date.
func (s *snapshot) apply(path string, events []*clientv3.Event) {
	shown := s.rev // several events may be of one revision
	for _, ev := range events {
		c := decode(ev)
		if c.rev <= shown {
			continue
		}
		s.rev = c.rev
		at := slices.IndexFunc(s.places, func(p place) bool { return p.key == string(c.key) })
		switch {
		case c.put && c.created == c.rev && InQueue(path, string(c.key)):
			s.places = append(s.places, place{string(c.key), c.created})
		case !c.put && at >= 0:
			s.places = slices.Delete(s.places, at, at+1)
		}
	}
}

// find returns the node's place in the snapshot, -1 if it is gone from there.
// It reports false if the snapshot does not show the node's time.
func (s *snapshot) find(n *Node) (at int, known bool) {
	if s.rev < n.rev {
		return 0, false
	}
	return slices.IndexFunc(s.places, func(p place) bool { return p.rev == n.rev && p.key == n.key }), true
}
