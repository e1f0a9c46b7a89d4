package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// groupRow is saved by several callers at once. Its names are unique, and N is not
// negative.
type groupRow struct {
	ID   int64  `gorm:"primaryKey;autoIncrement:false"`
	Name string `gorm:"size:40;uniqueIndex"`
	N    int64  `gorm:"check:group_rows_n,n >= 0"`
}

// groupHooked is one with a hook that does what its context says.
type groupHooked struct {
	ID int64 `gorm:"primaryKey;autoIncrement:false"`
	By string
}

type groupHookKey struct{}

type groupHook = func(ctx context.Context, e *groupHooked) error

func (e *groupHooked) BeforeSave(tx *gorm.DB) error {
	ctx := tx.Statement.Context
	if fn, ok := ctx.Value(groupHookKey{}).(groupHook); ok {
		return fn(ctx, e)
	}
	return nil
}

func withHook(ctx context.Context, fn groupHook) context.Context {
	return context.WithValue(ctx, groupHookKey{}, fn)
}

// groupSizes counts the calls of each transaction that is for several, below zero where
// it leaves out those that fail.
type groupSizes struct {
	mu     sync.Mutex
	groups []int
}

// groupCounter is a repository on SQL that counts them.
type groupCounter[T any] struct {
	*gormrepo.Repository[T]
	groupSizes
}

func (c *groupCounter[T]) Grouping(repo.Repository[T]) driver.Grouping {
	return c.Repository.Grouping(c.Repository)
}

func (c *groupCounter[T]) SaveGroup(ctx context.Context, calls []driver.SaveCall[T]) error {
	c.count(len(calls))
	return c.Repository.SaveGroup(ctx, calls)
}

func (c *groupCounter[T]) SaveParts(ctx context.Context, calls []driver.SaveCall[T]) ([]error, error) {
	c.count(-len(calls))
	return c.Repository.SaveParts(ctx, calls)
}

func (c *groupCounter[T]) UpdateGroup(ctx context.Context, calls []*driver.UpdateCall[T]) error {
	c.count(len(calls))
	return c.Repository.UpdateGroup(ctx, calls)
}

func (c *groupSizes) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups = append(c.groups, n)
}

// counted returns the sizes of the groups as text.
func (c *groupSizes) counted() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.groups)
}

// groupSite is a locked repository whose lock another process holds, so that calls pile up.
type groupSite[T any] struct {
	*locks.Fleet
	plain interface {
		repo.Repository[T]
		counted() string
	}
	locked *lockedrepo.Repository[T]
	locker *etcdlock.Locker
	// answers are those of the calls that have begun.
	answers []chan error
	holder  *etcdlock.Lock
}

func onGroups[T any](t *testing.T, run func(ctx context.Context, t *testing.T, s *groupSite[T])) {
	t.Helper()
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(new(T)))
		check.Must(t, gormrepo.MigrateFence(t.Context(), db))
		s := &groupSite[T]{plain: &groupCounter[T]{Repository: sqldb.Repository[T](t, db, nil)}}
		ctx := check.Bounded(t, time.Minute)
		s.lock(ctx, t)
		run(ctx, t, s)
	})
}

// lock wraps the repository, and has another process take the lock.
func (s *groupSite[T]) lock(ctx context.Context, t *testing.T) {
	t.Helper()
	s.Fleet = locks.NewFleet(t, embedded.EtcdEndpoints(t))
	s.locker = s.Locker(nil)
	var err error
	s.locked, err = lockedrepo.New[T](s.plain, s.locker, &lockedrepo.Options{Key: "group"})
	check.Must(t, err)
	s.holder, err = s.Fleet.Locker(&etcdlock.Options{Linger: etcdlock.NoLinger}).Lock(ctx, "group")
	check.Must(t, err)
}

// call begins a call, and waits until it waits for the lock with those before it. The
// first waits by itself.
func (s *groupSite[T]) call(ctx context.Context, t *testing.T, call func() error) {
	t.Helper()
	answer := make(chan error, 1)
	n := s.locked.Pending()
	go func() {
		err := errors.New("it exited")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			answer <- err
		}()
		err = call()
	}()
	check.Eventually(ctx, t, "the call to wait", func() bool { return s.locked.Pending() == n+1 })
	if n == 0 { // it is pending before it is in line, and a batch could get there first
		check.Eventually(ctx, t, "the first call to be in line", func() bool {
			line, err := s.locker.Holders(ctx, "group")
			return err == nil && len(line) > 1
		})
	}
	s.answers = append(s.answers, answer)
}

