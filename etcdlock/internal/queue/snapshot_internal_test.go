package queue

import (
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func deletion(key string, rev int64) *clientv3.Event {
	return &clientv3.Event{Type: clientv3.EventTypeDelete, Kv: &mvccpb.KeyValue{Key: []byte(key), ModRevision: rev}}
}

func putting(key string, created, rev int64) *clientv3.Event {
	return &clientv3.Event{Type: clientv3.EventTypePut, Kv: &mvccpb.KeyValue{Key: []byte(key), CreateRevision: created, ModRevision: rev}}
}

// News change the snapshot once, each of them, and only what they are about.
func TestSnapshot_News(t *testing.T) {
	t.Parallel()
	const dir = "holdfast/n/"
	for name, c := range map[string]struct {
		events []*clientv3.Event
		want   []string
		rev    int64
	}{
		"TwoOfOneRevision":    {[]*clientv3.Event{deletion("a", 6), putting("c", 6, 6)}, []string{"b", "c"}, 6},
		"SeveralRevisions":    {[]*clientv3.Event{putting("c", 6, 6), deletion("a", 7), deletion("c", 9)}, []string{"b"}, 9},
		"ShownAlready":        {[]*clientv3.Event{putting("a", 3, 3), putting("c", 4, 4), deletion("b", 5)}, []string{"a", "b"}, 5},
		"ShownAndNew":         {[]*clientv3.Event{deletion("b", 5), putting("c", 6, 6)}, []string{"a", "b", "c"}, 6},
		"OfNoPlace":           {[]*clientv3.Event{deletion("x", 6)}, []string{"a", "b"}, 6},
		"WrittenAgain":        {[]*clientv3.Event{putting("b", 4, 6)}, []string{"a", "b"}, 6},
		"OfALongerName":       {[]*clientv3.Event{putting("c/1", 6, 6), deletion("c/1", 7)}, []string{"a", "b"}, 7},
		"GoneAndThereOnceAga": {[]*clientv3.Event{deletion("a", 6), putting("a", 7, 7)}, []string{"b", "a"}, 7},
	} {
		for _, ev := range c.events {
			ev.Kv.Key = append([]byte(dir), ev.Kv.Key...)
		}
		told := 0
		w := &watch{q: &Queue{path: dir, told: func() { told++ }}, whole: true}
		v := &w.snapshot
		*v = snapshot{rev: 5, places: []place{{dir + "a", 3}, {dir + "b", 4}}}
		if w.news(c.events) || told != 1 {
			t.Errorf("%s: it has to be looked at, or it was told %d times", name, told)
		}
		got := v.keys()
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], dir)
		}
		if !slices.Equal(got, c.want) || v.rev != c.rev {
			t.Errorf("%s: %v at %d, want %v at %d", name, got, v.rev, c.want, c.rev)
		}
	}
}

// A node is not looked for in a snapshot of a time before it, and not taken
// for another that has its key or its revision.
func TestSnapshot_Find(t *testing.T) {
	t.Parallel()
	v := &snapshot{rev: 5, places: []place{{"a", 3}, {"b", 4}}}
	for _, c := range []struct {
		key   string
		rev   int64
		at    int
		known bool
	}{{"b", 4, 1, true}, {"a", 3, 0, true}, {"c", 5, -1, true}, {"b", 3, -1, true}, {"a", 4, -1, true}, {"c", 6, 0, false}} {
		if at, known := v.find(place{c.key, c.rev}); at != c.at || known != c.known {
			t.Errorf("%s of %d is found at %d, %v", c.key, c.rev, at, known)
		}
	}
}
