package lock_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// TestMemetcdAnswersLikeEtcd runs the same random operations against the etcd in
// memory and a real one, and compares every answer. Revisions are compared
// relative to where a run starts, leases by the order of their grants.
func TestMemetcdAnswersLikeEtcd(t *testing.T) {
	t.Parallel()
	// A server of its own: a write of another test would shift the revisions.
	realCli := embedded.NewEtcdClient(t, embedded.OwnEtcd(t).Endpoints())

	rapid.Check(t, func(rt *rapid.T) {
		mem := memetcd.New(nil)
		defer mem.Close()
		memCli := mem.NewClient(rt.Context(), nil)
		defer func() { _ = memCli.Close() }()
		d := &duel{rt: rt, real: newSide(rt, realCli), mem: newSide(rt, memCli)}
		defer d.end()
		d.run()
	})
}

// side is one of the two servers, with what its answers are normalised by.
type side struct {
	cli     *clientv3.Client
	base    int64
	leases  []clientv3.LeaseID
	watches []*watchLog
}

func newSide(rt *rapid.T, cli *clientv3.Client) *side {
	// The write raises the revision above any compaction of an earlier run.
	if _, err := cli.Put(rt.Context(), "reset", ""); err != nil {
		rt.Fatal(err)
	}
	resp, err := cli.Delete(rt.Context(), "", clientv3.WithPrefix())
	if err != nil {
		rt.Fatal(err)
	}
	// When a client's only watch is refused, it asks for it a second time, and a
	// Close meanwhile hangs (clientv3 3.7.3). With this one none is the only one.
	<-cli.Watch(rt.Context(), "next to", clientv3.WithCreatedNotify())
	return &side{cli: cli, base: resp.Header.Revision}
}

func (s *side) rev(rev int64) string {
	if rev == 0 {
		return "-"
	}
	return strconv.FormatInt(rev-s.base, 10)
}

func (s *side) lease(id int64) int {
	for i, have := range s.leases {
		if int64(have) == id {
			return i
		}
	}
	return -1
}

func (s *side) kv(kv *mvccpb.KeyValue) string {
	if kv == nil {
		return "none"
	}
	return fmt.Sprintf("%q=%q c%s m%s v%d l%d", kv.Key, kv.Value,
		s.rev(kv.CreateRevision), s.rev(kv.ModRevision), kv.Version, s.lease(kv.Lease))
}

func (s *side) kvs(kvs []*mvccpb.KeyValue) string {
	var out []string
	for _, kv := range kvs {
		out = append(out, s.kv(kv))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func (s *side) header(h *pb.ResponseHeader) string { return "@" + s.rev(h.GetRevision()) }

func (s *side) get(r *pb.RangeResponse) string {
	return fmt.Sprintf("get%s %s count %d more %v", s.header(r.Header), s.kvs(r.Kvs), r.Count, r.More)
}

func (s *side) put(r *pb.PutResponse) string {
	return fmt.Sprintf("put%s prev %s", s.header(r.Header), s.kv(r.PrevKv))
}

func (s *side) del(r *pb.DeleteRangeResponse) string {
	return fmt.Sprintf("del%s %d prev %s", s.header(r.Header), r.Deleted, s.kvs(r.PrevKvs))
}

func (s *side) txn(r *pb.TxnResponse) string {
	out := []string{fmt.Sprintf("txn%s %v", s.header(r.Header), r.Succeeded)}
	for _, op := range r.Responses {
		switch v := op.Response.(type) {
		case *pb.ResponseOp_ResponseRange:
			out = append(out, s.get(v.ResponseRange))
		case *pb.ResponseOp_ResponsePut:
			out = append(out, s.put(v.ResponsePut))
		case *pb.ResponseOp_ResponseDeleteRange:
			out = append(out, s.del(v.ResponseDeleteRange))
		case *pb.ResponseOp_ResponseTxn:
			out = append(out, s.txn(v.ResponseTxn))
		}
	}
	return "{" + strings.Join(out, "; ") + "}"
}

func (s *side) event(ev *clientv3.Event) string {
	return fmt.Sprintf("%s %s prev %s", ev.Type, s.kv(ev.Kv), s.kv(ev.PrevKv))
}

// duel asks both sides the same and compares what they say.
type duel struct {
	rt        *rapid.T
	real, mem *side
	asked     []string
	leases    int
	watches   []string // the first key of each watch
}

func (d *duel) ask(what string, do func(ctx context.Context, s *side) (string, error)) {
	d.asked = append(d.asked, what)
	answer := func(s *side) string {
		ctx, cancel := context.WithTimeout(d.rt.Context(), 20*time.Second)
		defer cancel()
		got, err := do(ctx, s)
		if err != nil {
			return fmt.Sprintf("%T: %v", err, err)
		}
		return got
	}
	want, got := answer(d.real), answer(d.mem)
	if got != want {
		d.rt.Fatalf("%s\netcd:    %s\nmemetcd: %s", strings.Join(d.asked, "\n"), want, got)
	}
}

func (d *duel) run() {
	for range rapid.IntRange(1, 40).Draw(d.rt, "steps") {
		rapid.SampledFrom([]func(){
			d.put, d.put, d.get, d.get, d.del, d.txn, d.txn, d.txn,
			d.grant, d.revoke, d.renew, d.timeToLive, d.listLeases, d.compact, d.watch,
		}).Draw(d.rt, "op")()
	}
	d.watchPast()
	d.compareWatches()
}

// end gives back the leases of the real server, which lives on.
func (d *duel) end() {
	for _, id := range d.real.leases {
		_, _ = d.real.cli.Revoke(context.Background(), id)
	}
	for _, s := range []*side{d.real, d.mem} {
		for _, w := range s.watches {
			w.stop()
		}
	}
}