// finish gives the lock back and returns the answers of all calls.
func (s *groupSite[T]) finish(ctx context.Context, t *testing.T) (errs []error) {
	t.Helper()
	check.Must(t, s.holder.Unlock(ctx))
	for _, answer := range s.answers {
		select {
		case err := <-answer:
			errs = append(errs, err)
		case <-ctx.Done():
			t.Fatal("a call has no answer")
		}
	}
	return errs
}

func (s *groupSite[T]) want(ctx context.Context, t *testing.T, groups string, stored int64) {
	t.Helper()
	if got := s.plain.counted(); got != groups {
		t.Errorf("groups of %s calls, want %s", got, groups)
	}
	if n, err := s.plain.Count(ctx); err != nil || n != stored {
		t.Errorf("%d are stored, %v; want %d", n, err, stored)
	}
}

func row(id int64) *groupRow { return &groupRow{ID: id, Name: fmt.Sprint("name ", id), N: id} }

// What waits for the lock is saved by one transaction: saves of one and of many.
func TestGroup_SavesTogether(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		for id := range int64(8) {
			s.call(ctx, t, func() error {
				if id%2 == 0 {
					return s.locked.Save(ctx, row(id))
				}
				return s.locked.SaveAll(ctx, []*groupRow{row(id), row(100 + id)})
			})
		}
		for i, err := range s.finish(ctx, t) {
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		s.want(ctx, t, "[7]", 12) // the first waited for the lock by itself
	})
}

// groupAudited says who created and who last saved it.
type groupAudited struct {
	ID    int64 `gorm:"primaryKey;autoIncrement:false"`
	N     int64
	Maker string `holdfast:"createdby"`
	By    string `holdfast:"updatedby"`
}

// Calls that are written together have the actors of their own contexts.
func TestGroup_EachCallHasItsActor(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupAudited]) {
		check.Must(t, s.plain.SaveAll(repo.WithActor(ctx, "before"), []*groupAudited{{ID: 6}, {ID: 7}}))
		for id := range int64(8) {
			ctx := repo.WithActor(ctx, fmt.Sprint("actor ", id))
			s.call(ctx, t, func() error {
				if id < 6 {
					return s.locked.Save(ctx, &groupAudited{ID: id})
				}
				_, err := s.locked.Update(ctx, id, func(e *groupAudited) error { e.N++; return nil })
				return err
			})
		}
		check.Must(t, errors.Join(s.finish(ctx, t)...))
		s.want(ctx, t, "[5 2]", 8)
		all, err := s.plain.Find(ctx)
		check.Must(t, err)
		for _, e := range all {
			actor := fmt.Sprint("actor ", e.ID)
			if maker := lo.Ternary(e.ID < 6, actor, "before"); e.Maker != maker || e.By != actor {
				t.Errorf("%d was created by %q and last saved by %q", e.ID, e.Maker, e.By)
			}
		}
	})
}

// A save that the database refuses fails alone; the others are stored. The first of two
// that want one name gets it.
func TestGroup_FailsAlone(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		rows := []*groupRow{row(0), row(1), {ID: 2, Name: "bad", N: -1}, row(3), {ID: 9, Name: "taken"}, {ID: 4, Name: "taken"}, row(5)}
		for _, e := range rows {
			s.call(ctx, t, func() error { return s.locked.Save(ctx, e) })
		}
		for i, err := range s.finish(ctx, t) {
			switch {
			case i == 2 && (err == nil || errors.As(err, new(*repo.BatchError))):
				t.Errorf("the check: got %v", err)
			case i == 5 && !errors.Is(err, repo.ErrDuplicateKey):
				t.Errorf("the name: got %v", err)
			case i != 2 && i != 5 && err != nil:
				t.Errorf("call %d: %v", i, err)
			}
		}
		if n, err := s.plain.Count(ctx); err != nil || n != 5 {
			t.Errorf("%d are stored, %v; want 5", n, err)
		}
		if *rows[2] != (groupRow{ID: 2, Name: "bad", N: -1}) {
			t.Errorf("the refused entity is now %+v", rows[2])
		}
	})
}

