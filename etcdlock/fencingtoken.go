package etcdlock

import "fmt"

// FencingToken is what a store can tell the uses of a lock apart by. A store that keeps the
// newest token it has accepted, and accepts only one that [FencingToken.Succeeds] it, in the
// transaction of the write itself, is not written to by a holder that was paused for longer
// than its lease lived. Tokens can be compared with == and used as keys of a map; in a store
// they are four columns, or fields.
//
// Locked repositories do all of this by themselves.
type FencingToken struct {
	// Revision is the Token of the lock: the create revision of the hold's key in etcd.
	Revision int64
	// Owner is a text of 26 random letters and digits, another one for each hold. Two tokens
	// with one revision and different owners come from an etcd that was restored and gave the
	// revision twice; neither succeeds the other.
	Owner string
	// Turn is the number of the turn within the hold: goroutines of one process are handed a
	// hold one after the other.
	Turn int64
	// Attempt is the number of the token within the turn, from 1 on.
	Attempt int64
}

// Succeeds is the rule by which a store accepts t where it has stored another token: t is of
// a later hold, or of the same one and of a later turn, or of the same turn and drawn later.
// No token succeeds itself. The zero FencingToken stands for nothing stored yet.
func (t FencingToken) Succeeds(stored FencingToken) bool {
	switch {
	case stored.Revision != t.Revision:
		return stored.Revision < t.Revision
	case stored.Owner != t.Owner:
		return false
	case stored.Turn != t.Turn:
		return stored.Turn < t.Turn
	default:
		return stored.Attempt < t.Attempt
	}
}

// String is for logs. A token is no secret.
func (t FencingToken) String() string {
	return fmt.Sprintf("%d.%d.%d owner %.8s", t.Revision, t.Turn, t.Attempt, t.Owner)
}

// FencingToken draws a token for one of the Lock's names, and reports false for a name that
// it does not hold. Each call draws the next one: call it once for every try at a write.
// Goroutines that share the Lock, or one nested in it, draw from the same numbers, and a store
// may refuse the token that was drawn first if it is shown last: let them draw and write one
// after the other.
func (k *Lock) FencingToken(name string) (FencingToken, bool) {
	if t := k.turnOf(name); t != nil {
		return t.draw(), true
	}
	return FencingToken{}, false
}

// draw returns the next token of the turn.
func (t *turn) draw() FencingToken {
	return FencingToken{Revision: t.Node.Token(), Owner: t.Node.Fence(), Turn: t.N, Attempt: t.drawn.Add(1)}
}
