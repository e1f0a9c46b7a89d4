package drivers

import (
	"context"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

// ErrHistory is matched by the warning of [Check] that etcd keeps more history
// than one that is compacted would: start its members with
// --auto-compaction-mode=periodic --auto-compaction-retention=1h. Without
// compaction every write stays on the disk until the quota is used up, and then
// etcd refuses all writes.
var ErrHistory = errors.New("etcd is not compacted")

// ErrSpace is matched by the warning of [Check] that the database of a member
// nears its quota. Compact and defragment it, or raise --quota-backend-bytes.
var ErrSpace = errors.New("etcd is nearly full")

// The numbers of revisions from which on [Check] warns. A cluster that was never
// compacted may be a young one, hence not the first revision; an hour of history,
// the usual retention, stays below the second up to 1 000 writes a second, since
// etcd keeps up to two hours then.
const (
	mostUncompacted = 100_000
	mostHistory     = 7_200_000
)

// EtcdStorage is what one member of etcd keeps.
type EtcdStorage struct {
	// Revision counts the writes since the cluster was made. Compacted is the
	// revision up to which the history was thrown away, 0 when it never was. Both
	// are 0 where the user may not read the session's keys of etcdlock.
	Revision, Compacted int64
	// Size is that of the database's file, InUse the part of it that holds data,
	// and Quota the size at which etcd stops taking writes, all in bytes. Quota
	// is 0 where the server does not tell it, as etcd 3.5 and older.
	Size, InUse, Quota int64
}

// sessionKey is a key that every user of etcdlock may read.
const sessionKey = "holdfast/.session/"

// checkStorage asks the member behind conn, without the others.
func checkStorage(ctx context.Context, conn *grpc.ClientConn) (s EtcdStorage, warnings []error, err error) {
	status, err := pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
	if err = rpctypes.Error(err); err != nil && !errors.Is(err, rpctypes.ErrPermissionDenied) {
		return s, nil, fmt.Errorf("asking for the status: %w", err)
	}
	s.Size, s.InUse, s.Quota = status.GetDbSize(), status.GetDbSizeInUse(), status.GetDbSizeQuota()
	s.Revision, s.Compacted, err = history(ctx, conn)
	if err != nil {
		return s, nil, fmt.Errorf("asking for the history: %w", err)
	}
	return s, s.warnings(mostUncompacted, mostHistory), nil
}

func (s EtcdStorage) warnings(uncompacted, kept int64) (warnings []error) {
	switch {
	case s.Compacted == 0 && s.Revision > uncompacted:
		warnings = append(warnings, fmt.Errorf("%w: all %d revisions since the cluster was made are kept, %d MiB in use; is auto-compaction on?",
			ErrHistory, s.Revision, s.InUse>>20))
	case s.Revision-s.Compacted > kept:
		warnings = append(warnings, fmt.Errorf("%w: %d revisions since the last compaction are kept, %d MiB in use; is auto-compaction on?",
			ErrHistory, s.Revision-s.Compacted, s.InUse>>20))
	}
	// The quota counts the file, the free pages in it included.
	if s.Quota > 0 && s.Size > s.Quota/5*4 {
		warnings = append(warnings, fmt.Errorf("%w: its file has %d MiB of %d MiB, of which %d MiB are in use",
			ErrSpace, s.Size>>20, s.Quota>>20, s.InUse>>20))
	}
	return warnings
}

// history asks for the first revision, which only an etcd that was never compacted
// still has. Where it is gone, a watch from there tells what was compacted.
func history(ctx context.Context, conn *grpc.ClientConn) (revision, compacted int64, err error) {
	resp, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte(sessionKey), Revision: 1, Serializable: true, CountOnly: true})
	switch err = rpctypes.Error(err); {
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return 0, 0, nil
	case err == nil:
		return resp.Header.Revision, 0, nil
	case !errors.Is(err, rpctypes.ErrCompacted):
		return 0, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream
	watch, err := pb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		return 0, 0, rpctypes.Error(err)
	}
	create := &pb.WatchCreateRequest{Key: []byte(sessionKey), StartRevision: 1}
	err = watch.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
	if err != nil {
		return 0, 0, rpctypes.Error(err)
	}
	for {
		resp, err := watch.Recv()
		if err != nil {
			return 0, 0, rpctypes.Error(err)
		}
		revision = max(revision, resp.Header.GetRevision()) // the last answer has none
		switch {
		case resp.CompactRevision > 0:
			return revision, resp.CompactRevision, nil
		case resp.Canceled:
			return 0, 0, errors.New("the watch was cancelled: " + resp.CancelReason)
		}
	}
}