// An update's function runs once for each attempt, on what the ones before have written.
func TestGroup_UpdatesTogether(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		for id := range int64(5) {
			check.Must(t, s.plain.Save(ctx, row(id)))
		}
		ran := make([]int, 7)
		own := errors.New("the caller's own")
		for i, id := range []int64{0, 1, 2, 77, 3, 1, 4} {
			s.call(ctx, t, func() error {
				e, err := s.locked.Update(ctx, id, func(e *groupRow) error {
					ran[i]++
					e.N += 10
					if i == 2 {
						return own
					}
					return nil
				})
				if err == nil && e.ID != id {
					return fmt.Errorf("it returned %+v", e)
				}
				return err
			})
		}
		for i, err := range s.finish(ctx, t) {
			switch {
			case i == 2 && err != own: //nolint:errorlint // it is returned as it is
				t.Errorf("the function's error: got %v", err)
			case i == 3 && !errors.Is(err, repo.ErrNotFound):
				t.Errorf("nothing to update: got %v", err)
			case i != 2 && i != 3 && err != nil:
				t.Errorf("call %d: %v", i, err)
			}
		}
		if got := fmt.Sprint(ran); got != "[1 1 1 0 1 1 1]" {
			t.Errorf("the functions ran %s times", got)
		}
		s.want(ctx, t, "[4 2]", 5) // the second of one id is for a later transaction
		for id, n := range []int64{10, 21, 2, 13, 14} {
			if e, err := s.plain.FindByID(ctx, id); err != nil || e.N != n {
				t.Errorf("%d: got %+v, %v; want %d", id, e, err, n)
			}
		}
	})
}

// A hook runs with the values of its own caller's context, and its error, panic or exit
// belongs to that caller.
func TestGroup_Hooks(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupHooked]) {
		what := map[int64]groupHook{
			2: func(context.Context, *groupHooked) error { return errors.New("it must not be saved") },
			4: func(context.Context, *groupHooked) error { panic("oh") },
			6: func(context.Context, *groupHooked) error { runtime.Goexit(); return nil },
			// Errors of something else that the hook uses are no errors of this store.
			7:  func(context.Context, *groupHooked) error { return &net.OpError{Op: "dial", Err: errors.New("refused")} },
			8:  func(context.Context, *groupHooked) error { return fmt.Errorf("mine: %w", context.DeadlineExceeded) },
			9:  func(context.Context, *groupHooked) error { return fmt.Errorf("mine: %w", repo.ErrUnknown) },
			10: func(context.Context, *groupHooked) error { return fmt.Errorf("mine: %w", repo.ErrBusy) },
		}
		for id := range int64(13) {
			hook := func(_ context.Context, e *groupHooked) error { e.By = fmt.Sprint("caller ", id); return nil }
			if what[id] != nil {
				hook = what[id]
			}
			s.call(ctx, t, func() error { return s.locked.Save(withHook(ctx, hook), &groupHooked{ID: id}) })
		}
		wants := map[int]string{2: "must not be saved", 4: "panic: oh", 6: "it exited", 7: "refused", 8: "mine", 9: "mine", 10: "mine"}
		for i, err := range s.finish(ctx, t) {
			if want := wants[i]; (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("call %d: got %v, want %q", i, err, want)
			}
		}
		all, err := s.plain.Find(ctx)
		check.Must(t, err)
		if len(all) != 6 {
			t.Errorf("%d are stored", len(all))
		}
		for _, e := range all {
			if e.By != fmt.Sprint("caller ", e.ID) {
				t.Errorf("%+v has another caller's value", e)
			}
		}
	})
}

// Saves of one entity are made in their order, the last one stays.
func TestGroup_OneEntityTwice(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		for n := range int64(6) {
			s.call(ctx, t, func() error { return s.locked.Save(ctx, &groupRow{ID: n % 2, Name: fmt.Sprint(n % 2), N: n}) })
		}
		for i, err := range s.finish(ctx, t) {
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		s.want(ctx, t, "[2 2]", 2)
		for id, n := range []int64{4, 5} {
			if e, err := s.plain.FindByID(ctx, id); err != nil || e.N != n {
				t.Errorf("%d: got %+v, %v; want %d", id, e, err, n)
			}
		}
	})
}

// A caller that gives up while it waits leaves the others alone, and one whose deadline
// passes is told who has the lock.
func TestGroup_CallersLeave(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		for id := range int64(4) {
			mine, cancel := ctx, context.CancelFunc(func() {})
			switch id {
			case 1:
				mine, cancel = context.WithCancel(ctx)
			case 2:
				mine, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
			}
			defer cancel()
			s.call(ctx, t, func() error { return s.locked.Save(mine, row(id)) })
			if id == 1 {
				cancel()
				if err := <-s.answers[1]; !errors.Is(err, context.Canceled) {
					t.Errorf("a caller that left: got %v", err)
				}
			}
		}
		if err := <-s.answers[2]; !errors.Is(err, etcdlock.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "held by") {
			t.Errorf("a deadline that passed: got %v", err)
		}
		s.answers = []chan error{s.answers[0], s.answers[3]}
		for i, err := range s.finish(ctx, t) {
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		s.want(ctx, t, "[]", 2)
	})
}

