package integration_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
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

// isCommit recognises the message that commits, on both servers.
func isCommit(m []byte) bool {
	lower := bytes.ToLower(m)
	return bytes.Contains(lower, []byte("commit\x00")) || bytes.HasSuffix(lower, []byte("commit")) || bytes.Contains(lower, []byte("set autocommit = 1"))
}

// isExecution recognises that PostgreSQL is told to execute a statement which it
// knows.
func isExecution(m []byte) bool { return m[0] == 'B' }

// lostCall is a call whose answer can be lost, and what that answer comes with.
type lostCall struct {
	name   string
	answer func([]byte) bool
	call   func(ctx context.Context, r *gormrepo.Repository[gormCounter], n int) error
}

func lostCalls(db *gorm.DB) []lostCall {
	calls := []lostCall{
		{"Update", isCommit, func(ctx context.Context, r *gormrepo.Repository[gormCounter], n int) error {
			e, err := r.Update(ctx, 1, func(c *gormCounter) error { c.N = n; return nil })
			if err == nil && e.N != n {
				err = errors.New("not as saved")
			}
			return err
		}},
		{"InTx", isCommit, func(ctx context.Context, r *gormrepo.Repository[gormCounter], n int) error {
			return r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, &gormCounter{ID: 1, N: n}) })
		}},
		{"Save", isCommit, func(ctx context.Context, r *gormrepo.Repository[gormCounter], n int) error {
			return r.Save(ctx, &gormCounter{ID: 1, N: n})
		}},
	}
	if db.Name() == drivers.Postgres {
		calls[2].answer = isExecution
	}
	return calls
}

// onWire runs a test with a repository behind a wire, for each call that can
// lose its answer.
func onWire(t *testing.T, opts *gormrepo.Options, test func(ctx context.Context, t *testing.T, l *lostTest)) {
	t.Helper()
	for _, b := range sqlBackends()[1:3] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			direct := fenced(t, b)
			plain := gormRepo[gormCounter](t, direct, nil)
			for _, call := range lostCalls(direct) {
				t.Run(call.name, func(t *testing.T) {
					db, w := wiredDB(t, direct)
					r, err := gormrepo.New[gormCounter](db, opts)
					must(t, err)
					ctx := bounded(t, time.Minute)
					f := turn(5, "a", 1, "lost "+call.name)
					must(t, plain.Save(ctx, &gormCounter{ID: 1}))
					must(t, call.call(f.with(ctx), r, 1)) // now its statements are prepared
					test(ctx, t, &lostTest{lostCall: call, db: direct, r: r, plain: plain, w: w, f: f})
				})
			}
		})
	}
}

type lostTest struct {
	lostCall
	db       *gorm.DB // past the wire
	r, plain *gormrepo.Repository[gormCounter]
	w        *wire
	f        *handFence
}

func (l *lostTest) want(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	if got, err := l.plain.FindByID(ctx, 1); err != nil || got.N != n {
		t.Fatalf("want %d, got %+v, %v", n, got, err)
	}
	// The hold goes on.
	must(t, l.call(l.f.with(ctx), l.r, 99))
}

func TestGormFence_LostReply(t *testing.T) {
	t.Parallel()
	onWire(t, nil, func(ctx context.Context, t *testing.T, l *lostTest) {
		l.w.strike(loseReply, false, l.answer)
		must(t, l.call(l.f.with(ctx), l.r, 2))
		<-l.w.struck
		l.want(ctx, t, 2)
	})
}

func TestGormFence_LostRequest(t *testing.T) {
	t.Parallel()
	onWire(t, nil, func(ctx context.Context, t *testing.T, l *lostTest) {
		l.w.strike(loseRequest, false, l.answer)
		err := l.call(l.f.with(ctx), l.r, 2)
		<-l.w.struck
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
		l.w.strike(holdReply, false, l.answer)
		short, cancel := context.WithCancel(ctx)
		go func() {
			<-l.w.struck
			cancel()
		}()
		must(t, l.call(l.f.with(short), l.r, 2))
		l.want(ctx, t, 2)
	})
}

func TestGormFence_Unreachable(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"Reply": loseReply, "Request": loseRequest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onWire(t, nil, func(ctx context.Context, t *testing.T, l *lostTest) {
				l.w.strike(f, true, l.answer)
				err := l.call(l.f.with(ctx), l.r, 2)
				<-l.w.struck
				var unknown *repo.UnknownError
				if !errors.As(err, &unknown) || !errors.Is(err, repo.ErrUnknown) {
					t.Fatalf("got %v", err)
				}
				l.w.up()
				n := 1
				if f == loseReply {
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
		l.w.strike(holdRequest, false, l.answer)
		err := l.call(l.f.with(ctx), l.r, 2)
		<-l.w.struck
		if !contains(err, "not written") || errors.Is(err, repo.ErrUnknown) {
			t.Fatalf("got %v", err)
		}
		l.w.release()
		l.want(ctx, t, 1)
	})
}

func TestGormFence_PruneOps(t *testing.T) {
	t.Parallel()
	onFenced(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := gormRepo[gormCounter](t, db, nil)
		must(t, r.Save(turn(1, "a", 1, "k").with(ctx), &gormCounter{ID: 1}))
		must(t, db.Exec("INSERT INTO holdfast_ops (op, written) VALUES (?, ?)", someOp, true).Error)
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
		must(t, db.Table("holdfast_ops").Count(&left).Error)
		if left == 0 {
			t.Error("the operation of just now is gone")
		}
	})
}
