package lock_test

import (
	"context"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"
)

func (d *duel) grant() {
	// Long enough that none expires while a run lasts: two clocks would decide.
	ttl := rapid.SampledFrom([]int64{600, 6000, 9_000_000_000, 9_000_000_001}).Draw(d.rt, "ttl")
	granted := false
	d.ask(fmt.Sprintf("grant %d", ttl), func(ctx context.Context, s *side) (string, error) {
		r, err := s.cli.Grant(ctx, ttl)
		if err != nil {
			return "", err
		}
		granted = true
		s.leases = append(s.leases, r.ID)
		return fmt.Sprintf("%s ttl %d", s.header(r.ResponseHeader), r.TTL), nil
	})
	if granted {
		d.leases++
	}
}

// onLease asks about a lease that was granted, and may be gone, or about one
// that never was.
func (d *duel) onLease(what string, do func(context.Context, *side, clientv3.LeaseID) (string, error)) {
	i := rapid.IntRange(-1, d.leases-1).Draw(d.rt, "lease")
	d.ask(fmt.Sprintf("%s lease %d", what, i), func(ctx context.Context, s *side) (string, error) {
		id := clientv3.LeaseID(4711)
		if i >= 0 {
			id = s.leases[i]
		}
		return do(ctx, s, id)
	})
}

func (d *duel) revoke() {
	d.onLease("revoke", func(ctx context.Context, s *side, id clientv3.LeaseID) (string, error) {
		r, err := s.cli.Revoke(ctx, id)
		if err != nil {
			return "", err
		}
		return s.header((*pb.LeaseRevokeResponse)(r).Header), nil
	})
}

func (d *duel) renew() {
	d.onLease("renew", func(ctx context.Context, s *side, id clientv3.LeaseID) (string, error) {
		r, err := s.cli.KeepAliveOnce(ctx, id)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s id %d ttl %d", s.header(r.ResponseHeader), s.lease(int64(r.ID)), r.TTL), nil
	})
}

func (d *duel) timeToLive() {
	var opts []clientv3.LeaseOption
	if d.flag("keys") {
		opts = append(opts, clientv3.WithAttachedKeys())
	}
	d.onLease("ttl", func(ctx context.Context, s *side, id clientv3.LeaseID) (string, error) {
		r, err := s.cli.TimeToLive(ctx, id, opts...)
		if err != nil {
			return "", err
		}
		slices.SortFunc(r.Keys, slices.Compare[[]byte])
		// The seconds that remain may differ by one.
		return fmt.Sprintf("%s lives %v granted %d keys %q", s.header(r.ResponseHeader), r.TTL > 0, r.GrantedTTL, r.Keys), nil
	})
}

func (d *duel) listLeases() {
	d.ask("leases", func(ctx context.Context, s *side) (string, error) {
		r, err := s.cli.Leases(ctx)
		if err != nil {
			return "", err
		}
		var have []int
		for _, l := range r.Leases {
			have = append(have, s.lease(int64(l.ID)))
		}
		slices.Sort(have) // leases of one TTL may be listed either way
		return fmt.Sprintf("%s %v", s.header(r.ResponseHeader), have), nil
	})
}