// A save under a hold of the caller, or in a transaction, is made by itself.
func TestGroup_NotUnderAHold(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		check.Must(t, s.holder.Unlock(ctx))
		check.Must(t, s.locker.Do(ctx, "group", func(ctx context.Context) error {
			if err := s.locked.Save(ctx, row(1)); err != nil {
				return err
			}
			_, err := s.locked.Update(ctx, 1, func(e *groupRow) error { e.N = 5; return nil })
			return err
		}))
		check.Must(t, s.locked.InTx(ctx, func(ctx context.Context) error { return s.locked.Save(ctx, row(2)) }))
		// Another name sorts behind it: the order rule must see what the caller holds.
		other, err := s.locker.Lock(ctx, "zzz")
		check.Must(t, err)
		check.Must(t, s.locked.Save(other.Context(), row(3)))
		check.Must(t, other.Unlock(ctx))
		s.want(ctx, t, "[]", 3)
	})
}

// When the lock is lost while a batch is on the way all of it is rolled back, and every
// caller is told so.
func TestGroup_LostLock(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupHooked]) {
		for id := range int64(6) {
			hook := func(context.Context, *groupHooked) error { return nil }
			if id == 3 {
				hook = func(batch context.Context, _ *groupHooked) error {
					if err := breakHold(ctx, s.Fleet, s.locker, "group"); err != nil {
						return err
					}
					<-batch.Done() // else it is committed before the loss is noticed
					return nil
				}
			}
			s.call(ctx, t, func() error { return s.locked.Save(withHook(ctx, hook), &groupHooked{ID: id}) })
		}
		for i, err := range s.finish(ctx, t) {
			if i > 0 && !errors.Is(err, etcdlock.ErrLost) {
				t.Errorf("call %d: got %v", i, err)
			}
		}
		if n, err := s.plain.Count(ctx); err != nil || n != 1 {
			t.Errorf("%d are stored, %v; want the first call's", n, err)
		}
	})
}

// Where callbacks are registered calls are not put together: they may ask the context
// whose rows they are.
func TestGroup_NotWithCallbacks(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(&groupRow{}))
		if r := sqldb.Repository[groupRow](t, db, nil); r.Grouping(r).How == "" {
			t.Error("GORM's own callbacks are taken for others")
		}
		check.Must(t, db.Callback().Raw().Before("gorm:raw").Register("tenant", func(*gorm.DB) {}))
		if r := sqldb.Repository[groupRow](t, db, nil); r.Grouping(r).How != "" {
			t.Error("a callback is not seen")
		}
	})
}

// A batch that takes long makes way for others; what it did not come to keeps its order.
func TestGroup_LongBatches(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		check.Must(t, s.plain.Save(ctx, row(1)))
		var order []int
		for i := range 6 {
			s.call(ctx, t, func() error { // of one entity: a transaction for each
				_, err := s.locked.Update(ctx, 1, func(e *groupRow) error {
					order = append(order, i)
					<-time.After(20 * time.Millisecond) // work that takes longer than a batch may
					e.N++
					return nil
				})
				return err
			})
		}
		for i, err := range s.finish(ctx, t) {
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if got := fmt.Sprint(order); got != "[0 1 2 3 4 5]" {
			t.Errorf("they ran in the order %s", got)
		}
		if e, err := s.plain.FindByID(ctx, 1); err != nil || e.N != 7 {
			t.Errorf("got %+v, %v", e, err)
		}
	})
}

// When the Locker is closed everybody who waits is told.
func TestGroup_Close(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		for id := range int64(4) {
			s.call(ctx, t, func() error { return s.locked.Save(ctx, row(id)) })
		}
		check.Must(t, s.locker.Close(ctx))
		for i, err := range s.finish(ctx, t) {
			if !errors.Is(err, etcdlock.ErrClosed) {
				t.Errorf("call %d: got %v", i, err)
			}
		}
		s.want(ctx, t, "[]", 0)
	})
}

// mongoGroupCounter is groupCounter on MongoDB.
type mongoGroupCounter[T any] struct {
	*mongorepo.Repository[T]
	groupSizes
}

