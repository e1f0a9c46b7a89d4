package alsoshedlock_test

import (
	"database/sql"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/lockedrepo/alsoshedlock"
	"github.com/holdfast-go/holdfast/repo"
)

type Order struct{ ID, Total int64 }

// Pods that hold a lock in the table of ShedLock, and the one in etcd.
func Example() {
	_ = func(pool *sql.DB, plain repo.Repository[Order], locker *etcdlock.Locker) (*lockedrepo.Repository[Order], error) {
		old, err := alsoshedlock.New(pool, alsoshedlock.PostgreSQL, nil) // one for the process
		if err != nil {
			return nil, err
		}
		return lockedrepo.New(plain, locker, &lockedrepo.Options{
			Key:  "shop.Order",
			Also: []lockedrepo.Also{{Locker: old, Name: "orders"}},
		})
	}
	// Output:
}
