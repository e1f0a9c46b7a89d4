package memetcd

import (
	"sort"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// store holds the keys. A KeyValue in it is never changed once it is there, and
// never handed out: answers carry copies.
type store struct {
	rev       int64
	compacted int64
	live      map[string]*mvccpb.KeyValue
	order     []string // the keys of live, sorted

	past map[string][]*mvccpb.KeyValue // every version, the deleted ones too, oldest first
	log  []change
}

// change is one entry of the history. A deleted key has CreateRevision 0.
type change struct {
	kv, prev *mvccpb.KeyValue
}

func newStore() store {
	return store{
		rev:       1,
		compacted: -1,
		live:      make(map[string]*mvccpb.KeyValue),
		past:      make(map[string][]*mvccpb.KeyValue),
	}
}

// span is a range of keys: one key, [key, end), or everything from key on.
type span struct {
	key, end string
	single   bool
	open     bool
}

func newSpan(key, end []byte) span {
	return span{
		key: string(key), end: string(end),
		single: len(end) == 0,
		open:   len(end) == 1 && end[0] == 0,
	}
}

func (sp span) has(k string) bool {
	if sp.single {
		return k == sp.key
	}
	return k >= sp.key && (sp.open || k < sp.end)
}

// read returns what is in the span, by key, now (rev 0) or at a past revision.
func (s *store) read(sp span, rev int64) []*mvccpb.KeyValue {
	if rev > 0 {
		return s.readPast(sp, rev)
	}
	if sp.single {
		if kv := s.live[sp.key]; kv != nil {
			return []*mvccpb.KeyValue{kv}
		}
		return nil
	}
	var out []*mvccpb.KeyValue
	for i := sort.SearchStrings(s.order, sp.key); i < len(s.order) && sp.has(s.order[i]); i++ {
		out = append(out, s.live[s.order[i]])
	}
	return out
}

func (s *store) readPast(sp span, rev int64) []*mvccpb.KeyValue {
	var out []*mvccpb.KeyValue
	for k, versions := range s.past {
		if !sp.has(k) {
			continue
		}
		i := sort.Search(len(versions), func(i int) bool { return versions[i].ModRevision > rev })
		if i > 0 && versions[i-1].CreateRevision != 0 {
			out = append(out, versions[i-1])
		}
	}
	sort.Slice(out, func(i, j int) bool { return string(out[i].Key) < string(out[j].Key) })
	return out
}

func (s *store) set(kv *mvccpb.KeyValue) {
	k := string(kv.Key)
	if s.live[k] == nil {
		i := sort.SearchStrings(s.order, k)
		s.order = append(s.order, "")
		copy(s.order[i+1:], s.order[i:])
		s.order[i] = k
	}
	s.live[k] = kv
}

func (s *store) unset(k string) {
	delete(s.live, k)
	i := sort.SearchStrings(s.order, k)
	s.order = append(s.order[:i], s.order[i+1:]...)
}

// committed is what a key was before the write under way, nil when absent.
func (s *store) committed(k string) *mvccpb.KeyValue {
	versions := s.past[k]
	if len(versions) == 0 || versions[len(versions)-1].CreateRevision == 0 {
		return nil
	}
	return versions[len(versions)-1]
}

// commit makes the changes of one write the next revision.
func (s *store) commit(changes []change) {
	s.rev++
	for _, c := range changes {
		k := string(c.kv.Key)
		s.past[k] = append(s.past[k], c.kv)
	}
	s.log = append(s.log, changes...)
}

// compact forgets what no read at rev or later can see.
func (s *store) compact(rev int64) {
	s.compacted = rev
	i := sort.Search(len(s.log), func(i int) bool { return s.log[i].kv.ModRevision >= rev })
	s.log = append([]change(nil), s.log[i:]...)
	for k, versions := range s.past {
		i := sort.Search(len(versions), func(i int) bool { return versions[i].ModRevision > rev })
		if i > 0 && versions[i-1].CreateRevision != 0 {
			i-- // the version that was current at rev stays readable
		}
		if i == len(versions) {
			delete(s.past, k)
			continue
		}
		s.past[k] = append([]*mvccpb.KeyValue(nil), versions[i:]...)
	}
}

// since lists the history from a revision on.
func (s *store) since(rev int64) []change {
	i := sort.Search(len(s.log), func(i int) bool { return s.log[i].kv.ModRevision >= rev })
	return s.log[i:]
}

func clone(kv *mvccpb.KeyValue) *mvccpb.KeyValue {
	if kv == nil {
		return nil
	}
	return &mvccpb.KeyValue{
		Key:            append([]byte(nil), kv.Key...),
		Value:          append([]byte(nil), kv.Value...),
		CreateRevision: kv.CreateRevision,
		ModRevision:    kv.ModRevision,
		Version:        kv.Version,
		Lease:          kv.Lease,
	}
}

func cloneAll(kvs []*mvccpb.KeyValue) []*mvccpb.KeyValue {
	out := make([]*mvccpb.KeyValue, len(kvs))
	for i, kv := range kvs {
		out[i] = clone(kv)
	}
	return out
}
