package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/drivers/internal/openerr"
	"github.com/holdfast-go/holdfast/drivers/internal/secret"
)

// settings carries the methods that open a connection.
type settings config.EtcdConfig

// Open connects to an etcd cluster, lists its members and logs them. Every
// endpoint is tried; one that answers is enough, and the others are logged.
// With CA, Cert and Key set the connection is mutually authenticated.
//
// The whole takes at most DialTimeout. It returns an error that matches
// [config.ErrInvalid] when the configuration or one of its files is wrong, one that
// matches [config.ErrAuthentication] when etcd refuses the login, or an endpoint and
// this client do not accept each other's certificate, and one that matches
// [config.ErrUnavailable] when no endpoint answers. Where no endpoint could be used, it
// holds an [EndpointError] for each, with the cause below it. Nothing is left
// open then.
//
// What else is set: keepalives, windows of 1 MiB in place of gRPC's search for a
// size, reconnecting within two seconds, no log.
//
// The client is safe for concurrent use and meant to be shared by all locks of
// the process. ctx bounds the call, not the client: Close it, after the Locker.
func Open(ctx context.Context, c config.EtcdConfig) (*clientv3.Client, error) {
	cli, err := open(ctx, settings(c))
	if err != nil {
		return nil, fmt.Errorf("drivers: open etcd: %w", err)
	}
	return cli, nil
}

func open(ctx context.Context, c settings) (*clientv3.Client, error) {
	eps, err := config.EtcdConfig(c).Resolve()
	if err != nil {
		return nil, err
	}
	conf, err := c.tlsConfig(eps)
	if err != nil {
		return nil, err
	}
	limit := cmp.Or(c.DialTimeout, config.DefaultDialTimeout)
	// Deadline before cancellation: clientv3 takes its limit as a duration.
	deadline := time.Now().Add(limit)
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, fmt.Errorf("no answer within %v: %w", limit, context.DeadlineExceeded))
	defer cancel()

	log := cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	dial := c.dialer()
	failed, answered := probeAll(ctx, eps, func(ctx context.Context, ep config.Endpoint) error {
		return c.explain(ep, probe(ctx, ep, dial, conf))
	})
	if answered == 0 {
		return nil, fmt.Errorf("%w: %w", failed.openError(), failed)
	}
	for _, e := range failed {
		log.WarnContext(ctx, "etcd endpoint unreachable", "endpoint", e.Endpoint, "error", e.Error())
	}
	cli, err := c.client(ctx, eps, conf, dial, time.Until(deadline))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", openerr.Kind(err, refused), secret.Scrub(err, c.Password))
	}
	if err := logMembers(ctx, cli, log); err != nil {
		if c.Username == "" && errors.Is(err, rpctypes.ErrUserEmpty) {
			err = fmt.Errorf("it demands a login, and etcd.username is not set: %w", err)
		}
		return nil, fmt.Errorf("%w: list the members: %w", openerr.Kind(err, refused), secret.Scrub(errors.Join(err, cli.Close()), c.Password))
	}
	return cli, nil
}

// client builds the client. With a user name this logs in, which takes at most
// left.
func (c settings) client(ctx context.Context, eps []config.Endpoint, conf *tls.Config, dial dialer, left time.Duration) (*clientv3.Client, error) {
	urls := make([]string, len(eps))
	for i, ep := range eps {
		urls[i] = ep.URL
	}
	limit := cmp.Or(c.DialTimeout, config.DefaultDialTimeout)
	// The context lives as long as the client, so it must not be ctx; but ctx
	// ends the login.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:   urls,
		TLS:         conf,
		Username:    c.Username,
		Password:    c.Password,
		DialTimeout: max(left, time.Millisecond), // zero would be no limit
		// gRPC raises pings below ten seconds to ten and, on Linux, closes a
		// connection whose data stays unacknowledged for the timeout. See
		// docs/decisions for what finds a dead connection sooner.
		DialKeepAliveTime:    max(cmp.Or(c.KeepAliveTime, config.DefaultKeepAliveTime), minGRPCPing),
		DialKeepAliveTimeout: cmp.Or(c.KeepAliveTimeout, config.DefaultKeepAliveTimeout),
		Context:              life,
		Logger:               zap.NewNop(),
		DialOptions: []grpc.DialOption{
			// Either of the two keeps gRPC from using a proxy of its own
			// finding; the second says so.
			grpc.WithContextDialer(dial.dial),
			grpc.WithNoProxy(),
			grpc.WithInitialWindowSize(etcdWindow),
			grpc.WithInitialConnWindowSize(etcdWindow),
			// gRPC's own pause grows to two minutes, and a cluster that is
			// back must be found sooner.
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
				MinConnectTimeout: limit,
			}),
		},
	})
	if err != nil {
		stop()
		end()
		return nil, fmt.Errorf("log in as %s: %w", strconv.Quote(c.Username), err)
	}
	if !stop() {
		return nil, errors.Join(context.Cause(ctx), cli.Close())
	}
	return cli, nil
}

const (
	minGRPCPing = 10 * time.Second
	// etcdWindow is how many bytes etcd may send ahead of their being read. A
	// fixed number keeps gRPC from looking for one by a ping at any message that
	// arrives: etcd's are small, and the pings were a tenth of the work of a
	// handover, on both sides.
	etcdWindow = 1 << 20
)

func logMembers(ctx context.Context, cli *clientv3.Client, log *slog.Logger) error {
	list, err := cli.MemberList(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return err
	}
	for _, m := range list.Members {
		log.InfoContext(ctx, "etcd member", "id", strconv.FormatUint(m.ID, 16), "name", m.Name,
			"clientURLs", m.ClientURLs, "learner", m.IsLearner)
	}
	return nil
}

// refused reports whether etcd was reached and refused the login.
func refused(err error) bool {
	if _, ok := errors.AsType[*proxyError](err); ok { // etcd was not reached
		return false
	}
	return slices.ContainsFunc([]error{
		rpctypes.ErrAuthFailed, rpctypes.ErrUserEmpty, rpctypes.ErrUserNotFound, rpctypes.ErrInvalidAuthToken,
	}, func(known error) bool { return errors.Is(err, known) })
}
