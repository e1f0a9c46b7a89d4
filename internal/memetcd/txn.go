package memetcd

import (
	"cmp"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func (s *Server) txnCall(r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := checkTxn(r, maxTxnOps); err != nil {
		return nil, err
	}
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		if _, err := checkOverlap(ops); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// All compares, nested ones too, look at the state before the first write,
	// and so do the checks: a transaction fails whole or not at all.
	plan := s.planTxn(r)
	if err := s.canTxn(plan); err != nil {
		return nil, err
	}
	w := &write{s: s}
	resp := s.runTxn(w, plan)
	resp.Header = s.header(w.rev())
	w.end()
	return resp, nil
}

// txnPlan is the branch that a transaction takes; nested has the plan of each
// operation that is itself a transaction.
type txnPlan struct {
	succeeded bool
	ops       []*pb.RequestOp
	nested    map[int]*txnPlan
}

func (s *Server) planTxn(r *pb.TxnRequest) *txnPlan {
	p := &txnPlan{succeeded: true, ops: r.Success, nested: make(map[int]*txnPlan)}
	for _, c := range r.Compare {
		if !s.compare(c) {
			p.succeeded, p.ops = false, r.Failure
			break
		}
	}
	for i, op := range p.ops {
		if sub := op.GetRequestTxn(); sub != nil {
			p.nested[i] = s.planTxn(sub)
		}
	}
	return p
}

// canTxn checks what depends on the state, before anything is written.
func (s *Server) canTxn(p *txnPlan) error {
	for i, op := range p.ops {
		var err error
		switch r := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			rev := r.RequestRange.Revision
			switch {
			case rev > s.store.rev:
				err = rpctypes.ErrGRPCFutureRev
			case rev != 0 && rev < s.store.compacted:
				err = rpctypes.ErrGRPCCompacted
			}
		case *pb.RequestOp_RequestPut:
			err = s.canPut(r.RequestPut)
		case *pb.RequestOp_RequestTxn:
			err = s.canTxn(p.nested[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) runTxn(w *write, p *txnPlan) *pb.TxnResponse {
	resp := &pb.TxnResponse{Header: &pb.ResponseHeader{}, Succeeded: p.succeeded}
	for i, op := range p.ops {
		var out pb.ResponseOp
		switch r := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			out.Response = &pb.ResponseOp_ResponseRange{ResponseRange: s.rangeLocked(r.RequestRange, w.rev())}
		case *pb.RequestOp_RequestPut:
			out.Response = &pb.ResponseOp_ResponsePut{ResponsePut: s.putLocked(w, r.RequestPut)}
		case *pb.RequestOp_RequestDeleteRange:
			out.Response = &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: s.deleteLocked(w, r.RequestDeleteRange)}
		case *pb.RequestOp_RequestTxn:
			out.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: s.runTxn(w, p.nested[i])}
		}
		resp.Responses = append(resp.Responses, &out)
	}
	return resp
}

// compare holds for a range when it holds for every key in it. An absent key has
// zero revisions and no value: no comparison of values holds for it.
func (s *Server) compare(c *pb.Compare) bool {
	kvs := s.store.read(newSpan(c.Key, c.RangeEnd), 0)
	if len(kvs) == 0 {
		return c.Target != pb.Compare_VALUE && compareKV(c, &mvccpb.KeyValue{})
	}
	for _, kv := range kvs {
		if !compareKV(c, kv) {
			return false
		}
	}
	return true
}

func compareKV(c *pb.Compare, kv *mvccpb.KeyValue) bool {
	var n int
	switch c.Target {
	case pb.Compare_VALUE:
		n = slices.Compare(kv.Value, c.GetValue())
	case pb.Compare_CREATE:
		n = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		n = cmp.Compare(kv.ModRevision, c.GetModRevision())
	case pb.Compare_VERSION:
		n = cmp.Compare(kv.Version, c.GetVersion())
	case pb.Compare_LEASE:
		n = cmp.Compare(kv.Lease, c.GetLease())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return n == 0
	case pb.Compare_NOT_EQUAL:
		return n != 0
	case pb.Compare_GREATER:
		return n > 0
	case pb.Compare_LESS:
		return n < 0
	}
	return true
}
