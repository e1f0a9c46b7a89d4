package mongorepo_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// turn is a fence made by hand.
type turn struct {
	mu     sync.Mutex
	claims []repo.Claim
}

func turnOf(keys ...string) *turn {
	t := &turn{}
	for _, k := range keys {
		t.claims = append(t.claims, repo.Claim{Key: k, Token: 7, Owner: "me"})
	}
	return t
}

func (t *turn) Claims() []repo.Claim {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.claims {
		t.claims[i].Sub++
	}
	return slices.Clone(t.claims)
}

// shownTo returns the attempt that an update or findAndModify shows, 0 when it
// shows none.
func shownTo(cmd bson.Raw) int64 {
	set, ok := cmd.Lookup("updates", "0", "u", "$set").DocumentOK()
	if !ok {
		if set, ok = cmd.Lookup("update", "$set").DocumentOK(); !ok {
			return 0
		}
	}
	elems, _ := set.Elements()
	for _, el := range elems {
		if doc, ok := el.Value().DocumentOK(); ok {
			if sub, ok := doc.Lookup("s").AsInt64OK(); ok {
				return sub
			}
		}
	}
	return 0
}

// collectionOf is empty for the commands of a session.
func collectionOf(cmd bson.Raw) string {
	name, _ := cmd.Index(0).Value().StringValueOK()
	return name
}

// onLocks tells whether a command goes to the documents of the locks.
func onLocks(cmd bson.Raw) bool { return collectionOf(cmd) == "holdfast_fence" }

// calm answers everything with success.
func calm(name string, _ bson.Raw) bson.D {
	if name == "find" || name == "aggregate" {
		return found()
	}
	return matched(1)
}

