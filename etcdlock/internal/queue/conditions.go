package queue

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// createdAt is the condition that the key is the one of that create revision, 0
// for that it is not there.
func createdAt(key string, rev int64) clientv3.Cmp { return created(key, pb.Compare_EQUAL, rev) }

// anyOf is the condition that a key is there that begins like that.
func anyOf(keys string) clientv3.Cmp {
	return created(keys, pb.Compare_GREATER, 0).WithPrefix()
}

// created is what clientv3.Compare makes, which copies it twice on the way.
func created(key string, is pb.Compare_CompareResult, rev int64) (cmp clientv3.Cmp) {
	c := cmp.GetCompare()
	c.Key, c.Target, c.Result = []byte(key), pb.Compare_CREATE, is
	c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: rev}
	return cmp
}
