package lockedrepo_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// A caller that leaves when its call is on the way learns what became of it, and not that
// it has left.
func TestGroup_LeavingTooLate(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil, pieceOf("x"), pieceOf("y"), pieceOf("z"))
	s.pile(ctx, t, s.saving(ctx, "first")...)
	for _, id := range []string{"a", "b", "c", "d"} {
		mine, cancel := context.WithCancel(ctx)
		hook := func(context.Context) error { cancel(); return nil }
		s.pile(ctx, t, s.saving(withPieceHook(mine, hook), id)...)
	}
	for _, id := range []string{"x", "y", "z"} {
		mine, cancel := context.WithCancel(ctx)
		s.pile(ctx, t, s.updating(mine, id, func(e *piece) error { cancel(); return counting(e) }))
	}
	wantAll(t, s.finish(ctx, t))
	want := []string{"Save first", "SaveGroup a b c d", "UpdateGroup x y z"}
	if tried := s.store.tried(); !slices.Equal(tried, want) {
		t.Errorf("the attempts are %q, want %q", tried, want)
	}
	stored, err := s.store.FindAllByID(ctx, []any{"a", "b", "c", "d", "x", "y", "z"})
	if err != nil || len(stored) != 7 || stored[4].N+stored[5].N+stored[6].N != 3 {
		t.Errorf("%d are stored, %v", len(stored), err)
	}
}

// A panic and the end of a goroutine belong to the caller whose code it was. The others
// succeed.
func TestGroup_PanicsAndExits(t *testing.T) {
	t.Parallel()
	panics := func() error { panic("oh") }
	exits := func() error { runtime.Goexit(); return nil }
	for name, doing := range map[string]func(s *groupSite, ctx context.Context, id string, bad func() error) func() error{
		"Save": func(s *groupSite, ctx context.Context, id string, bad func() error) func() error {
			return s.saving(withPieceHook(ctx, func(context.Context) error { return bad() }), id)[0]
		},
		"SaveAll": func(s *groupSite, ctx context.Context, id string, bad func() error) func() error {
			ctx = withPieceHook(ctx, func(context.Context) error { return bad() })
			return func() error { return s.pieces.SaveAll(ctx, []*piece{{ID: id, Name: id, N: 1}, pieceOf(id + "2")}) }
		},
		"Update": func(s *groupSite, ctx context.Context, id string, bad func() error) func() error {
			return s.updating(ctx, id, func(e *piece) error {
				e.N++
				return bad()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := groupContext(t)
			ids := []string{"first", "a", "b", "c", "d", "e", "f"}
			var stored []*piece
			if name == "Update" {
				for _, id := range ids {
					stored = append(stored, pieceOf(id))
				}
			}
			s := newGroupSite(ctx, t, nil, stored...)
			for _, id := range ids {
				bad := map[string]func() error{"b": panics, "e": exits}[id]
				if bad == nil {
					bad = func() error { return nil }
				}
				s.pile(ctx, t, doing(s, ctx, id, bad))
			}
			got := fmt.Sprint(s.finish(ctx, t))
			if want := "[<nil> <nil> panic: oh <nil> <nil> it exited <nil>]"; got != want {
				t.Errorf("the answers are %s, want %s", got, want)
			}
			for _, id := range ids {
				e, err := s.store.FindByID(ctx, id)
				written := err == nil && (name != "Update" || e.N == 1)
				if written == (id == "b" || id == "e") {
					t.Errorf("%s: %+v, %v", id, e, err)
				}
			}
		})
	}
}

// Updates after one that the store refuses are made after it, and those before it before:
// what one makes free the next one takes.
func TestGroup_OrderAroundARefusal(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil, pieceOf("a"), pieceOf("b"), pieceOf("c"), pieceOf("d"), pieceOf("e"))
	named := func(id, name string) func() error {
		return s.updating(ctx, id, func(e *piece) error { e.Name = name; return nil })
	}
	s.pile(ctx, t, s.saving(ctx, "first")...)
	s.pile(ctx, t, named("a", "left"), named("b", "a"), named("c", "first"), named("d", "b"), named("e", "left"))
	for i, err := range s.finish(ctx, t) {
		if bad := i == 3 || i == 5; bad != errors.Is(err, repo.ErrDuplicateKey) || !bad && err != nil {
			t.Errorf("call %d: got %v", i, err)
		}
	}
	want := []string{"Save first", "UpdateGroup a b c d e", "UpdateGroup a b", "Update c", "UpdateGroup d e", "Update d", "Update e"}
	if tried := s.store.tried(); !slices.Equal(tried, want) {
		t.Errorf("the attempts are %q, want %q", tried, want)
	}
	for id, name := range map[string]string{"a": "left", "b": "a", "c": "c", "d": "b", "e": "e"} {
		if e, err := s.store.FindByID(ctx, id); err != nil || e.Name != name {
			t.Errorf("%s: got %+v, %v; want the name %s", id, e, err, name)
		}
	}
}

// Of lists, too: the element that is refused tells which call is.
func TestGroup_OrderAroundARefusedList(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil, pieceOf("taken"))
	list := func(es ...*piece) func() error { return func() error { return s.pieces.SaveAll(ctx, es) } }
	s.pile(ctx, t, s.saving(ctx, "first")...)
	s.pile(ctx, t,
		list(pieceOf("a"), pieceOf("b"), pieceOf("c")),
		list(pieceOf("d"), &piece{ID: "e", Name: "taken"}),
		list(pieceOf("f"), pieceOf("g")),
		s.saving(ctx, "h")[0],
	)
	for i, err := range s.finish(ctx, t) {
		batch, named := errors.AsType[*repo.BatchError](err)
		if bad := i == 2; bad != (named && batch.Items[0].Index == 1) || !bad && err != nil {
			t.Errorf("call %d: got %v", i, err)
		}
	}
	want := []string{"Save first", "SaveGroup a,b,c d,e f,g h", "SaveAll a,b,c", "SaveAll d,e", "SaveGroup f,g h"}
	if tried := s.store.tried(); !slices.Equal(tried, want) {
		t.Errorf("the attempts are %q, want %q", tried, want)
	}
}

