package memetcd

import (
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// noWatch is the id in answers that belong to no watch of the stream.
const noWatch = -1

type watchStream = stream[pb.WatchRequest, pb.WatchResponse]

// watcher is one watch; it does not change once it is made.
type watcher struct {
	stream      *watchStream
	id          int64
	span        span
	from        int64 // the first revision it is told of
	noPut, noDl bool
	prev        bool
}

func (s *Server) watchRequest(st *watchStream, r *pb.WatchRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch u := r.RequestUnion.(type) {
	case *pb.WatchRequest_CreateRequest:
		s.createWatch(st, u.CreateRequest)
	case *pb.WatchRequest_CancelRequest:
		id := u.CancelRequest.WatchId
		n := len(s.watchers)
		s.watchers = slices.DeleteFunc(s.watchers, func(w *watcher) bool { return w.stream == st && w.id == id })
		if len(s.watchers) < n {
			st.push(&pb.WatchResponse{Header: s.header(s.store.rev), WatchId: id, Canceled: true})
		}
	case *pb.WatchRequest_ProgressRequest:
		if slices.ContainsFunc(s.watchers, func(w *watcher) bool { return w.stream == st }) {
			st.push(&pb.WatchResponse{Header: s.header(s.store.rev), WatchId: noWatch})
		}
	}
	return nil
}

// createWatch answers that the watch is there, sends what happened since its
// start revision, and adds it; all under the lock, so that nothing is missed.
func (s *Server) createWatch(st *watchStream, r *pb.WatchCreateRequest) {
	refuse := func(why string) {
		st.push(&pb.WatchResponse{
			Header: s.header(s.store.rev), WatchId: noWatch,
			Created: true, Canceled: true, CancelReason: why,
		})
	}
	key, end := r.Key, r.RangeEnd
	if len(key) == 0 {
		key = []byte{0}
	}
	if r.StartRevision < 0 {
		refuse(rpctypes.ErrCompacted.Error())
		return
	}
	w := &watcher{
		stream: st, id: st.nextID,
		span:  newSpan(key, end),
		from:  max(r.StartRevision, s.store.rev+1),
		noPut: slices.Contains(r.Filters, pb.WatchCreateRequest_NOPUT),
		noDl:  slices.Contains(r.Filters, pb.WatchCreateRequest_NODELETE),
		prev:  r.PrevKv,
	}
	if !w.span.single && !w.span.open && w.span.key >= w.span.end {
		refuse("mvcc: watcher range is empty")
		return
	}
	st.nextID++
	st.push(&pb.WatchResponse{Header: s.header(s.store.rev), WatchId: w.id, Created: true})
	if 0 < r.StartRevision && r.StartRevision <= s.store.rev {
		if r.StartRevision < s.store.compacted {
			st.push(&pb.WatchResponse{
				Header: s.header(s.store.rev), WatchId: w.id,
				CompactRevision: s.store.compacted, Canceled: true,
			})
			return
		}
		w.tell(s.store.since(r.StartRevision), s.header(s.store.rev))
	}
	// A stream that ended meanwhile has already dropped its watches.
	if !st.ended() {
		s.watchers = append(s.watchers, w)
	}
}

// notify tells every watch of the changes of the revision just made.
func (s *Server) notify(changes []change) {
	for _, w := range s.watchers {
		if w.from <= s.store.rev {
			w.tell(changes, s.header(s.store.rev))
		}
	}
}

// tell sends the changes that the watch asks for, when there are any.
func (w *watcher) tell(changes []change, h *pb.ResponseHeader) {
	var events []*mvccpb.Event
	for _, c := range changes {
		deleted := c.kv.CreateRevision == 0
		if deleted && w.noDl || !deleted && w.noPut || !w.span.has(string(c.kv.Key)) {
			continue
		}
		ev := &mvccpb.Event{Type: mvccpb.Event_PUT, Kv: clone(c.kv)}
		if deleted {
			ev.Type = mvccpb.Event_DELETE
		}
		if created := c.kv.CreateRevision == c.kv.ModRevision; w.prev && !created {
			ev.PrevKv = clone(c.prev)
		}
		events = append(events, ev)
	}
	if len(events) > 0 {
		w.stream.push(&pb.WatchResponse{Header: h, WatchId: w.id, Events: events})
	}
}

func (s *Server) dropWatches(st *watchStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers = slices.DeleteFunc(s.watchers, func(w *watcher) bool { return w.stream == st })
}
