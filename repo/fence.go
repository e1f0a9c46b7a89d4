package repo

import (
	"context"
	"fmt"
)

// Claim is what a holder of a lock shows to a store, which accepts it only as
// long as nobody has shown a newer one:
//
//	stored.Token < Token, or
//	stored.Token = Token and stored.Owner = Owner and stored.Sub < Sub
//
// An accepted claim is stored in its place, in the same atomic unit as the
// reads and writes that it is for. The rule is strict, so that no claim is
// ever accepted twice. It is the fencing token of Kleppmann (2016), shown
// before the first read as in the first phase of Paxos: one that is checked
// only when writing lets a stale holder's write in between a newer holder's
// read and write.
type Claim struct {
	// Key is the name of the lock.
	Key string
	// Token grows from hold to hold: the create revision of the lock's key in
	// etcd, below 2^48. Stores put the epoch that they keep themselves above it.
	Token int64
	// Owner is a random text of the hold, at most 32 characters, that tells
	// apart two holders who were given one token by an etcd that was restored.
	Owner string
	// Sub grows within a hold: the number of the turn times 2^32, plus the
	// number of the attempt, of which every transaction is one.
	Sub int64
}

// String names the claim in error texts and logs. A token is no secret.
func (c Claim) String() string {
	return fmt.Sprintf("%q token %d.%d owner %.8s turn %d.%d", c.Key, c.Token>>tokenBits, c.Token&(1<<tokenBits-1), c.Owner, c.Sub>>32, c.Sub&(1<<32-1))
}

// Succeeds tells whether c is accepted where stored is; see [Claim]. Their keys
// are not looked at.
func (c Claim) Succeeds(stored Claim) bool {
	return stored.Token < c.Token || stored.Token == c.Token && stored.Owner == c.Owner && stored.Sub < c.Sub
}

// tokenBits is how many bits of a stored token are the revision. Those above
// are the epoch.
const tokenBits = 48

// Fence makes the claims for what is done under one hold.
type Fence interface {
	// Claims returns a claim for each lock that is held, sorted by key. Every
	// call draws the next attempt, so a store calls it once for each attempt
	// at a transaction, repetitions included, and shows the claims before it
	// reads or writes anything.
	Claims() []Claim
}

// Guard is a [Fence] that knows which keys may guard the entities of the call.
// A store remembers which key guards a table or a collection, and refuses every
// other one with [ErrWrongKey]: writers under two keys do not exclude each other.
type Guard interface {
	Fence
	// Keys are the keys under one of which the table may be registered. The
	// claims of all of them are shown. Where no key is registered, the store
	// registers the first. There is more than one while a key is being renamed.
	// None: it is not checked which key guards the table.
	Keys() []string
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

// FencedError says which claim was refused, and by which. It matches
// ErrFenced.
type FencedError struct {
	// Stored is the claim that the store has, Presented the one it refused. Both
	// tokens carry the store's epoch in the bits from 2^48 on.
	Stored, Presented Claim
}

// Error names both claims.
func (e *FencedError) Error() string {
	return fmt.Sprintf("%v: %s was presented, %s is stored", ErrFenced, e.Presented, e.Stored)
}

// Is reports whether target is ErrFenced.
func (e *FencedError) Is(target error) bool { return target == ErrFenced }

// Revision is the etcd revision in a claim's token, without the epoch.
func (c Claim) Revision() int64 { return c.Token & (1<<tokenBits - 1) }

// Epoch is the epoch in a claim's token; see [Fence].
func (c Claim) Epoch() int64 { return c.Token >> tokenBits }

// UnknownError says that the answer to a commit was lost and that the store
// could not be asked afterwards. It matches ErrUnknown, and its cause.
type UnknownError struct {
	// Op identifies the transaction, for asking the store later.
	Op string
	// Err is why the store could not be asked.
	Err error
}

// Error names the operation and the cause.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("%v (operation %s): %v", ErrUnknown, e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *UnknownError) Unwrap() error { return e.Err }

// Is reports whether target is ErrUnknown.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknown }

// WrongKeyError says that a table or collection is guarded by another key than
// the ones that the writer holds. It matches ErrWrongKey.
type WrongKeyError struct {
	// Resource is the table or collection.
	Resource string
	// Registered is the key that guards it.
	Registered string
	// Presented are the keys that the writer holds for it.
	Presented []string
}

// Error names the resource and both keys.
func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("%v: %s is guarded by %q, the writer holds %q", ErrWrongKey, e.Resource, e.Registered, e.Presented)
}

// Is reports whether target is ErrWrongKey.
func (e *WrongKeyError) Is(target error) bool { return target == ErrWrongKey }
