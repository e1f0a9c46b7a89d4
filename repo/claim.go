package repo

import "fmt"

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

// Revision is the etcd revision in a claim's token, without the epoch.
func (c Claim) Revision() int64 { return c.Token & (1<<tokenBits - 1) }

// Epoch is the epoch in a claim's token.
func (c Claim) Epoch() int64 { return c.Token >> tokenBits }
