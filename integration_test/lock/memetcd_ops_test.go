package lock_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"
)

// The operations of the duel. Each draws its arguments once and says them to
// both sides; what differs between the sides (revisions, lease ids) is drawn as
// an offset and made concrete per side.

var duelKeys = rapid.SampledFrom([]string{"a", "a/1", "a/2", "a/2/x", "a0", "b", "b\x00", "\xff", "\xff\xff"})

func (d *duel) key() string { return duelKeys.Draw(d.rt, "key") }

func (d *duel) flag(name string) bool { return rapid.Bool().Draw(d.rt, name) }

func (d *duel) seldom(name string) bool { return rapid.IntRange(0, 5).Draw(d.rt, name) == 0 }

// offset draws a revision relative to the base of a side; what is drawn above the
// last one is a future revision.
func (d *duel) offset() int64 { return rapid.Int64Range(0, 45).Draw(d.rt, "rev") }

// maker builds an operation for one side.
type maker func(s *side) clientv3.Op

// span draws how far an operation reaches.
func (d *duel) span() (string, []clientv3.OpOption) {
	k := d.key()
	switch rapid.IntRange(0, 4).Draw(d.rt, "span") {
	case 0:
		return k + "..prefix", []clientv3.OpOption{clientv3.WithPrefix()}
	case 1:
		return k + "..from", []clientv3.OpOption{clientv3.WithFromKey()}
	case 2:
		end := d.key()
		return k + ".." + end, []clientv3.OpOption{clientv3.WithRange(end)}
	}
	return k, nil
}

func spanKey(name string) string {
	k, _, _ := strings.Cut(name, "..")
	return k
}

func (d *duel) putOp() (string, maker) { return d.putOpWith(true) }

// putOpWith leaves out keeping the old value or lease where the key may be
// deleted earlier in the same transaction: that crashes a real etcd when the
// delete has no upper end.
func (d *duel) putOpWith(keeping bool) (string, maker) {
	k, v := d.key(), rapid.SampledFrom([]string{"", "1", "2"}).Draw(d.rt, "value")
	name := fmt.Sprintf("put %q %q", k, v)
	var opts []clientv3.OpOption
	if d.seldom("prev") {
		name, opts = name+" prev", append(opts, clientv3.WithPrevKV())
	}
	if keeping && d.seldom("ignoreValue") {
		name, opts = name+" ignorevalue", append(opts, clientv3.WithIgnoreValue())
	}
	if keeping && d.seldom("ignoreLease") {
		name, opts = name+" ignorelease", append(opts, clientv3.WithIgnoreLease())
	}
	lease := -1
	if d.leases > 0 && d.flag("leased") {
		lease = rapid.IntRange(0, d.leases-1).Draw(d.rt, "lease")
		name += fmt.Sprintf(" lease %d", lease)
	}
	return name, func(s *side) clientv3.Op {
		if lease < 0 {
			return clientv3.OpPut(k, v, opts...)
		}
		return clientv3.OpPut(k, v, append(slices.Clip(opts), clientv3.WithLease(s.leases[lease]))...)
	}
}

func (d *duel) getOp() (string, maker) {
	name, opts := d.span()
	key := spanKey(name)
	name = fmt.Sprintf("get %q", name)
	if d.flag("limited") {
		n := rapid.Int64Range(1, 4).Draw(d.rt, "limit")
		name, opts = fmt.Sprintf("%s limit %d", name, n), append(opts, clientv3.WithLimit(n))
	}
	if d.seldom("keysOnly") {
		name, opts = name+" keys", append(opts, clientv3.WithKeysOnly())
	}
	if d.seldom("countOnly") {
		name, opts = name+" count", append(opts, clientv3.WithCountOnly())
	}
	if d.flag("sorted") {
		by := rapid.SampledFrom([]clientv3.SortTarget{
			clientv3.SortByKey, clientv3.SortByVersion, clientv3.SortByCreateRevision,
			clientv3.SortByModRevision, clientv3.SortByValue,
		}).Draw(d.rt, "by")
		order := rapid.SampledFrom([]clientv3.SortOrder{
			clientv3.SortNone, clientv3.SortAscend, clientv3.SortDescend,
		}).Draw(d.rt, "order")
		name, opts = fmt.Sprintf("%s sort %d/%d", name, by, order), append(opts, clientv3.WithSort(by, order))
	}
	type filter struct {
		name string
		opt  func(int64) clientv3.OpOption
		at   int64
	}
	var filters []filter
	for _, f := range []filter{
		{"at", clientv3.WithRev, 0},
		{"minmod", clientv3.WithMinModRev, 0},
		{"maxmod", clientv3.WithMaxModRev, 0},
		{"mincreate", clientv3.WithMinCreateRev, 0},
		{"maxcreate", clientv3.WithMaxCreateRev, 0},
	} {
		if d.seldom(f.name) {
			f.at = d.offset()
			filters = append(filters, f)
			name += fmt.Sprintf(" %s %d", f.name, f.at)
		}
	}
	return name, func(s *side) clientv3.Op {
		all := slices.Clone(opts)
		for _, f := range filters {
			all = append(all, f.opt(s.base+f.at))
		}
		return clientv3.OpGet(key, all...)
	}
}

