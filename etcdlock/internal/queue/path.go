package queue

import (
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// The queue of a name is the directory that its path names: its keys are the path, a
// slash, and a rest without one. A key with a further slash is in the queue of a longer
// name. etcd reads all keys that begin alike, so what it finds is looked through here.
// Most reads ask for one key, and are repeated for all of them only if the one that was
// found is of a longer name.

// InQueue reports whether the key is in the queue whose keys begin with prefix.
func InQueue(prefix, key string) bool {
	rest, below := strings.CutPrefix(key, prefix)
	return below && rest != "" && !strings.Contains(rest, "/")
}

// queueIn returns those of the keys that are in the queue.
func queueIn(prefix string, kvs []*mvccpb.KeyValue) []*mvccpb.KeyValue {
	return slices.DeleteFunc(slices.Clone(kvs), func(kv *mvccpb.KeyValue) bool { return !InQueue(prefix, string(kv.Key)) })
}

// hidden reports whether a read of one key of the queue has found that of a longer name,
// so that it does not tell what is in the queue.
func hidden(prefix string, found *pb.RangeResponse) bool {
	return len(found.GetKvs()) > 0 && !InQueue(prefix, string(found.Kvs[0].Key))
}

// allByAge asks for everything below a path, oldest first.
func allByAge() []clientv3.OpOption {
	return []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend)}
}

// lastCreated asks for the key that stands last in a queue.
func lastCreated() []clientv3.OpOption {
	return append(clientv3.WithLastCreate(), clientv3.WithKeysOnly())
}

// keysOf returns what all keys of the lease that the key is on begin with, as
// far as it can be told from the key.
func keysOf(key string) (keys string, all bool) {
	if at := strings.LastIndexByte(key, '-'); at > strings.LastIndexByte(key, '/') {
		return key[:at+1], true
	}
	return key, false
}

// leaseOf returns the lease that the key is on, "" if that cannot be told.
func leaseOf(key string) string {
	keys, all := keysOf(key)
	if !all {
		return ""
	}
	return keys[strings.LastIndexByte(keys, '/')+1 : len(keys)-1]
}

// askMark ends the key of a try that asks.
const askMark = ".try"

// asks reports whether the key is that of a try that asks.
func asks(key string) bool { return strings.HasSuffix(key, askMark) }