func (c *mongoGroupCounter[T]) Grouping(repo.Repository[T]) driver.Grouping {
	return c.Repository.Grouping(c.Repository)
}

func (c *mongoGroupCounter[T]) SaveGroup(ctx context.Context, calls []driver.SaveCall[T]) error {
	c.count(len(calls))
	return c.Repository.SaveGroup(ctx, calls)
}

type mongoGroupRow struct {
	ID   int64 `bson:"_id"`
	Name string
}

// On MongoDB what waits goes in one bulk write, of which each caller gets its own error.
func TestGroup_Mongo(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[mongoGroupRow](t, nil)
	_, err := coll.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "name", Value: 1}}, Options: options.Index().SetUnique(true)})
	check.Must(t, err)
	s := &groupSite[mongoGroupRow]{plain: &mongoGroupCounter[mongoGroupRow]{Repository: r}}
	s.lock(ctx, t)
	for id, name := range []string{"a", "b", "c", "b", "d"} {
		s.call(ctx, t, func() error { return s.locked.Save(ctx, &mongoGroupRow{ID: int64(id + 1), Name: name}) })
	}
	s.call(ctx, t, func() error {
		return s.locked.SaveAll(ctx, []*mongoGroupRow{{ID: 10, Name: "e"}, {ID: 11, Name: "b"}})
	})
	for i, err := range s.finish(ctx, t) {
		batch, ok := errors.AsType[*repo.BatchError](err)
		switch {
		case i == 3 && (!errors.Is(err, repo.ErrDuplicateKey) || ok):
			t.Errorf("a name that is taken: got %v", err)
		case i == 5 && (!errors.Is(err, repo.ErrDuplicateKey) || !ok || len(batch.Items) != 1 || batch.Items[0].Index != 1):
			t.Errorf("one of two: got %v", err)
		case i != 3 && i != 5 && err != nil:
			t.Errorf("call %d: %v", i, err)
		}
	}
	s.want(ctx, t, "[5]", 5)
}

// checkedRows is a service's own repository: it does something more before each save.
type checkedRows struct {
	*gormrepo.Repository[groupRow]
	saves atomic.Int64
}

func (c *checkedRows) Save(ctx context.Context, e *groupRow) error {
	c.saves.Add(1)
	return c.Repository.Save(ctx, e)
}

// What a repository around the store's own does is never left out, however many wait.
func TestGroup_NotPastAnotherRepository(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		ctx, db := check.Bounded(t, time.Minute), b.Open(t)
		check.Must(t, db.AutoMigrate(&groupRow{}))
		check.Must(t, gormrepo.MigrateFence(ctx, db))
		f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
		inner := &checkedRows{Repository: sqldb.Repository[groupRow](t, db, nil)}
		locked, err := lockedrepo.New[groupRow](inner, f.Locker(nil), &lockedrepo.Options{Key: "group"})
		check.Must(t, err)
		var callers errgroup.Group
		for id := range int64(20) {
			callers.Go(func() error { return locked.Save(ctx, row(id)) })
		}
		check.Must(t, callers.Wait())
		if n := inner.saves.Load(); n != 20 {
			t.Errorf("%d of 20 saves went through it", n)
		}
	})
}

// A caller that gives up while the batch works on others leaves, and nothing of its call
// is written with what comes later.
func TestGroup_LeavesABatchAtWork(t *testing.T) {
	onGroups(t, func(ctx context.Context, t *testing.T, s *groupSite[groupRow]) {
		check.Must(t, s.plain.Save(ctx, row(1)))
		mine, cancel := context.WithCancel(ctx)
		defer cancel()
		update := func(fn func(*groupRow) error) func() error {
			return func() error { _, err := s.locked.Update(ctx, 1, fn); return err }
		}
		s.call(ctx, t, update(func(*groupRow) error { return nil }))
		s.call(ctx, t, update(func(*groupRow) error { cancel(); return nil }))
		s.call(ctx, t, func() error { return s.locked.Save(ctx, row(2)) })
		s.call(ctx, t, func() error { return s.locked.Save(mine, row(3)) })
		s.call(ctx, t, func() error { return s.locked.Save(ctx, row(4)) })
		for i, err := range s.finish(ctx, t) {
			if i == 3 != errors.Is(err, context.Canceled) || i != 3 && err != nil {
				t.Errorf("call %d: got %v", i, err)
			}
		}
		s.want(ctx, t, "[2]", 3)
	})
}
