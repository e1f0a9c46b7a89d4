package fenced_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/integration_test/internal/wires"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

const (
	opAge  = 24 * time.Hour
	someOp = "0123456789ab0123456789abcdef0123"
)

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func statementsOf(text string) []string {
	return strings.Split(strings.TrimSuffix(text, ";\n"), ";\n")
}

// lostCall is a call whose answer can be lost, and what that answer comes with.
type lostCall struct {
	name   string
	answer func([]byte) bool
	call   func(ctx context.Context, r *gormrepo.Repository[sqldb.GormCounter], n int) error
}

func lostCalls(db *gorm.DB) []lostCall {
	calls := []lostCall{
		{"Update", wires.IsCommit, func(ctx context.Context, r *gormrepo.Repository[sqldb.GormCounter], n int) error {
			e, err := r.Update(ctx, 1, func(c *sqldb.GormCounter) error { c.N = n; return nil })
			if err == nil && e.N != n {
				err = errors.New("not as saved")
			}
			return err
		}},
		{"InTx", wires.IsCommit, func(ctx context.Context, r *gormrepo.Repository[sqldb.GormCounter], n int) error {
			return r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, &sqldb.GormCounter{ID: 1, N: n}) })
		}},
		{"Save", wires.IsCommit, func(ctx context.Context, r *gormrepo.Repository[sqldb.GormCounter], n int) error {
			return r.Save(ctx, &sqldb.GormCounter{ID: 1, N: n})
		}},
	}
	if db.Name() == drivers.Postgres {
		calls[2].answer = wires.IsExecution
	}
	return calls
}

// onWire runs a test with a repository behind a wire, for each call that can
// lose its answer.
func onWire(t *testing.T, opts *gormrepo.Options, test func(ctx context.Context, t *testing.T, l *lostTest)) {
	t.Helper()
	for _, b := range sqldb.Backends()[1:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			direct := fences.Open(t, b)
			plain := sqldb.Repository[sqldb.GormCounter](t, direct, nil)
			for _, call := range lostCalls(direct) {
				t.Run(call.name, func(t *testing.T) {
					db, w := wires.Open(t, direct)
					r, err := gormrepo.New[sqldb.GormCounter](db, opts)
					check.Must(t, err)
					ctx := check.Bounded(t, time.Minute)
					f := fences.Turn(5, "a", 1, "lost "+call.name)
					check.Must(t, plain.Save(ctx, &sqldb.GormCounter{ID: 1}))
					check.Must(t, call.call(f.With(ctx), r, 1)) // now its statements are prepared
					test(ctx, t, &lostTest{lostCall: call, db: direct, r: r, plain: plain, w: w, f: f})
				})
			}
		})
	}
}

type lostTest struct {
	lostCall
	db       *gorm.DB // past the wire
	r, plain *gormrepo.Repository[sqldb.GormCounter]
	w        *wires.Wire
	f        *fences.Hand
}

func (l *lostTest) want(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	if got, err := l.plain.FindByID(ctx, 1); err != nil || got.N != n {
		t.Fatalf("want %d, got %+v, %v", n, got, err)
	}
	// The hold goes on.
	check.Must(t, l.call(l.f.With(ctx), l.r, 99))
}

func TestGormFence_LostReply(t *testing.T) {
	t.Parallel()
	onWire(t, nil, func(ctx context.Context, t *testing.T, l *lostTest) {
		l.w.Strike(wires.LoseReply, false, l.answer)
		check.Must(t, l.call(l.f.With(ctx), l.r, 2))
		<-l.w.Struck
		l.want(ctx, t, 2)
	})
}

func TestGormFence_LostRequest(t *testing.T) {
	t.Parallel()
	onWire(t, nil, func(ctx context.Context, t *testing.T, l *lostTest) {
		l.w.Strike(wires.LoseRequest, false, l.answer)
		err := l.call(l.f.With(ctx), l.r, 2)
		<-l.w.Struck
		if !contains(err, "not written") || errors.Is(err, repo.ErrUnknown) {
			t.Fatalf("got %v", err)
		}
		l.want(ctx, t, 1)
	})
}

// The caller's context ends while the commit is on its way.
func TestGormFence_ContextEndsDuringCommit(t *testing.T) {
	t.Parallel()
	onWire(t, nil, func(ctx context.Context, t *testing.T, l *lostTest) {
		l.w.Strike(wires.HoldReply, false, l.answer)
		short, cancel := context.WithCancel(ctx)
		go func() {
			<-l.w.Struck
			cancel()
		}()
		check.Must(t, l.call(l.f.With(short), l.r, 2))
		l.want(ctx, t, 2)
	})
}

func TestGormFence_Unreachable(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]wires.Fault{"Reply": wires.LoseReply, "Request": wires.LoseRequest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onWire(t, nil, func(ctx context.Context, t *testing.T, l *lostTest) {
				l.w.Strike(f, true, l.answer)
				err := l.call(l.f.With(ctx), l.r, 2)
				<-l.w.Struck
				var unknown *repo.UnknownError
				if !errors.As(err, &unknown) || !errors.Is(err, repo.ErrUnknown) {
					t.Fatalf("got %v", err)
				}
				l.w.Up()
				n := 1
				if f == wires.LoseReply {
					n = 2
				}
				for range 2 {
					written, err := gormrepo.Outcome(ctx, l.db, unknown.Op)
					if err != nil || written != (n == 2) {
						t.Fatalf("written %v, %v", written, err)
					}
				}
				l.want(ctx, t, n)
			})
		})
	}
}

// What comes late after the answer "not written" is not written.
func TestGormFence_LateRequest(t *testing.T) {
	t.Parallel()
	onWire(t, &gormrepo.Options{HoldLimit: time.Second}, func(ctx context.Context, t *testing.T, l *lostTest) {
		l.w.Strike(wires.HoldRequest, false, l.answer)
		err := l.call(l.f.With(ctx), l.r, 2)
		<-l.w.Struck
		if !contains(err, "not written") || errors.Is(err, repo.ErrUnknown) {
			t.Fatalf("got %v", err)
		}
		l.w.Release()
		l.want(ctx, t, 1)
	})
}

func TestGormFence_PruneOps(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, r.Save(fences.Turn(1, "a", 1, "k").With(ctx), &sqldb.GormCounter{ID: 1}))
		check.Must(t, db.Exec("INSERT INTO holdfast_ops (op, written) VALUES (?, ?)", someOp, true).Error)
		if written, err := gormrepo.Outcome(ctx, db, someOp); !written || err != nil {
			t.Fatalf("%v, %v", written, err)
		}
		if n, err := gormrepo.PruneOps(ctx, db, opAge); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		var unknown *repo.UnknownError
		if _, err := gormrepo.Outcome(ctx, db, someOp); !errors.As(err, &unknown) || unknown.Op != someOp {
			t.Fatalf("got %v", err)
		}
		if _, err := gormrepo.PruneOps(ctx, db, time.Second); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("got %v", err)
		}
		for _, op := range []string{"", "x", someOp[1:], someOp[1:] + "'"} {
			if _, err := gormrepo.Outcome(ctx, db, op); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%q: got %v", op, err)
			}
		}
		var left int64
		check.Must(t, db.Table("holdfast_ops").Count(&left).Error)
		if left == 0 {
			t.Error("the operation of just now is gone")
		}
	})
}
