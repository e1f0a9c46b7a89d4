package queue

import (
	"context"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Config is what a Space is made of. All of it must be set, but for the delays.
type Config struct {
	Client         *clientv3.Client
	Session        *session.Session
	Namespace      string        // what the keys of all queues begin with, may be ""
	Self           Owner         // what keys tell of this process
	Lingers        bool          // whether holds of this process may stay when nobody uses them
	RequestTimeout time.Duration // an owner that is asked answers within a third of it
	// Unknown is told of every write without an answer: "enqueue", "release" or "exchange".
	Unknown func(name, write string, cause error)
	// AnswerGrace and SweepDelay are 0 for the constants of these names.
	AnswerGrace, SweepDelay time.Duration
}

// Space is the queues below one namespace, as one process sees them.
type Space struct{ Config }

// sweepDelay is longer than an etcd server takes to answer or drop a request
// (5 s and two elections): what has not landed by then never will.
const sweepDelay = 10 * time.Second

// answerGrace is how long an enqueueing may wait for its answer after its caller
// has given up. An answer tells where the key is, so that it can be deleted for
// certain. Without one, the delete may overtake the put.
const answerGrace = 250 * time.Millisecond

// NewSpace makes a Space. It does no I/O.
func NewSpace(c Config) *Space {
	if c.AnswerGrace == 0 {
		c.AnswerGrace = answerGrace
	}
	if c.SweepDelay == 0 {
		c.SweepDelay = sweepDelay
	}
	return &Space{c}
}

// Member is one key in the queue of a name, as etcd shows it.
type Member struct {
	Name     string
	Key      string
	Revision int64 // the key's create revision
	Lease    int64
	Owner
	lingers bool
}

// String names the owner: service, host and process, as far as known.
func (m Member) String() string {
	if m.Host == "" && m.PID == 0 {
		return "key " + m.Key
	}
	return m.Owner.String()
}

// Tries reports whether the key is that of a try that asks, which does not stay.
func (m Member) Tries() bool { return asks(m.Key) }

// member decodes a key.
func member(name string, kv *mvccpb.KeyValue) Member {
	d := parse(kv.Value)
	return Member{
		Name: name, Key: string(kv.Key), Revision: kv.CreateRevision, Lease: kv.Lease,
		Owner: d.Owner, lingers: d.Lingers,
	}
}

// Members returns the queue of a name: the first owns it, the rest wait in this order.
func (sp *Space) Members(ctx context.Context, name string) ([]Member, error) {
	kvs, err := sp.queue(ctx, sp.Path(name))
	if err != nil {
		return nil, err
	}
	members := make([]Member, 0, len(kvs))
	for _, kv := range kvs {
		members = append(members, member(name, kv))
	}
	return members, nil
}

// All returns the members of all queues, oldest first.
func (sp *Space) All(ctx context.Context) ([]Member, error) {
	resp, err := sp.get(ctx, sp.Namespace, allByAge()...)
	if err != nil {
		return nil, err
	}
	var members []Member
	for _, kv := range resp.Kvs {
		if name, ok := sp.NameOf(string(kv.Key)); ok {
			members = append(members, member(name, kv))
		}
	}
	return members, nil
}

// Watch calls read at once and whenever the queue of the name may have changed, until
// read reports that it has seen enough, fails for good, or ctx ends.
func (sp *Space) Watch(ctx context.Context, name string, read func(ctx context.Context) (bool, error)) error {
	return sp.Session.Watch(ctx, &session.Scope{
		Key: sp.Path(name), Opts: []clientv3.OpOption{clientv3.WithPrefix()},
		Read: func(ctx context.Context, _ int64) (bool, error) { return read(ctx) },
	})
}

// Remove takes a place out of a queue, and never one that was taken since.
func (sp *Space) Remove(ctx context.Context, key string, rev int64) error {
	return sp.Session.Call(ctx, func(ctx context.Context) error {
		_, err := sp.Client.Txn(ctx).If(createdAt(key, rev)).Then(clientv3.OpDelete(key)).Commit()
		return err
	})
}

// Revision asks etcd for its current revision.
func (sp *Space) Revision(ctx context.Context) (int64, error) {
	resp, err := sp.get(ctx, session.Prefix, clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return resp.Header.Revision, nil
}

// Around tells, as of one revision, who owns the name, and who stands next behind each of the
// places held; nil for nobody.
func (sp *Space) Around(ctx context.Context, name string, held []Member) (owner *Member, next []*Member, err error) {
	reads := []clientv3.Op{clientv3.OpGet(sp.Path(name), clientv3.WithFirstCreate()...)}
	for _, h := range held {
		behind := append(clientv3.WithFirstCreate(), clientv3.WithMinCreateRev(h.Revision+1))
		reads = append(reads, clientv3.OpGet(sp.Path(h.Name), behind...))
	}
	var resp *clientv3.TxnResponse
	err = sp.Session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = sp.Client.Txn(ctx).Then(reads...).Commit()
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	first := func(i int, name string, opts ...clientv3.OpOption) (*Member, error) {
		kv, err := sp.oldest(ctx, sp.Path(name), resp.Responses[i].GetResponseRange(), opts...)
		if err != nil || kv == nil {
			return nil, err
		}
		m := member(name, kv)
		return &m, nil
	}
	if owner, err = first(0, name); err != nil {
		return nil, nil, err
	}
	for i, h := range held {
		m, err := first(i+1, h.Name, clientv3.WithMinCreateRev(h.Revision+1))
		if err != nil {
			return nil, nil, err
		}
		next = append(next, m)
	}
	return owner, next, nil
}

// get reads keys that begin with prefix.
func (sp *Space) get(ctx context.Context, prefix string, opts ...clientv3.OpOption) (resp *clientv3.GetResponse, err error) {
	err = sp.Session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = sp.Client.Get(ctx, prefix, opts...)
		return err
	})
	return resp, err
}

