package repotest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// guarded is a hold of several keys, each of which may guard.
type guarded struct {
	holds
	keys []string
}

// Keys are those that it holds.
func (g guarded) Keys() []string { return g.keys }

// heldAs is a hold of the keys, shown sorted.
func heldAs(token int64, keys ...string) guarded {
	g := guarded{keys: keys}
	for _, key := range slices.Sorted(slices.Values(keys)) {
		h := holdOf(token, 1)
		h.claim.Key = key
		g.holds = append(g.holds, h)
	}
	return g
}

// plain is a fence that does not say which keys may guard.
type plain struct{ driver.Fence }

// fenceWrongKeyIsRefused: who holds another key than the one that guards the
// entities neither reads nor writes, however new the claim is.
func fenceWrongKeyIsRefused(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	noErr(t, r.SaveAll(under(t, heldAs(5, "first")), itemsOf("a", "b")))
	for _, c := range calls(t, h) {
		t.Run(c.name, func(t *testing.T) {
			err := c.do(under(t, heldAs(9, "second", "third")), r)
			wantErr(t, err, repo.ErrWrongKey)
			wrong, ok := errors.AsType[*repo.WrongKeyError](err)
			if !ok || wrong.Registered != "first" || !slices.Equal(wrong.Presented, []string{"second", "third"}) || wrong.Resource == "" {
				t.Errorf("got %v, want a *repo.WrongKeyError that names all keys", err)
			}
			stored(t, r, itemsOf("a", "b")...)
		})
	}
	noErr(t, r.Save(under(t, heldAs(6, "first")), named("saved")))
	stored(t, r, named("saved"), item("b"))
}

// fenceWrongKeyInTx: the same in a transaction.
func fenceWrongKeyInTx(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	tx := transactor(t, h, r)
	noErr(t, r.Save(under(t, heldAs(5, "first in tx")), item("a")))
	err := tx.InTx(under(t, heldAs(9, "second in tx")), func(ctx context.Context) error { return r.Save(ctx, named("refused")) })
	wantErr(t, err, repo.ErrWrongKey)
	err = tx.InTx(t.Context(), func(ctx context.Context) error {
		return r.Save(driver.WithFence(ctx, heldAs(9, "second in tx")), named("refused"))
	})
	wantErr(t, err, repo.ErrWrongKey)
	stored(t, r, item("a"))
}

// fenceKeyOfAPlainFence: the key of the only claim counts.
func fenceKeyOfAPlainFence(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	noErr(t, r.Save(under(t, plain{holdOf(5, 1)}), item("a")))
	other := holdOf(9, 1)
	other.claim.Key = "another lock"
	wantErr(t, r.Save(under(t, plain{other}), named("refused")), repo.ErrWrongKey)
	stored(t, r, item("a"))
}

// fenceTakesOneOfSeveralKeys: while a key is renamed, the registered one is
// among several, at whatever place.
func fenceTakesOneOfSeveralKeys(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	noErr(t, r.Save(under(t, heldAs(5, "old")), item("a")))
	noErr(t, r.Save(under(t, heldAs(6, "new", "old")), named("saved")))
	_, err := r.FindByID(under(t, heldAs(7, "new", "old")), "a")
	noErr(t, err)
	wantErr(t, r.Save(under(t, heldAs(8, "new")), named("refused")), repo.ErrWrongKey)
	stored(t, r, named("saved"))
}

// fenceWithoutKeys: claims of which nobody says what they guard are checked by
// themselves, and register nothing.
func fenceWithoutKeys(t *testing.T, h Harness) {
	for name, f := range map[string]func(token int64) driver.Fence{
		"NoKeys":        func(token int64) driver.Fence { return holdOf(token, 1) },
		"SeveralClaims": func(token int64) driver.Fence { return severalHolds(token, token) },
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := h.fenced(t)
			noErr(t, r.Save(under(t, f(5)), item("a")))
			wantErr(t, r.Save(under(t, f(4)), named("refused")), repo.ErrFenced)
			noErr(t, r.Save(under(t, heldAs(1, "first after "+name)), named("saved")))
			noErr(t, r.Save(under(t, f(6)), named("again")))
			stored(t, r, named("again"))
		})
	}
}
