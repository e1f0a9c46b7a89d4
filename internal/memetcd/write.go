package memetcd

import (
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// write collects the changes of one call, which become one revision. The live
// keys change at once, so that later operations of the same transaction see the
// earlier ones; nothing can fail in between, because all checks come before.
type write struct {
	s       *Server
	changes []change
}

// rev is the revision that a read inside the write is at.
func (w *write) rev() int64 {
	if len(w.changes) > 0 {
		return w.s.store.rev + 1
	}
	return w.s.store.rev
}

func (w *write) put(key, value []byte, leaseID int64) {
	st, k := &w.s.store, string(key)
	next := st.rev + 1
	kv := &mvccpb.KeyValue{
		Key:            append([]byte(nil), key...),
		Value:          append([]byte(nil), value...),
		CreateRevision: next,
		ModRevision:    next,
		Version:        1,
		Lease:          leaseID,
	}
	old := st.live[k]
	if old != nil {
		kv.CreateRevision, kv.Version = old.CreateRevision, old.Version+1
		w.s.detach(old)
	}
	w.s.attach(kv)
	st.set(kv)
	w.changes = append(w.changes, change{kv: kv, prev: st.committed(k)})
}

func (w *write) remove(kv *mvccpb.KeyValue) {
	st := &w.s.store
	w.s.detach(kv)
	st.unset(string(kv.Key))
	gone := &mvccpb.KeyValue{Key: kv.Key, ModRevision: st.rev + 1}
	w.changes = append(w.changes, change{kv: gone, prev: st.committed(string(kv.Key))})
}

// end makes the revision and tells the watchers. Without a change it does
// nothing: the revision stays.
func (w *write) end() {
	if len(w.changes) == 0 {
		return
	}
	st := &w.s.store
	st.commit(w.changes)
	w.s.notify(w.changes)
	// Twice the limit before cutting to the limit: cutting walks all keys.
	if len(st.log) > 2*w.s.history {
		st.compact(st.log[len(st.log)-w.s.history].kv.ModRevision)
	}
}
