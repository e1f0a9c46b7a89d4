package memetcd

import (
	"maps"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxTxnOps is etcd's default limit of operations in a transaction.
const maxTxnOps = 128

var (
	errStopped     = rpctypes.ErrGRPCStopped
	errUnreachable = status.Error(codes.Unavailable, "memetcd: the server is unreachable")
)

func checkRange(r *pb.RangeRequest) error {
	if len(r.Key) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	_, knownOrder := pb.RangeRequest_SortOrder_name[int32(r.SortOrder)]
	_, knownTarget := pb.RangeRequest_SortTarget_name[int32(r.SortTarget)]
	if !knownOrder || !knownTarget {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	return nil
}

func checkPut(r *pb.PutRequest) error {
	switch {
	case len(r.Key) == 0:
		return rpctypes.ErrGRPCEmptyKey
	case r.IgnoreValue && len(r.Value) != 0:
		return rpctypes.ErrGRPCValueProvided
	case r.IgnoreLease && r.Lease != 0:
		return rpctypes.ErrGRPCLeaseProvided
	}
	return nil
}

func checkDelete(r *pb.DeleteRangeRequest) error {
	if len(r.Key) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	return nil
}

// checkTxn allows limit operations, of which nested transactions may use what
// the widest list of the outer one leaves.
func checkTxn(r *pb.TxnRequest, limit int) error {
	widest := max(len(r.Compare), len(r.Success), len(r.Failure))
	if widest > limit {
		return rpctypes.ErrGRPCTooManyOps
	}
	for _, c := range r.Compare {
		if len(c.Key) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
	}
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			if err := checkOp(op, limit-widest); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkOp(op *pb.RequestOp, limit int) error {
	switch r := op.Request.(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(r.RequestRange)
	case *pb.RequestOp_RequestPut:
		return checkPut(r.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return checkDelete(r.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		return checkTxn(r.RequestTxn, limit)
	}
	return rpctypes.ErrGRPCKeyNotFound
}

// touched is what a list of operations puts and deletes.
type touched struct {
	puts map[string]bool
	dels []span
}

// put refuses a key that may be touched twice.
func (t *touched) put(key string) error {
	if t.puts[key] {
		return rpctypes.ErrGRPCDuplicateKey
	}
	for _, d := range t.dels {
		// A delete without an upper end is never found to overlap in etcd.
		if !d.open && d.has(key) {
			return rpctypes.ErrGRPCDuplicateKey
		}
	}
	return nil
}

// checkOverlap refuses a list of operations that may put one key twice, or both
// put and delete it.
func checkOverlap(ops []*pb.RequestOp) (t touched, err error) {
	t.puts = make(map[string]bool)
	for _, op := range ops {
		if r := op.GetRequestDeleteRange(); r != nil {
			t.dels = append(t.dels, newSpan(r.Key, r.RangeEnd))
		}
	}
	for _, op := range ops {
		if r := op.GetRequestTxn(); r != nil {
			if err := t.nested(r); err != nil {
				return t, err
			}
		}
	}
	for _, op := range ops {
		if r := op.GetRequestPut(); r != nil {
			k := string(r.Key)
			if err := t.put(k); err != nil {
				return t, err
			}
			t.puts[k] = true
		}
	}
	return t, nil
}

// nested adds a nested transaction. Its two branches exclude each other, so a key
// that both put counts once.
func (t *touched) nested(r *pb.TxnRequest) error {
	then, err := checkOverlap(r.Success)
	if err != nil {
		return err
	}
	otherwise, err := checkOverlap(r.Failure)
	if err != nil {
		return err
	}
	maps.Copy(then.puts, otherwise.puts)
	for k := range then.puts {
		if err := t.put(k); err != nil {
			return err
		}
	}
	maps.Copy(t.puts, then.puts)
	t.dels = append(append(t.dels, then.dels...), otherwise.dels...)
	return nil
}
