package memetcd

import (
	"cmp"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func (s *Server) rangeCall(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := checkRange(r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Revision > s.store.rev {
		return nil, rpctypes.ErrGRPCFutureRev
	}
	if r.Revision > 0 && r.Revision < s.store.compacted {
		return nil, rpctypes.ErrGRPCCompacted
	}
	resp := s.rangeLocked(r, s.store.rev)
	resp.Header = s.header(resp.Header.Revision)
	return resp, nil
}

// rangeLocked answers a checked range. The count is of all keys in the range,
// whatever the limit and the revision filters leave of them: so is etcd's.
func (s *Server) rangeLocked(r *pb.RangeRequest, rev int64) *pb.RangeResponse {
	resp := &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: rev}}
	kvs := s.store.read(newSpan(r.Key, r.RangeEnd), r.Revision)
	resp.Count = int64(len(kvs))
	if r.CountOnly {
		return resp
	}
	filtered := r.MaxModRevision != 0 || r.MinModRevision != 0 || r.MaxCreateRevision != 0 || r.MinCreateRevision != 0
	if r.Limit > 0 && r.SortOrder == pb.RangeRequest_NONE && !filtered {
		// Without an order etcd cuts before it sorts, whatever the target.
		kvs = kvs[:min(int64(len(kvs)), r.Limit+1)]
	}
	kvs = slices.DeleteFunc(kvs, func(kv *mvccpb.KeyValue) bool {
		return r.MaxModRevision != 0 && kv.ModRevision > r.MaxModRevision ||
			r.MinModRevision != 0 && kv.ModRevision < r.MinModRevision ||
			r.MaxCreateRevision != 0 && kv.CreateRevision > r.MaxCreateRevision ||
			r.MinCreateRevision != 0 && kv.CreateRevision < r.MinCreateRevision
	})
	sortKVs(kvs, r.SortTarget, r.SortOrder)
	if r.Limit > 0 && int64(len(kvs)) > r.Limit {
		kvs, resp.More = kvs[:r.Limit], true
	}
	resp.Kvs = cloneAll(kvs)
	if r.KeysOnly {
		for _, kv := range resp.Kvs {
			kv.Value = nil
			if r.SortTarget != pb.RangeRequest_VALUE {
				kv.Lease = 0 // etcd reads the index then, which knows no leases
			}
		}
	}
	return resp
}

func sortKVs(kvs []*mvccpb.KeyValue, target pb.RangeRequest_SortTarget, order pb.RangeRequest_SortOrder) {
	if target == pb.RangeRequest_KEY && order != pb.RangeRequest_DESCEND {
		return // they come by key
	}
	slices.SortStableFunc(kvs, func(a, b *mvccpb.KeyValue) int {
		var c int
		switch target {
		case pb.RangeRequest_KEY:
			c = slices.Compare(a.Key, b.Key)
		case pb.RangeRequest_VERSION:
			c = cmp.Compare(a.Version, b.Version)
		case pb.RangeRequest_CREATE:
			c = cmp.Compare(a.CreateRevision, b.CreateRevision)
		case pb.RangeRequest_MOD:
			c = cmp.Compare(a.ModRevision, b.ModRevision)
		case pb.RangeRequest_VALUE:
			c = slices.Compare(a.Value, b.Value)
		}
		if order == pb.RangeRequest_DESCEND {
			return -c
		}
		return c
	})
}

func (s *Server) putCall(r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := checkPut(r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.canPut(r); err != nil {
		return nil, err
	}
	w := &write{s: s}
	resp := s.putLocked(w, r)
	w.end()
	resp.Header = s.header(resp.Header.Revision)
	return resp, nil
}

// canPut checks what depends on the state: the lease exists, and so does the key
// whose value or lease is kept.
func (s *Server) canPut(r *pb.PutRequest) error {
	if r.Lease != 0 && s.leases[r.Lease] == nil {
		return rpctypes.ErrGRPCLeaseNotFound
	}
	if (r.IgnoreValue || r.IgnoreLease) && s.store.live[string(r.Key)] == nil {
		return rpctypes.ErrGRPCKeyNotFound
	}
	return nil
}

func (s *Server) putLocked(w *write, r *pb.PutRequest) *pb.PutResponse {
	value, leaseID := r.Value, r.Lease
	old := s.store.live[string(r.Key)]
	// old is absent here only when an earlier operation of the same transaction
	// deleted it, which etcd does not survive.
	if r.IgnoreValue {
		value = old.GetValue()
	}
	if r.IgnoreLease {
		leaseID = old.GetLease()
	}
	w.put(r.Key, value, leaseID)
	resp := &pb.PutResponse{Header: &pb.ResponseHeader{Revision: w.rev()}}
	if r.PrevKv {
		resp.PrevKv = clone(old)
	}
	return resp
}

func (s *Server) deleteCall(r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	if err := checkDelete(r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &write{s: s}
	resp := s.deleteLocked(w, r)
	w.end()
	resp.Header = s.header(resp.Header.Revision)
	return resp, nil
}

func (s *Server) deleteLocked(w *write, r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	kvs := s.store.read(newSpan(r.Key, r.RangeEnd), 0)
	for _, kv := range kvs {
		w.remove(kv)
	}
	resp := &pb.DeleteRangeResponse{Header: &pb.ResponseHeader{Revision: w.rev()}, Deleted: int64(len(kvs))}
	if r.PrevKv {
		resp.PrevKvs = cloneAll(kvs)
	}
	return resp
}

func (s *Server) compactCall(r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Revision <= s.store.compacted {
		return nil, rpctypes.ErrGRPCCompacted
	}
	if r.Revision > s.store.rev {
		return nil, rpctypes.ErrGRPCFutureRev
	}
	s.store.compact(r.Revision)
	return &pb.CompactionResponse{Header: s.header(s.store.rev)}, nil
}
