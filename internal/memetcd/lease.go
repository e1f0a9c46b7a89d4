package memetcd

import (
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

const (
	maxTTL = 9_000_000_000

	// firstKeepAlive is what a client waits for the first answer to a keepalive
	// before it knows the TTL; the default of a client that dials.
	firstKeepAlive = 5 * time.Second
)

type lease struct {
	id     int64
	ttl    int64 // seconds
	expiry time.Time
	timer  *time.Timer
	keys   map[string]struct{}
}

func (l *lease) refresh() {
	d := time.Duration(l.ttl) * time.Second
	l.expiry = time.Now().Add(d)
	l.timer.Reset(d)
}

func (s *Server) grantCall(r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.TTL > maxTTL {
		return nil, rpctypes.ErrGRPCLeaseTTLTooLarge
	}
	id := r.ID
	if id == 0 {
		s.lastID++
		id = s.lastID
	}
	if s.leases[id] != nil {
		return nil, rpctypes.ErrGRPCLeaseExist
	}
	l := &lease{id: id, ttl: max(r.TTL, s.minTTL), keys: make(map[string]struct{})}
	d := time.Duration(l.ttl) * time.Second
	l.expiry = time.Now().Add(d)
	l.timer = time.AfterFunc(d, func() { s.expire(l) })
	s.leases[id] = l
	return &pb.LeaseGrantResponse{Header: s.header(s.store.rev), ID: id, TTL: l.ttl}, nil
}

// expire is what the timer does. A renewal may have come between its firing and
// the lock; that one has set the timer again.
func (s *Server) expire(l *lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.leases[l.id] != l || time.Now().Before(l.expiry) {
		return
	}
	s.dropLease(l)
}

// dropLease deletes the lease and its keys, the keys in one revision.
func (s *Server) dropLease(l *lease) {
	l.timer.Stop()
	w := &write{s: s}
	for _, k := range l.sortedKeys() {
		w.remove(s.store.live[k])
	}
	delete(s.leases, l.id)
	w.end()
}

func (l *lease) sortedKeys() []string {
	keys := make([]string, 0, len(l.keys))
	for k := range l.keys {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *Server) attach(kv *mvccpb.KeyValue) {
	if l := s.leases[kv.Lease]; l != nil {
		l.keys[string(kv.Key)] = struct{}{}
	}
}

func (s *Server) detach(kv *mvccpb.KeyValue) {
	if l := s.leases[kv.Lease]; l != nil {
		delete(l.keys, string(kv.Key))
	}
}

func (s *Server) revokeCall(r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[r.ID]
	if l == nil {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	s.dropLease(l)
	return &pb.LeaseRevokeResponse{Header: s.header(s.store.rev)}, nil
}

func (s *Server) timeToLiveCall(r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &pb.LeaseTimeToLiveResponse{Header: s.header(s.store.rev), ID: r.ID, TTL: -1}
	l := s.leases[r.ID]
	if l == nil {
		return resp, nil
	}
	resp.TTL = int64(time.Until(l.expiry).Seconds())
	resp.GrantedTTL = l.ttl
	if r.Keys {
		for _, k := range l.sortedKeys() {
			resp.Keys = append(resp.Keys, []byte(k))
		}
	}
	return resp, nil
}

func (s *Server) leasesCall() (*pb.LeaseLeasesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*lease, 0, len(s.leases))
	for _, l := range s.leases {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *lease) int { return a.expiry.Compare(b.expiry) })
	resp := &pb.LeaseLeasesResponse{Header: s.header(s.store.rev)}
	for _, l := range all {
		resp.Leases = append(resp.Leases, &pb.LeaseStatus{ID: l.id})
	}
	return resp, nil
}

// keepAlive renews a lease. That there is none is said by a TTL of 0.
func (s *Server) keepAlive(id int64) (*pb.LeaseKeepAliveResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &pb.LeaseKeepAliveResponse{Header: s.header(s.store.rev), ID: id}
	l := s.leases[id]
	if l == nil {
		return resp, nil
	}
	if !time.Now().Before(l.expiry) {
		s.dropLease(l) // its timer is late; an expired lease is never revived
		return resp, nil
	}
	l.refresh()
	resp.TTL = l.ttl
	return resp, nil
}