func TestInTx_ShowsTheClaimsFirst(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, calm)
	ctx := driver.WithFence(t.Context(), turnOf("orders"))
	for range 2 {
		err := r.InTx(ctx, func(ctx context.Context) error {
			_, err := r.Count(ctx)
			return errors.Join(err, r.Save(ctx, &account{ID: 1, Rev: 3}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The epoch is read, the guard registered and the document of the lock made
	// once, outside.
	once := []string{"find", "find", "insert", "insert"}
	each := []string{"start:update", "tx:aggregate", "tx:update", "tx:commitTransaction"}
	wantCommands(t, s, slices.Concat(once, each, each)...)
	for i, cmd := range s.seen {
		name := cmd.Index(0).Key()
		if wantLocks := slices.Contains([]int{0, 3, 4, 8}, i); onLocks(cmd) != wantLocks {
			t.Errorf("command %d, %s, goes to the locks: %t", i, name, !wantLocks)
		}
	}
}

func TestInTx_RefusedClaimWritesNothing(t *testing.T) {
	t.Parallel()
	var stored bson.D
	s, r := accounts(t, func(name string, cmd bson.Raw) bson.D {
		switch {
		case name == "update" && onLocks(cmd):
			set, _ := cmd.Lookup("updates", "0", "u", "$set").Document().Elements()
			stored = bson.D{{Key: set[0].Key()[len("_f."):], Value: bson.D{{Key: "t", Value: int64(8)}, {Key: "o", Value: "her"}, {Key: "s", Value: int64(1)}}}}
			return matched(0)
		case name == "find" && stored != nil && cmd.Lookup("filter", "_id").Type == bson.TypeString:
			return found(bson.D{{Key: "_id", Value: "orders"}, {Key: "_f", Value: stored}})
		}
		return calm(name, cmd)
	})
	err := r.InTx(driver.WithFence(t.Context(), turnOf("orders")), func(context.Context) error {
		t.Error("fn was called")
		return nil
	})
	fe, ok := errors.AsType[*repo.FencedError](err)
	if !ok || fe.Stored.Token != 8 || fe.Presented.Token != 7 {
		t.Errorf("got %v, want a *repo.FencedError of 7 by 8", err)
	}
	// The second look at the epoch tells that it is not this process that is
	// behind.
	wantCommands(t, s, "find", "find", "insert", "insert", "start:update", "find", "find", "tx:abortTransaction")
}

// Two transactions of one lock conflict. The next try shows the next attempt.
func TestInTx_ConflictShowsTheNextAttempt(t *testing.T) {
	t.Parallel()
	var shown []int64
	_, r := accounts(t, func(name string, cmd bson.Raw) bson.D {
		if name == "update" && onLocks(cmd) {
			if shown = append(shown, shownTo(cmd)); len(shown) == 1 {
				return conflict()
			}
		}
		return calm(name, cmd)
	})
	calls := 0
	err := r.InTx(driver.WithFence(t.Context(), turnOf("orders")), func(context.Context) error {
		calls++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls != 1 || !slices.Equal(shown, []int64{1, 2}) {
		t.Errorf("%d calls, attempts %v were shown, want one and [1 2]", calls, shown)
	}
}

// A document that was made after the transaction began is not seen in it.
func TestInTx_UnseenDocumentStartsOver(t *testing.T) {
	t.Parallel()
	updates := 0
	s, r := accounts(t, func(name string, cmd bson.Raw) bson.D {
		switch {
		case name == "update" && onLocks(cmd):
			if updates++; updates == 1 {
				return matched(0)
			}
		case name == "find" && updates == 1:
			return found(bson.D{{Key: "_id", Value: "orders"}})
		}
		return calm(name, cmd)
	})
	if err := r.InTx(driver.WithFence(t.Context(), turnOf("orders")), func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "find", "find", "insert", "insert", "start:update", "find", "tx:abortTransaction", "start:update", "tx:commitTransaction")
}

// A lock that is taken inside of the transaction is shown before the first
// command under it.
func TestInTx_ShowsALaterLockBeforeItsFirstCommand(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, calm)
	err := r.InTx(driver.WithFence(t.Context(), turnOf("orders")), func(ctx context.Context) error {
		_, err := r.Find(driver.WithFence(ctx, turnOf("orders", "stock")))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "find", "find", "insert", "insert", "start:update", "insert", "tx:update", "tx:find", "tx:commitTransaction")
}

// unknown is what a server says that does not know whether it committed. The
// driver gives up at once on this code.
func unknown() bson.D {
	return bson.D{
		{Key: "ok", Value: 0},
		{Key: "code", Value: 50},
		{Key: "errmsg", Value: "MaxTimeMSExpired"},
		{Key: "errorLabels", Value: bson.A{"UnknownTransactionCommitResult"}},
	}
}

func TestInTx_LostCommitIsAskedFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sub  int64 // of the claim that is found
		want error
	}{
		"Happened":    {1, nil},
		"DidNot":      {0, errUnknownCommit},
		"CannotTell":  {-1, repo.ErrUnknown},
		"StillNoIdea": {-2, repo.ErrUnknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r := accounts(t, func(name string, cmd bson.Raw) bson.D {
				switch name {
				case "commitTransaction":
					return unknown()
				case "findAndModify":
					return lastClaim(cmd, tt.sub)
				case "aggregate": // counting, to tell absent from refused
					return found(bson.D{{Key: "n", Value: 1}})
				}
				return calm(name, cmd)
			})
			calls := 0
			err := r.InTx(driver.WithFence(t.Context(), turnOf("orders")), func(context.Context) error {
				calls++
				return nil
			})
			if calls != 1 {
				t.Errorf("fn ran %d times, want once", calls)
			}
			switch {
			case tt.want == nil && err != nil, tt.want == repo.ErrUnknown && !errors.Is(err, tt.want): //nolint:errorlint // the test's own value
				t.Errorf("got %v, want %v", err, tt.want)
			case tt.want == errUnknownCommit && (err == nil || errors.Is(err, repo.ErrUnknown)): //nolint:errorlint // the test's own value
				t.Errorf("got %v, want the server's error", err)
			}
		})
	}
}

var errUnknownCommit = errors.New("the server's error")

// lastClaim answers a findAndModify with the document as it was before: with
// the attempt in it, with none for -1, or with an error for -2.
func lastClaim(cmd bson.Raw, sub int64) bson.D {
	switch sub {
	case -1:
		return ok(bson.E{Key: "value", Value: nil})
	case -2:
		return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 13}, {Key: "errmsg", Value: "not allowed"}}
	}
	set, _ := cmd.Lookup("update", "$set").Document().Elements()
	return ok(bson.E{Key: "value", Value: bson.D{{Key: "_id", Value: cmd.Lookup("query", "_id")}, {Key: "_f", Value: bson.D{
		{Key: set[0].Key()[len("_f."):], Value: bson.D{{Key: "t", Value: int64(7)}, {Key: "o", Value: "me"}, {Key: "s", Value: sub}}},
	}}}})
}

// A commit that the server does not know of is sent again, and only it.
func TestInTx_UnknownCommitIsSentAgain(t *testing.T) {
	t.Parallel()
	commits := 0
	s, r := accounts(t, func(name string, cmd bson.Raw) bson.D {
		if name == "commitTransaction" {
			if commits++; commits == 1 {
				return append(unknown()[:1:1], bson.E{Key: "code", Value: 91}, bson.E{Key: "errmsg", Value: "shutting down"},
					bson.E{Key: "errorLabels", Value: bson.A{"UnknownTransactionCommitResult"}})
			}
		}
		return calm(name, cmd)
	})
	if err := r.InTx(driver.WithFence(t.Context(), turnOf("orders")), func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "find", "find", "insert", "insert", "start:update", "tx:commitTransaction", "tx:commitTransaction")
}
