package repotest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// hold is a fence made by hand: what a lock would hand out for one turn.
type hold struct {
	mu    sync.Mutex
	claim repo.Claim
}

const (
	fenceKey   = "repotest"
	fenceOwner = "0123456789abcdef0123456789abcdef"
)

// holdOf is the turn of a hold. Its first claim has the number of the attempt
// 1; two holds of one turn show the same claims.
func holdOf(token, turn int64) *hold {
	return &hold{claim: repo.Claim{Key: fenceKey, Token: token, Owner: fenceOwner, Sub: turn << 32}}
}

// Keys names none, so that a case can show several to one table.
func (h *hold) Keys() []string { return nil }

func (h *hold) Claims() []repo.Claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claim.Sub++
	return []repo.Claim{h.claim}
}

// under is the test's context with the fence.
func under(t *testing.T, f driver.Fence) context.Context {
	t.Helper()
	return driver.WithFence(t.Context(), f)
}

// holding is the test's context under a hold with the token.
func holding(t *testing.T, token int64) context.Context {
	t.Helper()
	return under(t, holdOf(token, 1))
}

// fencing makes a repository that enforces fences, or skips.
func fencing[T any](t *testing.T, h Harness, name string, fresh func(t *testing.T) repo.Repository[T]) (repo.Repository[T], driver.FenceMode) {
	t.Helper()
	r := from(t, name, fresh)
	f, ok := repo.As[driver.Fencer](r)
	if !ok || f.FenceMode() == driver.FenceNone {
		t.Skip("the repository under test enforces no fence")
	}
	if h.PrepareFence != nil {
		h.PrepareFence(t)
	}
	return r, f.FenceMode()
}

func (h Harness) fenced(t *testing.T) (repo.Repository[Item], driver.FenceMode) {
	t.Helper()
	return fencing(t, h, "Item", h.Items)
}

// wantFenced wants a refusal that names the two tokens.
func wantFenced(t *testing.T, err error, presented, stored int64) {
	t.Helper()
	wantErr(t, err, repo.ErrFenced)
	fe, ok := errors.AsType[*repo.FencedError](err)
	if !ok {
		t.Fatalf("got %T %v, want a *repo.FencedError", err, err)
	}
	if fe.Presented.Revision() != presented || fe.Stored.Revision() != stored {
		t.Fatalf("the error names %d as presented and %d as stored, want %d and %d: %v",
			fe.Presented.Revision(), fe.Stored.Revision(), presented, stored, err)
	}
}

// named is the item a with another name, to be told from the one stored.
func named(name string) *Item {
	e := item("a")
	e.Name = name
	return e
}

func fenceAcceptsWhatIsNewer(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	same := holdOf(5, 1)
	for i, f := range []driver.Fence{same, same, holdOf(5, 2), holdOf(9, 0), anotherOwner(holdOf(10, 0))} {
		e := named(string(rune('p' + i)))
		noErr(t, r.Save(under(t, f), e))
		stored(t, r, e)
	}
}

func anotherOwner(h *hold) *hold {
	h.claim.Owner = "fedcba9876543210fedcba9876543210"
	return h
}

func fenceRefusesWhatIsNot(t *testing.T, h Harness) {
	for name, f := range map[string]*hold{
		"OlderToken":           holdOf(4, 1),
		"OlderTokenLaterTurn":  holdOf(4, 9),
		"EarlierTurn":          holdOf(5, 0),
		"TheSameAttempt":       holdOf(5, 1),
		"AnotherOwner":         anotherOwner(holdOf(5, 1)),
		"AnotherOwnersTurn":    anotherOwner(holdOf(5, 9)),
		"AnotherOwnersOldTurn": anotherOwner(holdOf(5, 0)),
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := h.fenced(t)
			noErr(t, r.Save(under(t, holdOf(5, 1)), item("a")))
			wantFenced(t, r.Save(under(t, f), named("refused")), f.claim.Token, 5)
			stored(t, r, item("a"))
		})
	}
}

func fenceRefusalNamesBoth(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	noErr(t, r.Save(under(t, holdOf(5, 2)), item("a")))
	err := r.Save(under(t, anotherOwner(holdOf(4, 3))), named("refused"))
	fe, ok := errors.AsType[*repo.FencedError](err)
	if !ok {
		t.Fatalf("got %v, want a *repo.FencedError", err)
	}
	// Only the turns are known: a store may need more than one attempt.
	fe.Presented.Sub, fe.Stored.Sub = fe.Presented.Sub>>32, fe.Stored.Sub>>32
	same(t, &fe.Presented, &repo.Claim{Key: fenceKey, Token: fe.Presented.Token, Owner: anotherOwner(holdOf(0, 0)).claim.Owner, Sub: 3})
	same(t, &fe.Stored, &repo.Claim{Key: fenceKey, Token: fe.Stored.Token, Owner: fenceOwner, Sub: 2})
	if fe.Presented.Epoch() != fe.Stored.Epoch() {
		t.Fatalf("one fence, two epochs: %v", err)
	}
	wantFenced(t, err, 4, 5)
}