// unknown is how many are ahead of a node when that is not known: of a queue that may be
// long, the whole is not watched.
const unknown = math.MaxInt64

// queue reads the queue, oldest first.
func (sp *Space) queue(ctx context.Context, prefix string, opts ...clientv3.OpOption) ([]*mvccpb.KeyValue, error) {
	resp, err := sp.get(ctx, prefix, append(allByAge(), opts...)...)
	if err != nil {
		return nil, err
	}
	return queueIn(prefix, resp.Kvs), nil
}

// oldest returns the first key of the queue, nil if it is empty: the one that a read has
// found, or if that is of a longer name, what another read with the options finds.
func (sp *Space) oldest(ctx context.Context, prefix string, found *pb.RangeResponse, opts ...clientv3.OpOption) (*mvccpb.KeyValue, error) {
	kvs := found.GetKvs()
	if hidden(prefix, found) {
		var err error
		if kvs, err = sp.queue(ctx, prefix, opts...); err != nil {
			return nil, err
		}
	}
	if len(kvs) == 0 {
		return nil, nil //nolint:nilnil // an empty queue is no error
	}
	return kvs[0], nil
}

// Path returns what the keys in the queue of a name begin with.
func (sp *Space) Path(name string) string { return sp.Namespace + name + "/" }

// NameOf returns the name in whose queue a key of the namespace is, false if it is in none.
func (sp *Space) NameOf(key string) (string, bool) {
	rest := strings.TrimPrefix(key, sp.Namespace)
	name := rest[:max(strings.LastIndexByte(rest, '/'), 0)]
	return name, name != "" && utf8.ValidString(name) && InQueue(name+"/", rest)
}

// document returns the value of a key of this process.
func (sp *Space) document(successor string, lingers bool, since time.Time) string {
	d := document{Successor: successor, Lingers: lingers, Owner: sp.Self}
	d.Since = since
	return d.String()
}

// Sentinel is the value of a key that stands in no queue and tells of the process.
func (sp *Space) Sentinel() string { return sp.document("", false, time.Now().UTC()) }
