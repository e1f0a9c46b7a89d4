package queue

import (
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"
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

// find returns where a node is in the snapshot, -1 if it is gone from there.
// It reports false if the snapshot does not show the node's time.
func (s *snapshot) find(node place) (at int, known bool) {
	if s.rev < node.rev {
		return 0, false
	}
	return slices.Index(s.places, node), true
}

// change is one thing that has happened to a key.
type change struct {
	key     []byte
	rev     int64
	created int64 // revision, if it was put
	put     bool  // else it was deleted
	value   []byte
}

func decode(ev *clientv3.Event) change {
	return change{
		key: ev.Kv.Key, rev: ev.Kv.ModRevision, created: ev.Kv.CreateRevision,
		put: ev.Type != clientv3.EventTypeDelete, value: ev.Kv.Value,
	}
}
