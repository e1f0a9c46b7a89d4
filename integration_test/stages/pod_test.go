package stages_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// podEnv makes the test binary be a pod: its value says which.
const podEnv = "HOLDFAST_TEST_POD"

// pod is one process of the fleet.
type pod struct {
	// Stage is 1 for the old lock alone, 2 for both, 3 for etcd alone.
	Stage int
	// Redis is where the old lock is; empty: in a table.
	Redis string
	// Lock is the name of the old lock, and of the directory in etcd.
	Lock      string
	Endpoints []string
	Database  database
	// Rounds is how often it adds one.
	Rounds int
}

// counter is what all pods change.
type counter struct {
	ID int64 `gorm:"primaryKey;autoIncrement:false"`
	N  int64
}

// runPod is the program of a pod. It says that it is ready, waits until its input ends, and
// prints how many of its additions were acknowledged.
func runPod(text string) error {
	var p pod
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	db, pool, err := p.Database.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	var old oldLock = inTable{pool, p.Database.Dialect, p.Lock}
	if p.Redis != "" {
		var end func() error
		old, end = newOnRedis(p.Redis, p.Lock)
		defer func() { _ = end() }()
	}
	add := func(ctx context.Context, _ int) error { return addByHand(ctx, db, old) }
	if p.Stage > 1 {
		client, err := clientv3.New(clientv3.Config{Endpoints: p.Endpoints, Logger: zap.NewNop()})
		if err != nil {
			return err
		}
		defer client.Close()
		counters, end, err := p.repository(db, client, old)
		if err != nil {
			return err
		}
		defer end()
		add = func(ctx context.Context, i int) error { return addLocked(ctx, counters, i) }
	}
	fmt.Fprintln(os.Stdout, "ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	acknowledged := 0
	for i := range p.Rounds {
		if err := add(ctx, i); err != nil {
			return fmt.Errorf("stage %d, round %d: %w", p.Stage, i, err)
		}
		acknowledged++
	}
	fmt.Fprintln(os.Stdout, acknowledged)
	return nil
}

// repository is what a pod with etcd has.
func (p pod) repository(db *gorm.DB, client *clientv3.Client, old oldLock) (*lockedrepo.Repository[counter], func(), error) {
	plain, err := gormrepo.New[counter](db, nil)
	if err != nil {
		return nil, nil, err
	}
	locker, err := etcdlock.New(client, &etcdlock.Options{Namespace: p.Lock})
	if err != nil {
		return nil, nil, err
	}
	o := lockedrepo.Options{Key: "counter"}
	if p.Stage == 2 {
		also, err := old.also()
		if err != nil {
			return nil, nil, err
		}
		o.Also = []lockedrepo.Also{also}
	}
	counters, err := lockedrepo.New(plain, locker, &o)
	return counters, func() { _ = locker.Close(context.Background()) }, err
}

// think is the time between reading and saving, in which others may save.
func think() { <-time.After(time.Millisecond) }

// addByHand is what a service does that has only the old lock.
func addByHand(ctx context.Context, db *gorm.DB, old oldLock) (err error) {
	unlock, err := old.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	var c counter
	if err := db.WithContext(ctx).First(&c, 1).Error; err != nil {
		return err
	}
	think()
	return db.WithContext(ctx).Model(&c).Update("n", c.N+1).Error
}

// addLocked is what a service does that has locked repositories, by one way after the other.
func addLocked(ctx context.Context, counters *lockedrepo.Repository[counter], i int) error {
	byHand := func(ctx context.Context) error {
		c, err := counters.FindByID(ctx, 1)
		if err != nil {
			return err
		}
		think()
		c.N++
		return counters.Save(ctx, c)
	}
	switch i % 3 {
	case 0:
		_, err := counters.Update(ctx, 1, func(c *counter) error {
			think()
			c.N++
			return nil
		})
		return err
	case 1:
		return counters.InTx(ctx, byHand)
	default:
		return counters.Do(ctx, byHand)
	}
}
