package main

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/holdfast-go/holdfast/etcdlock"
)

const (
	mutexPrefix  = "mutex/"
	v3lockPrefix = "v3lock/"

	window = 1 << 20
)

// etcdClient returns a client whose requests t counts, with windows as
// [drivers.OpenEtcd] sets them, for all peers alike.
func etcdClient(s servers, t *traffic) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:            s.Etcd,
		DialTimeout:          10 * time.Second,
		DialKeepAliveTime:    5 * time.Second,
		DialKeepAliveTimeout: 2 * time.Second,
		Logger:               zap.NewNop(),
		DialOptions: []grpc.DialOption{
			grpc.WithChainUnaryInterceptor(t.unary),
			grpc.WithChainStreamInterceptor(t.stream),
			grpc.WithInitialWindowSize(window),
			grpc.WithInitialConnWindowSize(window),
		},
	})
}

// etcdMember is the client that the locks of a process share.
type etcdMember struct {
	sent traffic
	cli  *clientv3.Client
	ends []func(ctx context.Context) error // of what the takers have opened
}

func newEtcdMember(s servers) (*etcdMember, error) {
	m := &etcdMember{}
	var err error
	m.cli, err = etcdClient(s, &m.sent)
	return m, err
}

func (m *etcdMember) traffic() *traffic { return &m.sent }

func (m *etcdMember) close(ctx context.Context) error {
	var errs []error
	for _, end := range m.ends {
		errs = append(errs, end(ctx))
	}
	return errors.Join(append(errs, m.cli.Close())...)
}

type oursMember struct {
	*etcdMember
	locker *etcdlock.Locker
}

func joinOurs(_ context.Context, s servers) (member, error) { return newOurs(s) }

func newOurs(s servers) (oursMember, error) {
	m, err := newEtcdMember(s)
	if err != nil {
		return oursMember{}, err
	}
	l, err := etcdlock.New(m.cli, &etcdlock.Options{TTL: ttl * time.Second})
	if err != nil {
		return oursMember{}, errors.Join(err, m.cli.Close())
	}
	m.ends = append(m.ends, l.Close)
	return oursMember{m, l}, nil
}

func (m oursMember) taker(context.Context) (taker, error) { return &oursTaker{locker: m.locker}, nil }

type oursTaker struct {
	locker *etcdlock.Locker
	held   *etcdlock.Lock
}

func (t *oursTaker) lock(ctx context.Context, name string) (err error) {
	t.held, err = t.locker.Lock(ctx, name)
	return err
}

func (t *oursTaker) try(ctx context.Context, name string) (bool, error) {
	k, err := t.locker.TryLock(ctx, name)
	if errors.Is(err, etcdlock.ErrHeld) {
		return false, nil
	}
	t.held = k
	return err == nil, err
}

func (t *oursTaker) unlock(ctx context.Context) error { return t.held.Unlock(ctx) }

type mutexMember struct{ *etcdMember }

func joinMutex(_ context.Context, s servers) (member, error) {
	m, err := newEtcdMember(s)
	return mutexMember{m}, err
}

func (m mutexMember) taker(context.Context) (taker, error) {
	// A session of its own: a Mutex does not exclude another on its session.
	session, err := concurrency.NewSession(m.cli, concurrency.WithTTL(ttl))
	if err != nil {
		return nil, err
	}
	m.ends = append(m.ends, func(context.Context) error { return session.Close() })
	return &mutexTaker{session: session}, nil
}

type mutexTaker struct {
	session *concurrency.Session
	held    *concurrency.Mutex
}

func (t *mutexTaker) lock(ctx context.Context, name string) error {
	t.held = concurrency.NewMutex(t.session, mutexPrefix+name)
	return t.held.Lock(ctx)
}

func (t *mutexTaker) try(ctx context.Context, name string) (bool, error) {
	m := concurrency.NewMutex(t.session, mutexPrefix+name)
	err := m.TryLock(ctx)
	if errors.Is(err, concurrency.ErrLocked) {
		return false, nil
	}
	t.held = m
	return err == nil, err
}

func (t *mutexTaker) unlock(ctx context.Context) error { return t.held.Unlock(ctx) }

type v3lockMember struct {
	*etcdMember
	service v3lockpb.LockClient
}

func joinV3lock(_ context.Context, s servers) (member, error) {
	m, err := newEtcdMember(s)
	if err != nil {
		return nil, err
	}
	return v3lockMember{m, v3lockpb.NewLockClient(m.cli.ActiveConnection())}, nil
}

func (m v3lockMember) taker(ctx context.Context) (taker, error) {
	lease, err := m.cli.Grant(ctx, ttl)
	if err != nil {
		return nil, err
	}
	alive, err := m.cli.KeepAlive(m.cli.Ctx(), lease.ID)
	if err != nil {
		return nil, err
	}
	go func() {
		for range alive { // the client complains when nobody reads
			continue
		}
	}()
	m.ends = append(m.ends, func(ctx context.Context) error {
		_, err := m.cli.Revoke(ctx, lease.ID)
		return err
	})
	return &v3lockTaker{service: m.service, lease: int64(lease.ID)}, nil
}

type v3lockTaker struct {
	service v3lockpb.LockClient
	lease   int64
	key     []byte
}

func (t *v3lockTaker) lock(ctx context.Context, name string) error {
	resp, err := t.service.Lock(ctx, &v3lockpb.LockRequest{Name: []byte(v3lockPrefix + name), Lease: t.lease})
	t.key = resp.GetKey()
	return err
}

func (*v3lockTaker) try(context.Context, string) (bool, error) { return false, errors.ErrUnsupported }

func (t *v3lockTaker) unlock(ctx context.Context) error {
	_, err := t.service.Unlock(ctx, &v3lockpb.UnlockRequest{Key: t.key})
	return err
}
