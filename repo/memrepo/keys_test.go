package memrepo_test

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type small struct {
	ID   int8
	Name string
}

type document struct {
	ID   bson.ObjectID `bson:"_id"`
	Name string
}

type device struct {
	UUID [16]byte `gorm:"primaryKey"`
	Name string
}

func wantErr(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}

func TestIntegerKeysCountUp(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[small](t, nil)
	a, given, b := &small{}, &small{ID: 100}, &small{}
	must(t, r.Save(ctx, a))
	must(t, r.Save(ctx, given))
	must(t, r.Save(ctx, b))
	must(t, r.Save(ctx, &small{ID: -5}))
	if a.ID != 1 || given.ID != 100 || b.ID != 101 {
		t.Fatalf("got keys %d, %d, %d", a.ID, given.ID, b.ID)
	}
	must(t, r.DeleteByID(ctx, 101))
	c := &small{}
	must(t, r.Save(ctx, c))
	if c.ID != 102 {
		t.Fatalf("a key was given out again: %d", c.ID)
	}
	must(t, r.Save(ctx, &small{ID: 127}))
	over := &small{}
	wantErr(t, r.Save(ctx, over), repo.ErrInvalid)
	if over.ID != 0 {
		t.Fatalf("the refused entity got key %d", over.ID)
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	ctx := context.WithValue(t.Context(), document{}, "seen")
	want := bson.NewObjectID()
	r := open[document](t, &memrepo.Options{NewID: func(ctx context.Context) (any, error) {
		if ctx.Value(document{}) != "seen" {
			return nil, errors.New("not the context of the call")
		}
		return want.Hex(), nil
	}})
	e := &document{Name: "a"}
	must(t, r.Save(ctx, e))
	if e.ID != want {
		t.Fatalf("got %v, want %v", e.ID, want)
	}
	for _, id := range []any{want, want.Hex(), document{ID: want}, e} {
		if got, err := r.FindByID(ctx, id); err != nil || got.Name != "a" {
			t.Fatalf("by %T: got %v, %v", id, got, err)
		}
	}
	wantErr(t, r.Save(ctx, &document{Name: "b"}), repo.ErrDuplicateKey)
}

func TestNewIDThatFails(t *testing.T) {
	t.Parallel()
	mine := errors.New("no numbers left")
	for name, c := range map[string]struct {
		id   any
		err  error
		want error
	}{
		"Error":     {nil, mine, mine},
		"WrongKind": {1.5, nil, repo.ErrInvalid},
		"Zero":      {bson.ObjectID{}, nil, repo.ErrInvalid},
		"Nil":       {nil, nil, repo.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			r := open[document](t, &memrepo.Options{NewID: func(context.Context) (any, error) { return c.id, c.err }})
			err := r.SaveAll(t.Context(), []*document{{ID: bson.NewObjectID()}, {}})
			wantErr(t, err, c.want)
			if n, err := r.Count(t.Context()); n != 0 || err != nil {
				t.Fatalf("%d are stored, %v", n, err)
			}
		})
	}
}

func TestKeyMustBeSetWhereNothingMakesOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	wantErr(t, open[document](t, nil).Save(ctx, &document{}), repo.ErrInvalid)
	devices := open[device](t, nil)
	wantErr(t, devices.Save(ctx, &device{}), repo.ErrInvalid)
	d := &device{UUID: [16]byte{1}, Name: "a"}
	must(t, devices.Save(ctx, d))
	if got, err := devices.FindByID(ctx, d.UUID); err != nil || got.Name != "a" {
		t.Fatalf("got %v, %v", got, err)
	}
	_, err := devices.FindByID(ctx, d.UUID[:])
	wantErr(t, err, repo.ErrInvalid)
}

// TestPanicLeavesNothingBehind: code of the user runs under the lock.
func TestPanicLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	ctx, armed := t.Context(), true
	r := open[document](t, &memrepo.Options{NewID: func(context.Context) (any, error) {
		if armed {
			panic("no id")
		}
		return bson.NewObjectID(), nil
	}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = r.SaveAll(ctx, []*document{{ID: bson.NewObjectID()}, {}})
	}()
	if n, err := r.Count(ctx); n != 0 || err != nil {
		t.Fatalf("%d are stored, %v", n, err)
	}
	armed = false
	must(t, r.Save(ctx, &document{}))
}
