package driver

import (
	"context"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
)

// Fence makes the claims for what is done under one hold.
type Fence interface {
	// Claims returns a claim for each lock that is held, sorted by key. Every
	// call draws the next attempt, so a store calls it once for each attempt
	// at a transaction, repetitions included, and shows the claims before it
	// reads or writes anything.
	Claims() []repo.Claim
}

// Guard is a [Fence] that knows which keys may guard the entities of the call.
// A store remembers which key guards a table or a collection, and refuses every
// other one with [repo.ErrWrongKey]: writers under two keys do not exclude each other.
type Guard interface {
	Fence
	// Keys are the keys under one of which the table may be registered. The
	// claims of all of them are shown, of a set of stripes those of the stripes
	// that the call needs; see [StripeSet]. Where no key is registered, the store
	// registers the first. There is more than one while a key is being renamed.
	// None: it is not checked which key guards the table.
	Keys() []string
}

// GuardKeys are the keys that a table of f's call may be registered under: of those that
// a [Guard] names the ones of which a claim is shown, else the only key of the claims.
// There are none where that cannot be said; then nothing is checked.
func GuardKeys(f Fence, shown []repo.Claim) []string {
	keys := lo.Map(shown, func(c repo.Claim, _ int) string { return c.Key })
	guard, ok := f.(Guard)
	switch {
	case ok:
		return lo.Filter(guard.Keys(), func(g string, _ int) bool {
			return slices.ContainsFunc(keys, func(key string) bool { return Guards(g, key) })
		})
	case len(keys) == 1:
		return keys
	default:
		return nil
	}
}

type fenceKey struct{}

// WithFence returns a context under which a [Fencer] shows f's claims with
// everything it reads and writes. A nil f takes the fence away.
func WithFence(ctx context.Context, f Fence) context.Context {
	return context.WithValue(ctx, fenceKey{}, f)
}

// FenceFrom returns the fence that ctx carries.
func FenceFrom(ctx context.Context) (Fence, bool) {
	f, ok := ctx.Value(fenceKey{}).(Fence)
	return f, ok && f != nil
}

// FenceMode says what a store checks claims with.
type FenceMode int

// The modes of fences.
const (
	// FenceNone: claims are not checked.
	FenceNone FenceMode = iota
	// FenceTx: the first statement of every transaction shows the claims, so
	// that all it reads and writes is protected.
	FenceTx
	// FenceDocument: each document is protected by itself, when it is read by
	// its id and when it is written; queries are not.
	FenceDocument
)

// Fencer is a repository that enforces the fence of the context it is called
// with: a call whose claims are refused returns ErrFenced and has written
// nothing, but on stores without transactions those elements of a list that a
// *BatchError does not name.
type Fencer interface {
	// FenceMode says how. It asks no server.
	FenceMode() FenceMode
}
