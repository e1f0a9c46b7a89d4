// Package alsoredis takes the locks of github.com/bsm/redislock on Redis together with those of
// locked repositories, while pods run that have the locks on Redis alone.
//
//	old, err := alsoredis.New(redislock.New(client), nil) // one for the process
//	if err != nil {
//		return err
//	}
//	orders, err := lockedrepo.New(plain, locker, &lockedrepo.Options{
//		Key:  "shop.Order",
//		Also: []lockedrepo.Also{{Locker: old, Name: "lock:orders"}},
//	})
//
// Name is the key in Redis, with its prefix. The lock has a token of its own, is renewed at a
// third of its TTL, and is deleted only where the token is still there. That is the form of
// redislock, and of every lock on one Redis that does SET with NX and PX and compares a token
// before it deletes. A lock on several masters, as redsync makes it, is another one.
//
// A lock on Redis is on one server. After a failover the new one may not know of it, and two
// pods have it. That was so before; the pods with etcd exclude one another all the same.
//
// A request that was sent is not called off, because it may have taken the lock. With a client made
// with redis.Options.ContextTimeoutEnabled a server that does not answer is etcdlock.ErrUnavailable
// after two seconds, also where LockTimeout is shorter. Any other client takes as long as its own
// timeouts and retries say.
package alsoredis