func (d *duel) delOp() (string, maker) {
	name, opts := d.span()
	key := spanKey(name)
	name = fmt.Sprintf("del %q", name)
	if d.seldom("prev") {
		name, opts = name+" prev", append(opts, clientv3.WithPrevKV())
	}
	return name, func(*side) clientv3.Op { return clientv3.OpDelete(key, opts...) }
}

func (d *duel) cmp() (string, func(s *side) clientv3.Cmp) {
	k := d.key()
	result := rapid.SampledFrom([]string{"=", "!=", ">", "<"}).Draw(d.rt, "result")
	wide := d.seldom("wide")
	about := func(c clientv3.Cmp) clientv3.Cmp {
		if wide {
			return c.WithPrefix()
		}
		return c
	}
	at := int64(0)
	if d.flag("revCompare") {
		at = d.offset()
	}
	rev := func(s *side) int64 {
		if at == 0 {
			return 0
		}
		return s.base + at
	}
	kind := rapid.IntRange(0, 4).Draw(d.rt, "target")
	version := rapid.IntRange(0, 3).Draw(d.rt, "version")
	value := rapid.SampledFrom([]string{"", "1", "2"}).Draw(d.rt, "value")
	lease := -1
	if d.leases > 0 {
		lease = rapid.IntRange(-1, d.leases-1).Draw(d.rt, "lease")
	}
	name := fmt.Sprintf("cmp %d %q wide %v %s (rev %d, version %d, value %q, lease %d)",
		kind, k, wide, result, at, version, value, lease)
	return name, func(s *side) clientv3.Cmp {
		switch kind {
		case 0:
			return about(clientv3.Compare(clientv3.CreateRevision(k), result, rev(s)))
		case 1:
			return about(clientv3.Compare(clientv3.ModRevision(k), result, rev(s)))
		case 2:
			return about(clientv3.Compare(clientv3.Version(k), result, version))
		case 3:
			return about(clientv3.Compare(clientv3.Value(k), result, value))
		}
		// The order of lease ids differs between the servers.
		if result == ">" || result == "<" {
			result = "="
		}
		id := clientv3.NoLease
		if lease >= 0 {
			id = s.leases[lease]
		}
		return about(clientv3.Compare(clientv3.LeaseValue(k), result, id))
	}
}

func (d *duel) ops(depth int) (string, []maker) {
	var names []string
	var makers []maker
	for range rapid.IntRange(0, 4).Draw(d.rt, "ops") {
		choices := []func() (string, maker){
			func() (string, maker) { return d.putOpWith(false) }, d.getOp, d.delOp,
		}
		if depth > 0 {
			choices = append(choices, func() (string, maker) { return d.txnOp(depth - 1) })
		}
		name, m := rapid.SampledFrom(choices).Draw(d.rt, "txn op")()
		names, makers = append(names, name), append(makers, m)
	}
	return "(" + strings.Join(names, "; ") + ")", makers
}

func (d *duel) txnOp(depth int) (string, maker) {
	var conds []string
	var cmps []func(*side) clientv3.Cmp
	for range rapid.IntRange(0, 2).Draw(d.rt, "compares") {
		name, c := d.cmp()
		conds, cmps = append(conds, name), append(cmps, c)
	}
	thenName, thens := d.ops(depth)
	elseName, elses := d.ops(depth)
	name := fmt.Sprintf("txn if %v then %s else %s", conds, thenName, elseName)
	return name, func(s *side) clientv3.Op {
		var cs []clientv3.Cmp
		for _, c := range cmps {
			cs = append(cs, c(s))
		}
		return clientv3.OpTxn(cs, makeAll(thens, s), makeAll(elses, s))
	}
}

func makeAll(ms []maker, s *side) []clientv3.Op {
	var ops []clientv3.Op
	for _, m := range ms {
		ops = append(ops, m(s))
	}
	return ops
}

func (d *duel) put() { d.do(d.putOp()) }
func (d *duel) get() { d.do(d.getOp()) }
func (d *duel) del() { d.do(d.delOp()) }
func (d *duel) txn() { d.do(d.txnOp(2)) }

func (d *duel) do(name string, m maker) {
	d.ask(name, func(ctx context.Context, s *side) (string, error) {
		r, err := s.cli.Do(ctx, m(s))
		switch {
		case err != nil:
			return "", err
		case r.Get() != nil:
			return s.get((*pb.RangeResponse)(r.Get())), nil
		case r.Put() != nil:
			return s.put((*pb.PutResponse)(r.Put())), nil
		case r.Del() != nil:
			return s.del((*pb.DeleteRangeResponse)(r.Del())), nil
		}
		return s.txn((*pb.TxnResponse)(r.Txn())), nil
	})
}

func (d *duel) compact() {
	if !d.seldom("really compact") {
		return
	}
	at := d.offset()
	d.ask(fmt.Sprintf("compact %d", at), func(ctx context.Context, s *side) (string, error) {
		r, err := s.cli.Compact(ctx, s.base+at)
		if err != nil {
			return "", err
		}
		return s.header(r.Header), nil
	})
}