// Each attempt shows claims that no other one has shown, later ones newer claims.
func TestGroup_ClaimsOfEachAttempt(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil, pieceOf("x"), pieceOf("y"), pieceOf("z"))
	bad := errors.New("bad")
	failing := withPieceHook(ctx, func(context.Context) error { return bad })
	panicking := withPieceHook(ctx, func(context.Context) error { panic("oh") })
	s.pile(ctx, t, s.saving(ctx, "first", "a", "b")...)
	s.pile(ctx, t, s.saving(failing, "c")...)
	s.pile(ctx, t, s.saving(ctx, "d", "e")...)
	s.pile(ctx, t, s.saving(panicking, "f")...)
	s.pile(ctx, t, s.saving(ctx, "g", "first")...) // the second in a later group
	for _, id := range []string{"x", "y", "x"} {
		s.pile(ctx, t, s.updating(ctx, id, counting))
	}
	s.pile(ctx, t, s.updating(ctx, "z", func(e *piece) error { e.Name = "x"; return nil })) // refused
	s.finish(ctx, t)
	var last repo.Claim
	var drawn int
	for _, a := range s.store.attempts {
		for _, c := range a.claims {
			drawn++
			if !c.Succeeds(last) && last.Key != "" {
				t.Errorf("%s: %v does not succeed %v", a, c, last)
			}
			last = c
		}
		if written := !strings.Contains(a.String(), "c") && !strings.Contains(a.String(), "f"); written && len(a.claims) == 0 {
			t.Errorf("%s shows no claim", a)
		}
	}
	if drawn < 10 {
		t.Errorf("only %d claims were drawn by %q", drawn, s.store.tried())
	}
}

// When the lock is lost while updates are on the way none of them is written, and each
// caller is told so. They are not tried again.
func TestGroup_UpdatesLoseTheLock(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"Noticed": false, "Fenced": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := groupContext(t)
			s := newGroupSite(ctx, t, nil, pieceOf("a"), pieceOf("b"), pieceOf("c"), pieceOf("d"))
			s.store.late = late
			successor, err := lockedrepo.New[piece](s.store.Repository, s.other, &lockedrepo.Options{Key: pieceKey})
			if err != nil {
				t.Fatal(err)
			}
			lose := func(attempt context.Context) error {
				if err := s.cluster.Expire(ctx, s.other, pieceKey); err != nil || !late {
					<-attempt.Done() // else it is written before the loss is noticed
					return err
				}
				_, err := successor.Update(ctx, "d", func(e *piece) error { e.N += 10; return nil })
				return err
			}
			s.pile(ctx, t, s.saving(ctx, "first")...)
			for _, id := range []string{"a", "b", "c", "d"} {
				mine := ctx
				if id == "c" {
					mine = withPieceHook(ctx, lose)
				}
				s.pile(ctx, t, s.updating(mine, id, counting))
			}
			for i, err := range s.finish(ctx, t) {
				if i > 0 && (!errors.Is(err, etcdlock.ErrLost) || errors.Is(err, repo.ErrFenced) != late || errors.Is(err, lockedrepo.ErrRelease)) {
					t.Errorf("call %d: got %v", i, err)
				}
			}
			if tried := s.store.tried(); !slices.Equal(tried, []string{"Save first", "UpdateGroup a b c d"}) {
				t.Errorf("the attempts are %q", tried)
			}
			for id, n := range map[string]int{"a": 0, "b": 0, "c": 0, "d": lo.Ternary(late, 10, 0)} {
				if e, err := s.store.FindByID(ctx, id); err != nil || e.N != n {
					t.Errorf("%s: got %+v, %v", id, e, err)
				}
			}
		})
	}
}

// Callers do not wait until the lock is given back. What they could learn from that is
// whether etcd answers, and the write was done.
func TestGroup_AnsweredBeforeTheRelease(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, &etcdlock.Options{Linger: etcdlock.NoLinger})
	s.pile(ctx, t, s.saving(ctx, "first")...)
	s.pile(ctx, t, s.saving(ctx, "a", "b")...)
	cut := func(context.Context) error { s.cluster.Cut(); return nil }
	s.pile(ctx, t, s.saving(withPieceHook(ctx, cut), "c")...)
	wantAll(t, s.finish(ctx, t))
	s.cluster.Reconnect()
}

// Callers whose write was done learn that the lock was lost before they were answered.
func TestGroup_LostAfterTheWork(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil, pieceOf("a"), pieceOf("b"))
	s.store.late = true
	lose := func(attempt context.Context) error {
		err := s.cluster.Expire(ctx, s.other, pieceKey)
		<-attempt.Done()
		return err
	}
	s.pile(ctx, t, s.saving(ctx, "first")...)
	s.pile(ctx, t, s.updating(ctx, "a", counting), s.updating(withPieceHook(ctx, lose), "b", counting))
	for i, err := range s.finish(ctx, t) {
		if i > 0 && (!errors.Is(err, etcdlock.ErrLost) || !errors.Is(err, lockedrepo.ErrRelease)) {
			t.Errorf("call %d: got %v", i, err)
		}
	}
	for _, id := range []string{"a", "b"} {
		if e, err := s.store.FindByID(ctx, id); err != nil || e.N != 1 {
			t.Errorf("%s: got %+v, %v", id, e, err)
		}
	}
}