// writesOfA are all ways to write the item a.
func writesOfA(t *testing.T, r repo.Repository[Item]) map[string]func(ctx context.Context) error {
	t.Helper()
	doc := document(t, named("refused"))
	ways := map[string]func(ctx context.Context) error{
		"Save":    func(ctx context.Context) error { return r.Save(ctx, named("refused")) },
		"SaveAll": func(ctx context.Context) error { return r.SaveAll(ctx, []*Item{named("refused")}) },
		"Replace": func(ctx context.Context) error {
			_, err := r.SmartSave(ctx, docs(doc))
			return err
		},
		"Merge": func(ctx context.Context) error {
			_, err := r.SmartSave(ctx, docs(`{"id": "a", "name": "refused"}`), repo.Merge())
			return err
		},
		"Delete":     func(ctx context.Context) error { return r.Delete(ctx, item("a")) },
		"DeleteByID": func(ctx context.Context) error { return r.DeleteByID(ctx, "a") },
		"DeleteAllByID": func(ctx context.Context) error {
			_, err := r.DeleteAllByID(ctx, anyIDs("a"))
			return err
		},
	}
	if u, ok := repo.As[repo.Updater[Item]](r); ok {
		ways["Update"] = func(ctx context.Context) error {
			_, err := u.Update(ctx, "a", func(e *Item) error { e.Name = "refused"; return nil })
			return err
		}
	}
	return ways
}

func fenceRefusesEveryWrite(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	noErr(t, r.Save(holding(t, 5), item("a")))
	for name, write := range writesOfA(t, r) {
		t.Run(name, func(t *testing.T) {
			wantFenced(t, write(holding(t, 4)), 4, 5)
			stored(t, r, item("a"))
		})
	}
}

func fenceLetsEveryWrite(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	token := int64(5)
	for name, write := range writesOfA(t, r) {
		t.Run(name, func(t *testing.T) {
			noErr(t, r.Save(holding(t, token), item("a")))
			noErr(t, write(holding(t, token+1)))
			token += 2
		})
	}
}

// fenceReadRaises is the heart of it: who reads under a newer claim has fenced
// off all older ones before they write.
func fenceReadRaises(t *testing.T, h Harness) {
	reads := map[string]func(r repo.Repository[Item], ctx context.Context) error{
		"FindByID": func(r repo.Repository[Item], ctx context.Context) error {
			_, err := r.FindByID(ctx, "a")
			return err
		},
		"FindAllByID": func(r repo.Repository[Item], ctx context.Context) error {
			_, err := r.FindAllByID(ctx, anyIDs("a", "absent"))
			return err
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			r, _ := h.fenced(t)
			saveItems(t, r, item("a"))
			stale, newer := holding(t, 4), holding(t, 5)
			noErr(t, read(r, stale))
			noErr(t, read(r, newer))
			wantFenced(t, r.Save(stale, named("refused")), 4, 5)
			wantErr(t, read(r, stale), repo.ErrFenced)
			noErr(t, r.Save(newer, named("saved")))
			stored(t, r, named("saved"))
		})
	}
}

// fenceHoldsInUpdate: a newer hold that comes before an Update of a stale one
// has it refused.
func fenceHoldsInUpdate(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	u := updater(t, h, r)
	saveItems(t, r, item("a"))
	stale := holding(t, 4)
	_, err := u.Update(stale, "a", func(e *Item) error { e.Stock++; return nil })
	noErr(t, err)
	_, err = u.Update(holding(t, 5), "a", func(e *Item) error { e.Stock++; return nil })
	noErr(t, err)
	_, err = u.Update(stale, "a", func(e *Item) error { e.Stock = 0; return nil })
	wantFenced(t, err, 4, 5)
	if got := get(t, r, "a").Stock; got != item("a").Stock+2 {
		t.Fatalf("stock is %d, want %d", got, item("a").Stock+2)
	}
}

func fenceKeysAreApart(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	noErr(t, r.Save(holding(t, 5), item("a")))
	other := holdOf(1, 1)
	other.claim.Key = "another lock"
	noErr(t, r.Save(under(t, other), named("saved")))
	wantFenced(t, r.Save(holding(t, 4), named("refused")), 4, 5)
	stored(t, r, named("saved"))
}

// fenceTakesSeveralClaims: one refused claim of several refuses the call.
func fenceTakesSeveralClaims(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	noErr(t, r.Save(under(t, severalHolds(5, 7)), item("a")))
	wantErr(t, r.Save(under(t, severalHolds(4, 8)), named("refused")), repo.ErrFenced)
	wantErr(t, r.Save(under(t, severalHolds(6, 6)), named("refused")), repo.ErrFenced)
	stored(t, r, item("a"))
	// What was refused has left nothing behind: 6 and 8 are still new.
	noErr(t, r.Save(under(t, severalHolds(6, 8)), named("saved")))
	stored(t, r, named("saved"))
}

type holds []*hold

func severalHolds(tokens ...int64) holds {
	list := make(holds, len(tokens))
	for i, token := range tokens {
		list[i] = holdOf(token, 1)
		list[i].claim.Key = fenceKey + string(rune('0'+i))
	}
	return list
}

func (h holds) Claims() []repo.Claim {
	var list []repo.Claim
	for _, one := range h {
		list = append(list, one.Claims()...)
	}
	return list
}
