package drivers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// EndpointHealth is the state of one endpoint.
type EndpointHealth struct {
	// Endpoint is the URL of the endpoint.
	Endpoint string
	// Took is how long the cluster took to agree, asked through this endpoint.
	Took time.Duration
	// Err is why the endpoint is unhealthy, nil for a healthy one.
	Err error
	// Storage is what the endpoint's member keeps on its disk. It is zero where
	// the endpoint is unhealthy.
	Storage EtcdStorage
	// Warnings tell what will make the endpoint unhealthy if it goes on. Each
	// matches [ErrHistory] or [ErrSpace].
	Warnings []error
}

// Healthy says whether the endpoint is healthy.
func (h EndpointHealth) Healthy() bool { return h.Err == nil }

// String prints the state as etcdctl endpoint health does.
func (h EndpointHealth) String() string {
	if h.Healthy() {
		return fmt.Sprintf("%s is healthy: successfully committed proposal: took = %v", h.Endpoint, h.Took)
	}
	return fmt.Sprintf("%s is unhealthy: failed to commit proposal: %v", h.Endpoint, h.Err)
}

// Check asks every endpoint of the client, each over a connection of its own,
// whether it can serve: like etcdctl endpoint health it reads a key with a
// quorum behind it and looks for alarms, such as one for no space. A key that
// the user may not read is answered by a healthy endpoint too.
//
// The list has every endpoint, in the client's order, also when the error is not
// nil. The error is nil when all are healthy; otherwise it matches
// [ErrUnavailable], holds an [EndpointError] for each unhealthy one, and one
// healthy endpoint in the list means that the cluster works. Each endpoint
// has as long as ctx leaves, but at most five seconds.
func Check(ctx context.Context, cli *clientv3.Client) ([]EndpointHealth, error) {
	eps := cli.Endpoints()
	health := make([]EndpointHealth, len(eps))
	var wg sync.WaitGroup
	for i, ep := range eps {
		wg.Go(func() { health[i] = checkEndpoint(ctx, cli, ep) })
	}
	wg.Wait()
	var bad endpointErrors
	for _, h := range health {
		if !h.Healthy() {
			bad = append(bad, &EndpointError{Endpoint: h.Endpoint, Reason: "unhealthy", Err: h.Err})
		}
	}
	if len(bad) > 0 {
		return health, fmt.Errorf("drivers: check etcd: %w: %w", ErrUnavailable, bad)
	}
	return health, nil
}

func checkEndpoint(ctx context.Context, cli *clientv3.Client, ep string) EndpointHealth {
	ctx, cancel := context.WithTimeout(ctx, DefaultDialTimeout)
	defer cancel()
	h := EndpointHealth{Endpoint: ep}
	conn, err := cli.Dial(ep)
	if err != nil {
		h.Err = err
		return h
	}
	defer func() { h.Err = errors.Join(h.Err, conn.Close()) }()
	start := time.Now()
	_, err = pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte("health")})
	h.Took = time.Since(start)
	// Permissions are checked after the quorum has answered.
	if err = rpctypes.Error(err); err != nil && !errors.Is(err, rpctypes.ErrPermissionDenied) {
		h.Err = err
		return h
	}
	resp, err := pb.NewMaintenanceClient(conn).Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_GET})
	switch err = rpctypes.Error(err); {
	case errors.Is(err, rpctypes.ErrPermissionDenied):
	case err != nil:
		h.Err = fmt.Errorf("asking for alarms: %w", err)
	case len(resp.Alarms) > 0:
		h.Err = fmt.Errorf("alarm raised: %s", alarmNames(resp.Alarms))
	}
	if h.Healthy() {
		h.Storage, h.Warnings, h.Err = checkStorage(ctx, conn)
	}
	return h
}

func alarmNames(alarms []*pb.AlarmMember) string {
	var names []string
	for _, a := range alarms {
		if n := a.Alarm.String(); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}
